"""``journey up``, ``worker``, ``scheduler``, ``api``: processes that run until they are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import database_option

if TYPE_CHECKING:
    from engine.processes.duties import Kind

journeys_option = click.option(
    "--journeys",
    metavar="FOLDER",
    default=None,
    type=click.Path(file_okay=False),
    help="Keep the journeys in FOLDER published (default: JOURNEY_JOURNEYS, or none).",
)


@click.command()
@journeys_option
@database_option
def up(database: str | None, journeys: str | None) -> int:
    """Run the engine: HTTP API, console, worker and scheduler in one process.

    It runs until SIGTERM or SIGINT; then calls on their way are waited for, and a second signal
    stops it at once. A database that is locked or gone is waited for.

    API and console are at JOURNEY_HOST and JOURNEY_PORT (127.0.0.1 and 8420).
    """
    return _run("up", database, journeys)


@click.command()
@database_option
def worker(database: str | None) -> int:
    """Run a worker only: it takes users through their journeys.

    One works on a SQLite database. Beside it a scheduler does the duties.
    """
    return _run("worker", database)


@click.command()
@journeys_option
@database_option
def scheduler(database: str | None, journeys: str | None) -> int:
    """Run a scheduler only: it does the duties with a clock, as backup and retention.

    Several may run: each duty is done by one of them.
    """
    return _run("scheduler", database, journeys)


@click.command()
@database_option
def api(database: str | None) -> int:
    """Run the HTTP API and the console only: events come in, and operators log in.

    They are at JOURNEY_HOST and JOURNEY_PORT (127.0.0.1 and 8420). Several may run on one database.
    """
    return _run("api", database)


def _run(kind: Kind, database: str | None, journeys: str | None = None) -> int:
    from pathlib import Path

    from engine.cli.context import Installation
    from engine.operations.watch import JourneysFolder
    from engine.processes.daemon import Orders, run
    from engine.processes.everything import open_work

    settings = Installation(database).settings
    folder = journeys or settings.journeys
    watched = JourneysFolder(Path(folder)) if folder else None
    doors = None
    if kind in ("up", "api"):
        from functools import partial

        from engine.api.server import open_doors
        from engine.console.app import open_console

        doors = partial(open_doors, pages=open_console)
    return run(Orders(kind, settings, open_work, _say, watched, doors))


def _say(line: str) -> None:
    """A line for people, on standard error; nobody need be there to read it."""
    from contextlib import suppress

    with suppress(OSError):
        click.echo(line, err=True)
