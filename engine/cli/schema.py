"""``journey schema``: the language as JSON Schema, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import database_option, opened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.json_schema import JsonSchemaValue

    from engine.endpoints.model import Endpoint

INSTALLED = "-"


@click.command()
@click.option("--scenarios", is_flag=True, help="The schema of files of scenarios.")
@click.option("--apply", "of_apply", is_flag=True, help="The schema of files for journey apply.")
@click.option(
    "--endpoints",
    metavar="[FILE]",
    is_flag=False,
    flag_value=INSTALLED,
    help="Complete the endpoints that exist: of the installation, or of FILE.",
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where to write it; standard output unless said.",
)
@database_option
def schema(
    scenarios: bool,
    of_apply: bool,
    endpoints: str | None,
    output: Path | None,
    database: str | None,
) -> None:
    """Print the JSON Schema of journey files: completion, hover text and checks for editors.

    Write it beside your journeys (`journey schema -o journeys/journey.schema.json`) and begin each
    with `# yaml-language-server: $schema=./journey.schema.json`.
    """
    from json import dumps

    from engine.cli.output_file import write

    if of_apply and (scenarios or endpoints is not None):
        raise click.UsageError("--apply goes with neither --scenarios nor --endpoints")
    named = None if endpoints is None else _endpoints(endpoints, database)
    made = _of_apply_files() if of_apply else _of_journeys(scenarios, named)
    write(output, dumps(made, indent=2, ensure_ascii=False) + "\n")


def _of_journeys(scenarios: bool, endpoints: dict[str, str] | None) -> JsonSchemaValue:
    from engine.core.dsl.schema import journey_schema, scenarios_schema

    return (scenarios_schema if scenarios else journey_schema)(endpoints, _zones())


def _of_apply_files() -> JsonSchemaValue:
    from engine.endpoints.schema import apply_schema

    return apply_schema(_zones())


def _zones() -> list[str]:
    from zoneinfo import available_timezones

    from engine.core.expressions.calendar import find_zone

    return [name for name in available_timezones() if find_zone(name) is not None]


def _endpoints(source: str, database: str | None) -> dict[str, str]:
    """Every endpoint of the installation, or of a file, and where it is."""
    if source != INSTALLED:
        from engine.cli.journey_file import read_bounded
        from engine.endpoints.file import read_file

        read = read_file(read_bounded(Path(source)), source)
        return _in_words(written.endpoint for written in read.endpoints)
    from engine.endpoints.store import load_all

    with opened(database) as installation, installation.database().read() as connection:
        return _in_words(stored.endpoint for stored in load_all(connection))


def _in_words(endpoints: Iterable[Endpoint]) -> dict[str, str]:
    return {
        each.name: f"{each.title}: {each.base_url}" if each.title else each.base_url
        for each in endpoints
    }
