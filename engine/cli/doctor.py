"""``journey doctor``: is this installation all right, and if not, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import database_option, json_option
from engine.cli.show.terminal import Colour, Paint, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cli.context import Installation
    from engine.operations.checks import Check

MARKS: dict[str, tuple[str, Colour]] = {
    "ok": ("✓", "green"),
    "odd": ("!", "yellow"),
    "wrong": ("✗", "red"),
}


@click.command()
@click.option(
    "--leaks", is_flag=True, help="Look for every secret in database, home folder, log and PATHS."
)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@json_option
@database_option
def doctor(leaks: bool, paths: tuple[Path, ...], as_json: bool, database: str | None) -> int:
    """Look the installation over: settings, database, key, endpoints, secrets, machine; what runs
    on it, how that is, and its duties; endpoints whose calls are held.

    Each line is right (✓), odd (!) or wrong (✗) and says what to do. Nothing is changed and no
    secret is shown. With --leaks every secret that can be opened is looked for where none may
    stand; PATHS are more files and folders to search: logs, exports. Exits with 6 if something is
    wrong.
    """
    import sys
    from dataclasses import asdict
    from json import dumps

    from engine.cli.context import opened
    from engine.cli.outcome import CHECK_FAILED
    from engine.operations.checks import outliving
    from engine.operations.doctor import examine
    from engine.operations.leaks import leaks as look_for_leaks

    if paths and not leaks:
        raise click.UsageError("paths go with --leaks")
    wrong = False
    with opened(database) as installation:
        paint = Paint.of(sys.stdout, installation.environment)
        given = installation.settings, installation.environment
        checks = list(
            outliving("leaks", look_for_leaks(installation.database(), *given, paths))
            if leaks
            else examine(*given)
        )
        if not leaks and ("database", "wrong") not in {(each.name, each.state) for each in checks}:
            checks += _running(installation)
        for check in checks:
            wrong = wrong or check.state == "wrong"
            click.echo(dumps(asdict(check)) if as_json else _line(check, paint))
    return CHECK_FAILED if wrong else 0


def _running(installation: Installation) -> Iterator[Check]:
    """What runs on a database that was found sound."""
    from engine.clock import wall
    from engine.operations.checks import reading
    from engine.operations.running import PARTS

    if installation.has_database():
        for name, part in PARTS.items():
            yield from reading(name, installation.database(), part, wall())


def _line(check: Check, paint: Paint) -> str:
    mark, colour = MARKS[check.state]
    remedy = f"; {plain(check.remedy, 300)}" if check.remedy else ""
    return f"{paint(mark, colour)} {check.name:<11} {plain(check.found, 500)}{remedy}"
