"""``journey completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

import click

_COMMANDS = ("journey", "run-journey")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """What SHELL reads to complete `journey` and `run-journey`, with their options and files.

    In bash and zsh: eval "$(journey completion bash)"; in fish: journey completion fish | source.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the shells above are those that click knows
    for name in _COMMANDS:
        variable = f"_{name}_COMPLETE".replace("-", "_").upper()
        click.echo(kind(click.Command(name), {}, name, variable).source())
