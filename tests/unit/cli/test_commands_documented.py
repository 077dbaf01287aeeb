"""No option without a word about it in the docs; no command that is slow to say what it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click

from engine.cli.main import COMMANDS, journey
from tests.house.source import DOCS

PAGES = [
    DOCS / "cli.md",
    DOCS / "editors.md",
    DOCS / "graph.md",
    DOCS / "running.md",
    DOCS / "why.md",
]
HERE = {"check", "config", "doctor", "graph", "migrate", "new", "report", "run", "schema", "test"}


def _options(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            inner = command.get_command(context, below)
            assert inner is not None
            yield from _options(inner, f"{name} {below}")
        return
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for option in (*parameter.opts, *parameter.secondary_opts):
                yield name, option


def _every_option() -> Iterator[tuple[str, str]]:
    context = click.Context(journey)
    pages = COMMANDS if PAGES[0].exists() else HERE
    for name in sorted(pages):
        command = journey.get_command(context, name)
        assert command is not None
        yield from _options(command, name)


def test_every_option_is_documented() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.exists())
    written = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))
    missing = [f"{name}: {option}" for name, option in _every_option() if option not in written]
    assert not missing, "say in engine/docs/running.md or cli.md what it does"


def test_every_command_is_documented() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.exists())
    assert [name for name in HERE if f"journey {name}" not in text] == []


def test_the_list_of_commands_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from engine.cli.main import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = ('jinja2', 'pydantic', 'httptools', 'rich', 'sqlalchemy', 'yaml')\n"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stderr == "[]\n"
