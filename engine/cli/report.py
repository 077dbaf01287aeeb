"""``journey report JOURNEY``: what became of everybody in a journey, or of one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import csv_option, database_option, opened, whole_number
from engine.cli.since import instant_of, since_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.operations.report import Reported


@click.command()
@click.argument("journey")
@click.option("--run", metavar="ID", help="One run; `all` for everybody, however they entered.")
@click.option(
    "--version", metavar="N", type=whole_number, help="Only passages through this version."
)
@since_option
@click.option("--by", type=click.Choice(["arm"]), help="Outcomes and goals of each split's arms.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@csv_option
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a page with the graph and all tables to FILE.",
)
@database_option
def report(
    journey: str,
    run: str | None,
    version: int | None,
    since: str | None,
    by: str | None,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    database: str | None,
) -> None:
    """What became of everybody in JOURNEY.

    A journey that users enter by themselves is told as a whole, over all runs and versions; one
    that only runs have entered, by its newest run. Steps, endpoints, outcomes, goals with what was
    gained over those held out, and the most frequent failures; --csv has a line per step, --html
    writes one page that stands for itself. The numbers are exactly those of the steps taken so far.
    """
    from engine.operations import report as operation
    from engine.versions.store import Versions

    if sum((as_json, as_csv, html is not None)) > 1:
        raise click.UsageError("--json, --csv and --html exclude each other")
    if run not in (None, "all") and not (version is None and since is None and by is None):
        raise click.UsageError("--run ID is of one run; --version, --since and --by are of all")
    if run not in (None, "all") and not (run.isascii() and run.isdecimal()):
        raise click.BadParameter(f"{run[:60]!r} is no run's id and not 'all'", param_hint="--run")
    start = None if since is None else instant_of(since)
    which = whole_number(run) if run not in (None, "all") else run
    asked = operation.Asked(journey, which, version, start, by is not None)
    with opened(database) as installation:
        with installation.database().read() as connection:
            found = operation.report(connection, asked, Versions())
        if html is not None:
            _write_page(html, found)
        elif as_json:
            _print_json(found)
        elif as_csv:
            _print_csv(found)
        else:
            _print_table(found, installation.environment)


def _print_json(found: Reported) -> None:
    from json import dumps

    click.echo(dumps({"type": "summary", **found.data}, ensure_ascii=False))


def _print_csv(found: Reported) -> None:
    from engine.cli.show.arms import ARM_COLUMNS, arm_rows
    from engine.cli.tables import show
    from engine.enrollments.summary_data import STEP_COLUMNS, step_rows

    if found.arms:
        show(arm_rows(found.arms), ARM_COLUMNS, as_csv=True)
        return
    show(step_rows(found.summary), STEP_COLUMNS, as_csv=True)


def _write_page(file: Path, found: Reported) -> None:
    from engine.cli.output_file import write
    from engine.cli.show.page import page

    write(file, page(found.program, found.summary, found.about, found.arms))


def _print_table(found: Reported, environment: Mapping[str, str]) -> None:
    import sys

    from engine.cli.show.arms import arm_lines
    from engine.cli.show.table import failures_by_step, summary_lines, users_in_words
    from engine.cli.show.terminal import Paint

    paint = Paint.of(sys.stdout, environment)
    heading = found.about
    if found.users:  # by triggers nobody was named beforehand
        heading = f"{heading} · {users_in_words(found.users)}"
    lines = summary_lines(found.summary, heading, paint)
    # The balance stays the last line.
    more = [*failures_by_step(found.summary, paint), *arm_lines(found.arms, paint)]
    for line in [*lines[:-2], *more, *lines[-2:]]:
        click.echo(line)
