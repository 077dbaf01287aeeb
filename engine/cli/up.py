"""``journey up``, ``worker`` and ``scheduler``: processes that run until they are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import database_option

if TYPE_CHECKING:
    from pathlib import Path

    from engine.processes.duties import Kind


@click.command()
@database_option
def up(database: str | None) -> int:
    """Run the engine: worker and scheduler in one process.

    It runs until SIGTERM or SIGINT; then calls on their way are waited for, and a second signal
    stops it at once. A database that is locked or gone is waited for.
    """
    return _run("up", database)


@click.command()
@database_option
def worker(database: str | None) -> int:
    """Run a worker only: it takes users through their journeys.

    One works on a SQLite database. Beside it a scheduler does the duties.
    """
    return _run("worker", database)


@click.command()
@database_option
def scheduler(database: str | None) -> int:
    """Run a scheduler only: it does the duties with a clock, as backup and retention.

    Several may run: each duty is done by one of them.
    """
    return _run("scheduler", database)


def _run(kind: Kind, database: str | None, journeys: Path | None = None) -> int:
    from engine.cli.context import Installation
    from engine.processes.daemon import Orders, run
    from engine.processes.everything import open_work

    settings = Installation(database).settings
    return run(Orders(kind, settings, open_work, _say, journeys))


def _say(line: str) -> None:
    """A line for people, on standard error; nobody need be there to read it."""
    from contextlib import suppress

    with suppress(OSError):
        click.echo(line, err=True)
