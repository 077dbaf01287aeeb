"""``journey archive NAME``: everybody leaves it, and nobody enters it any more."""

from __future__ import annotations

import click

from engine.cli.context import actor, database_option, opened
from engine.cli.journey_time import journey_time, now_option
from engine.clock import wall


@click.command()
@click.argument("journey", metavar="NAME")
@click.option("--yes", is_flag=True, help="Do it; without, it is only said whom it would be about.")
@now_option
@database_option
def archive(journey: str, yes: bool, now: str | None, database: str | None) -> int | None:
    """End the way of everybody in the journey NAME, with the outcome `archived`.

    Calls of on_exit are made. Nobody enters any more, by triggers or by command. Its versions, and
    what became of everybody, are kept; `journey publish` brings it back as a new version.
    """
    from engine.cli.outcome import USAGE
    from engine.cli.show.table import users_in_words
    from engine.enrollments.buckets import is_worked
    from engine.operations import archive as operation

    with opened(database) as installation:
        if not yes:
            with installation.database().read() as connection:
                users = users_in_words(operation.users_inside(connection, journey))
            text = f"{users} inside {journey} would leave it at once, and nobody could enter"
            click.echo(f"{text}; nothing was done: say --yes to do it", err=True)
            return USAGE
        with installation.database().write() as connection:
            at = journey_time(installation, connection, now)
            ended = operation.archive(connection, journey, at=at, now=wall(), actor=actor())
        when = "" if not ended or is_worked(installation.database()) else ", once a worker runs"
    click.echo(f"{journey} archived; {users_in_words(ended)} inside leave it{when}")
    return None
