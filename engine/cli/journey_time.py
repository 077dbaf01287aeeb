"""The present instant of journey time for a command that changes what happens to users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.cli.context import Installation
    from engine.db.connect import Connection

now_option = click.option(
    "--now", metavar="ISO", help="The moment it is, where the database's clock is virtual."
)


def journey_time(installation: Installation, connection: Connection, given: str | None) -> int:
    """``--now`` on a database with a virtual clock, else what time it is; microseconds UTC.

    Raises OperatorError where the one is given and the other is wanted.
    """
    from engine.clock import wall
    from engine.core.expressions.calendar import parse_iso
    from engine.enrollments.store.runs import installation as stored
    from engine.errors import OperatorError

    clock = stored(connection).clock or "real"
    if (clock == "virtual") != (given is not None):
        remedy = "leave --now out" if given is not None else "give --now"
        raise OperatorError(
            f"this database runs on the {clock} clock since its first run; {remedy}",
            code="operator.clock",
        )
    if given is None:
        return wall()
    instant = parse_iso(given, installation.zone())
    if instant is None:
        raise click.BadParameter(
            f"{given[:60]!r} is no ISO 8601 time, as in 2026-11-22T09:00+03:00",
            param_hint="--now",
        )
    return instant
