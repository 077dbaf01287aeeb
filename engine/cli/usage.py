"""How usage is shown: endpoints, journeys, steps, users inside now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.versions.usage import EndpointUse


def show_usage(used: Sequence[EndpointUse], nothing: str, as_json: bool) -> None:
    """Print usage; ``nothing`` is said where there is none."""
    if as_json:
        from dataclasses import asdict
        from json import dumps

        for each in used:
            click.echo(dumps(asdict(each), ensure_ascii=False))
        return
    lines = [line for each in used for line in each.lines()]
    for line in lines or [nothing]:
        click.echo(line)
