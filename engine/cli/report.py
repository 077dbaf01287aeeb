"""``journey report JOURNEY``: what became of a run, finished or under way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import csv_option, database_option, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.dsl.program import Program
    from engine.enrollments.reports import ReportedRun
    from engine.enrollments.summary import Summary

COLUMNS = ("step", "entered", "succeeded", "failed", "skipped", "waiting", "endpoint")


@click.command()
@click.argument("journey")
@click.option("--run", "run_id", metavar="ID", type=int, help="A run; the newest unless said.")
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
    run_id: int | None,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    database: str | None,
) -> None:
    """What became of everybody in a run of JOURNEY: its newest, or the one with the ID.

    Steps, endpoints, outcomes, token requests, and the most frequent failures; --csv has a line per
    step, --html writes one page that stands for itself. The numbers are exactly those of the steps
    taken so far.
    """
    from engine.enrollments import reports
    from engine.versions.store import Versions

    if sum((as_json, as_csv, html is not None)) > 1:
        raise click.UsageError("--json, --csv and --html exclude each other")
    with opened(database) as installation:
        versions = Versions()
        with installation.database().read() as connection:
            run = reports.find_run(connection, journey, run_id)
            summary = reports.summary(connection, run, versions)
            program = versions.get(connection, run.version_id).program
        if html is not None:
            _write_page(html, program, run, summary)
        elif as_json:
            _print_json(run, summary)
        elif as_csv:
            _print_csv(summary)
        else:
            _print_table(run, summary, installation.environment)


def _print_json(run: ReportedRun, summary: Summary) -> None:
    from json import dumps

    from engine.cli.show.moments import iso
    from engine.cli.show.ndjson import summary_data

    finished_at = None if run.finished_at is None else iso(run.finished_at)
    about = {"run": run.id, "state": run.state, "opened_at": iso(run.opened_at)}
    data = {**summary_data(summary), **about, "finished_at": finished_at}
    click.echo(dumps({"type": "summary", **data}, ensure_ascii=False))


def _print_csv(summary: Summary) -> None:
    from engine.cli.tables import show

    rows = [
        {
            "step": name,
            "entered": tally.entered,
            "succeeded": tally.succeeded,
            "failed": tally.failed,
            "skipped": tally.skipped,
            "waiting": tally.waiting,
            "endpoint": tally.endpoint,
        }
        for name, tally in summary.steps.items()
    ]
    show(rows, COLUMNS, as_csv=True)


def _write_page(file: Path, program: Program, run: ReportedRun, summary: Summary) -> None:
    from engine.cli.output_file import write
    from engine.cli.show.page import page

    write(file, page(program, summary, _about(run)))


def _print_table(run: ReportedRun, summary: Summary, environment: Mapping[str, str]) -> None:
    import sys

    from engine.cli.show.table import summary_lines, users_in_words
    from engine.cli.show.terminal import Paint

    heading = f"{_about(run)} · {users_in_words(run.total)}"
    for line in summary_lines(summary, heading, Paint.of(sys.stdout, environment)):
        click.echo(line)


def _about(run: ReportedRun) -> str:
    """Which run it is, in words."""
    from engine.cli.tables import instant

    state = f"finished {instant(run.finished_at)}" if run.finished else "not finished"
    return f"run {run.id}, opened {instant(run.opened_at)}, {state}"
