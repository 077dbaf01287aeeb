"""``journey list``, ``journey show NAME``, ``journey export NAME``: what is published here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import csv_option, database_option, json_option, opened, whole_number

if TYPE_CHECKING:
    from engine.versions.listing import JourneyLine, JourneyPage, VersionLine

COLUMNS = ("journey", "state", "version", "inside", "entered", "triggers", "published_at")


@click.command("list")
@click.argument("text", default="")
@click.option(
    "--state",
    type=click.Choice(["active", "paused", "archived"]),
    help="Only journeys that stand so.",
)
@json_option
@csv_option
@database_option
def list_(text: str, state: str | None, as_json: bool, as_csv: bool, database: str | None) -> None:
    """The journeys that are published; with TEXT those whose name or a trigger holds it."""
    from engine.cli.tables import show as print_table
    from engine.versions.listing import every_journey
    from engine.versions.store import Versions

    with opened(database) as installation, installation.database().read() as connection:
        lines = every_journey(connection, Versions())
    wanted = text.lower()
    rows = [
        _row(line)
        for line in lines
        if state in (None, line.state)
        and any(wanted in part.lower() for part in (line.journey, *line.triggers))
    ]
    empty = "no journey fits" if text or state else "no journey is published yet"
    print_table(rows, COLUMNS, as_json=as_json, as_csv=as_csv, empty=empty)


@click.command("show")
@click.argument("journey", metavar="NAME")
@json_option
@database_option
def show(journey: str, as_json: bool, database: str | None) -> None:
    """One journey: its state, versions and triggers, and where its users stand."""
    from engine.cli.tables import show_one
    from engine.versions.listing import one_journey
    from engine.versions.store import Versions

    with opened(database) as installation, installation.database().read() as connection:
        page = one_journey(connection, journey, Versions())
    show_one(_page(page, as_json=as_json), as_json=as_json)


@click.command("export")
@click.argument("journey", metavar="NAME")
@click.option(
    "--version", "number", metavar="N", type=whole_number, help="A version; the newest unless so."
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where to write it; standard output unless said.",
)
@database_option
def export(journey: str, number: int | None, output: Path | None, database: str | None) -> None:
    """The text of a journey, as it was published."""
    from engine.cli.output_file import write
    from engine.operations.export import export as operation

    with opened(database) as installation, installation.database().read() as connection:
        text = operation(connection, journey, number)
    write(output, text)


def _row(line: JourneyLine) -> dict[str, object]:
    from engine.cli.tables import instant

    return {
        "journey": line.journey,
        "state": line.state,
        "since": instant(line.since),
        "version": line.version,
        "versions": line.versions,
        "inside": line.inside,
        "entered": line.entered,
        "triggers": list(line.triggers),
        "triggering": line.triggering,
        "published_at": instant(line.published_at),
    }


def _page(page: JourneyPage, *, as_json: bool) -> dict[str, object]:
    row = _row(page.line)
    row["versions"] = [_version(one) for one in page.versions]
    uses = [{"endpoint": name, "steps": list(steps)} for name, steps in page.endpoints.items()]
    standing: list[object] = [
        {
            "version": one.version.number,
            "step": step.step,
            "waiting": step.waiting,
            "calling": step.calling,
        }
        for one in page.versions
        for step in one.steps
    ]
    if as_json:
        return row | {"endpoints": uses, "steps": standing}
    calls = [f"{name} ({', '.join(steps)})" for name, steps in page.endpoints.items()]
    return row | {"calls": calls, "standing": standing}


def _version(one: VersionLine) -> dict[str, object]:
    from engine.cli.tables import instant

    return {
        "number": one.version.number,
        "triggers_on": one.version.triggers_on,
        "published_at": instant(one.version.published_at),
        "published_by": one.version.published_by,
        "entered": one.numbers.entered,
        "inside": one.numbers.inside,
    }
