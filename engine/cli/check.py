"""``journey check FILE...``: everything that is wrong with journey files, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.dsl.check import LoadedAndChecked
    from engine.errors import Problem


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@json_option
def check(files: tuple[Path, ...], as_json: bool) -> int:
    """Check journey files without running them.

    Every error and warning of every file is printed as a compiler does, with its line and what
    would be right. Exits with 3 if a file has an error.
    """
    from engine.cli.outcome import INVALID_FILE

    valid = True
    for file in files:
        loaded, problems = _problems(file)
        valid = valid and loaded is not None
        for line in _json(file, problems) if as_json else _text(file, loaded, problems):
            click.echo(line)
    return 0 if valid else INVALID_FILE


def _problems(file: Path) -> tuple[LoadedAndChecked | None, tuple[Problem, ...]]:
    """The journey, None if it has errors; and its problems."""
    from engine.cli.journey_file import load_journey, read_bounded
    from engine.errors import DefinitionError

    try:
        loaded = load_journey(file, read_bounded(file))
    except DefinitionError as error:
        return None, error.problems
    return loaded, loaded.warnings


def _text(
    file: Path, loaded: LoadedAndChecked | None, problems: tuple[Problem, ...]
) -> Iterator[str]:
    from engine.core.dsl.problems import render

    for problem in problems:
        yield render(problem, str(file))
    if loaded is None:
        return
    checked, name = loaded.checked, loaded.journey.journey
    steps = sum(1 for _ in loaded.journey.all_steps())
    calls = ", ".join(checked.endpoints) or "no endpoint"
    yield f"{file}: {name} is right: {steps} step{'' if steps == 1 else 's'}, calls {calls}"
    if checked.needs_events:
        needs = ", ".join(f"{need.what} on line {need.line}" for need in checked.needs_events)
        yield f"{file}: it needs events, which live runs of this version don't take yet: {needs}"


def _json(file: Path, problems: tuple[Problem, ...]) -> Iterator[str]:
    from dataclasses import asdict
    from json import dumps

    for problem in problems:
        yield dumps({"file": str(file), **asdict(problem)}, ensure_ascii=False)
