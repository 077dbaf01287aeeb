"""What became of a journey as a whole: active, paused or archived; and the orders that tell the
owners of its users what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from engine.core.dsl.problems import did_you_mean
from engine.db.statements import ask
from engine.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.db.connect import Connection

State = Literal["active", "paused", "archived"]
Rule = Literal["run", "skip", "shift"]
"""What becomes of those whose time came during a pause."""

What = Literal["run", "skip", "shift", "archive"]
"""What an order is about: how to go on after a pause, or to let everybody leave."""


@dataclass(slots=True, frozen=True)
class JourneyState:
    """How a journey stands, and since when (microseconds UTC of journey time)."""

    journey: str
    state: State
    since: int


@dataclass(slots=True, frozen=True)
class Order:
    """What every bucket's owner does once, in order of ``number``, to who is in ``journey``, in
    versions up to ``version_id``. A pause lasted from ``paused_at`` to ``at`` (microseconds UTC of
    journey time); ``archive`` follows none.
    """

    journey: str
    number: int
    what: What
    paused_at: int | None
    at: int
    version_id: int


def find(connection: Connection, journey: str) -> JourneyState | None:
    """How a journey stands; None if it was never published."""
    row = connection.exec_driver_sql(
        "SELECT journey, state, since FROM journeys WHERE journey = ?", (journey,)
    ).one_or_none()
    return None if row is None else JourneyState(row[0], cast("State", row[1]), row[2])


def load(connection: Connection, journey: str) -> JourneyState:
    """How a journey stands. Raises NotFound with the nearest name that there is."""
    found = find(connection, journey)
    if found is None:
        raise unknown(journey, (one.journey for one in load_all(connection)))
    return found


def load_all(connection: Connection) -> list[JourneyState]:
    """How each journey stands, by name."""
    rows = connection.exec_driver_sql("SELECT journey, state, since FROM journeys ORDER BY journey")
    return [JourneyState(row[0], cast("State", row[1]), row[2]) for row in rows]


def mark(connection: Connection) -> tuple[int, int]:
    """What is another one as soon as anything of any journey has changed: one tiny statement."""
    text = "SELECT count(*), coalesce(sum(change), 0) FROM journeys"
    [(count, changes)] = ask(connection, text)
    return int(count), int(changes)


def unknown(journey: str, known: Iterable[str]) -> NotFound:
    """That a journey was never published here."""
    names = list(known)
    hint = did_you_mean(journey, names)
    remedy = hint or "`journey publish FILE` publishes one"
    return NotFound(f"there is no journey {journey!r} here; {remedy}")


def put(connection: Connection, journey: str, state: State, *, at: int) -> None:
    """Let a journey stand as ``state`` since ``at``; workers see that something has changed."""
    connection.exec_driver_sql(
        "UPDATE journeys SET state = ?, since = ?, change = change + 1 WHERE journey = ?",
        (state, at, journey),
    )


def mark_changed(connection: Connection, journey: str) -> None:
    """Let workers see that something of a journey has changed."""
    connection.exec_driver_sql(
        "UPDATE journeys SET change = change + 1 WHERE journey = ?", (journey,)
    )


def give_order(
    connection: Connection, journey: str, what: What, *, paused_at: int | None, at: int
) -> Order:
    """Tell the owners of all buckets what to do to who is in a journey now; each does it when it
    next looks.
    """
    number, version_id = connection.exec_driver_sql(
        "SELECT (SELECT coalesce(max(number), 0) + 1 FROM journey_orders WHERE journey = ?),"
        " (SELECT coalesce(max(id), 0) FROM versions WHERE journey = ?)",
        (journey, journey),
    ).one()
    connection.exec_driver_sql(
        "INSERT INTO journey_orders (journey, number, what, paused_at, at, version_id)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (journey, number, what, paused_at, at, version_id),
    )
    return Order(journey, number, what, paused_at, at, version_id)


def orders(connection: Connection) -> tuple[Order, ...]:
    """Every order there ever was, each journey's by number."""
    rows = connection.exec_driver_sql(
        "SELECT journey, number, what, paused_at, at, version_id FROM journey_orders"
        " ORDER BY journey, number"
    )
    return tuple(Order(*row) for row in rows)
