"""``journey check FILE...``: everything that is wrong with journey files, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cli.show.problems import Located
    from engine.cli.surroundings import Finder
    from engine.core.dsl.check import LoadedAndChecked


@click.command()
@click.argument(
    "files", metavar="FILE|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="As a compiler prints them (text), one array (json), or annotations (github).",
)
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--fix", is_flag=True, help="Quote what YAML reads otherwise than it is meant.")
@click.option(
    "--endpoints",
    type=click.Path(path_type=Path),
    help="Endpoints and catalogue to check against; endpoints.yaml beside a journey unless named.",
)
@click.option("--database", metavar="URL", help="Check against those of this installation.")
def check(
    files: tuple[Path, ...],
    form: str,
    strict: bool,
    fix: bool,
    endpoints: Path | None,
    database: str | None,
) -> int:
    """Check journey files, and those of folders, without running them.

    Every error and warning of every file is told with its place and what would be right; warnings
    are looked for where there are no errors. Exits with 3 if a file has an error.
    """
    from engine.cli.journey_files import journey_files
    from engine.cli.outcome import INVALID_FILE
    from engine.cli.show.problems import as_github, as_json
    from engine.cli.surroundings import Finder

    finder = Finder(endpoints, database)
    found: list[Located] = []
    for file in journey_files(files):
        if fix:
            _fix(file)
        loaded, problems = _problems(file, finder, strict=strict)
        found += problems
        if form == "text":
            for line in _text(file, loaded, problems):
                click.echo(line)
    if form == "json":
        click.echo(as_json(found))
    elif form == "github":
        for line in as_github(found):
            click.echo(line)
    return INVALID_FILE if any(one.problem.severity == "error" for one in found) else 0


def _fix(file: Path) -> None:
    """Repair the file in place, and say on standard error what was changed."""
    from engine.cli.journey_file import LARGEST, read_bounded
    from engine.cli.output_file import replace
    from engine.core.dsl.fix import repaired

    source = read_bounded(file)
    if len(source) > LARGEST:
        return
    text, repairs = repaired(source, str(file))
    if not repairs:
        return
    replace(file, text)
    for repair in repairs:
        click.echo(f"{file}:{repair.line}: now {repair.now.strip()}", err=True)


def _problems(
    file: Path, finder: Finder, *, strict: bool
) -> tuple[LoadedAndChecked | None, list[Located]]:
    """The journey, None if it has errors; and its problems, with those of what is around it."""
    from dataclasses import replace

    from engine.cli.journey_file import load_journey, read_bounded
    from engine.cli.show.problems import Located
    from engine.core.dsl.problems import by_place
    from engine.errors import DefinitionError

    loaded = None
    try:
        loaded = load_journey(file, read_bounded(file))
        around = finder.of(file)
        problems = by_place((*loaded.warnings, *(around.problems(loaded) if around else ())))
    except DefinitionError as error:
        return loaded, [Located(error.file, problem) for problem in error.problems]
    if strict:
        problems = tuple(replace(problem, severity="error") for problem in problems)
    return loaded, [Located(str(file), problem) for problem in problems]


def _text(file: Path, loaded: LoadedAndChecked | None, problems: list[Located]) -> Iterator[str]:
    from engine.core.dsl.problems import render

    for one in problems:
        yield render(one.problem, one.file)
    if loaded is None or any(one.problem.severity == "error" for one in problems):
        return
    checked, name = loaded.checked, loaded.journey.journey
    steps = sum(1 for _ in loaded.journey.all_steps())
    calls = ", ".join(checked.endpoints) or "no endpoint"
    yield f"{file}: {name} is right: {steps} step{'' if steps == 1 else 's'}, calls {calls}"
