"""``journey pause NAME`` and ``journey resume NAME``: hold everybody, and let everybody go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, database_option, opened
from engine.cli.journey_time import journey_time, now_option
from engine.clock import wall

if TYPE_CHECKING:
    from engine.versions.states import Order, Rule


@click.command()
@click.argument("journey", metavar="NAME")
@now_option
@database_option
def pause(journey: str, now: str | None, database: str | None) -> None:
    """Hold everybody who is in the journey NAME, and whoever enters it.

    None of its calls begins any more; those on their way are answered. Nobody is lost: what happens
    meanwhile is kept, and `journey resume` goes on from there.
    """
    from engine.cli.show.table import users_in_words
    from engine.operations.pause import pause as operation

    with opened(database) as installation, installation.database().write() as connection:
        at = journey_time(installation, connection, now)
        inside = operation(connection, journey, at=at, now=wall(), actor=actor())
    held = f"{users_in_words(inside)} inside held"
    click.echo(f"{journey} paused, {held}; `journey resume {journey}` lets everybody go on")


@click.command()
@click.argument("journey", metavar="NAME")
@click.option(
    "--overdue",
    type=click.Choice(["run", "skip", "shift"]),
    default="run",
    show_default=True,
    help="Whose time came during the pause: he goes on now; or goes on now without the calls that"
    " were due; or everybody waits longer by the pause.",
)
@now_option
@database_option
def resume(journey: str, overdue: Rule, now: str | None, database: str | None) -> None:
    """Let everybody in the paused journey NAME go on."""
    from engine.operations.pause import resume as operation

    with opened(database) as installation, installation.database().write() as connection:
        at = journey_time(installation, connection, now)
        order = operation(connection, journey, overdue, at=at, now=wall(), actor=actor())
    click.echo(f"{journey} resumed after {_length(order)}; {_MEANS[overdue]}")


_MEANS = {
    "run": "whose time came meanwhile goes on now, calls included",
    "skip": "whose time came meanwhile goes on now, without the calls that were due",
    "shift": "everybody waits longer by that",
}


def _length(order: Order) -> str:
    from engine.cli.show.moments import since

    return since(order.at - (order.paused_at or order.at)).removeprefix("+")
