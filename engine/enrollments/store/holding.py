"""The SQL of what a pause holds, and of how it goes on: in sets, bucket by bucket.

What is held is moved beyond the end of time by :data:`HELD`, so it stands in no loop's way, costs
nothing while it is held, and keeps when it was due. All of it is portable SQL.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.steps.facts import Change, Event
from engine.enrollments.store.facts import EVENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.steps.facts import Fact
    from engine.db.connect import Connection

HELD = 1 << 62
"""Added to ``wake_at`` or ``next_try_at`` (microseconds UTC) of what a pause holds. Exactly this
one is due as soon as the pause is over, whenever its time is: a fact has come meanwhile."""


_CALLS = (
    " AND bucket = ? AND endpoint IN (SELECT u.endpoint FROM version_endpoints AS u"
    " JOIN versions AS v ON v.id = u.version_id WHERE v.journey = ? AND v.id <= ?)"
    " AND EXISTS (SELECT 1 FROM enrollments AS e JOIN versions AS v ON v.id = e.version_id"
    " WHERE e.bucket = calls.bucket AND e.id = calls.enrollment AND v.journey = ? AND v.id <= ?)"
)
_RELEASE_CALLS = "UPDATE calls SET next_try_at = next_try_at - ? WHERE next_try_at >= ?"
_ROUSE_CALLS = "UPDATE calls SET next_try_at = ? WHERE next_try_at > ?"


def due_at(instant: int | None) -> int | None:
    """When something is or was due, held or not; None for what is held for a fact, or has no
    time.
    """
    if instant is None or instant == HELD:
        return None
    return instant - HELD if instant > HELD else instant


def hold_passages(connection: Connection, places: Iterable[tuple[int, int]]) -> None:
    """Hold waiting passages, each (bucket, id)."""
    rows = [(HELD, *place, HELD) for place in places]
    if rows:
        connection.exec_driver_sql(
            "UPDATE enrollments SET wake_at = wake_at + ?"
            " WHERE bucket = ? AND id = ? AND state = 0 AND wake_at < ?",
            rows,
        )


def hold_touched(connection: Connection, places: Iterable[tuple[int, int]]) -> None:
    """Hold waiting passages, each (bucket, id), that a fact has come for: they are looked at as
    soon as the pause is over.
    """
    rows = [(HELD, *place) for place in places]
    if rows:
        connection.exec_driver_sql(
            "UPDATE enrollments SET wake_at = ? WHERE bucket = ? AND id = ? AND state = 0", rows
        )


def hold_calls(connection: Connection, places: Iterable[tuple[object, ...]]) -> None:
    """Hold unfinished calls, each (bucket, enrollment, step, visit, redrive)."""
    rows = [(HELD, *place, HELD) for place in places]
    if rows:
        connection.exec_driver_sql(
            "UPDATE calls SET next_try_at = next_try_at + ?"
            " WHERE bucket = ? AND enrollment = ? AND step = ? AND visit = ? AND redrive = ?"
            " AND next_try_at < ?",
            rows,
        )


@dataclass(slots=True, frozen=True)
class Where:
    """Passages of one bucket in versions of ``journey`` up to ``version_id``."""

    bucket: int
    journey: str
    version_id: int


def release(connection: Connection, where: Where, at: int) -> int:
    """Let everybody whom a pause held be due as he was, and every call; who was held for a fact is
    due ``at``. How many rows that were.
    """
    of = (where.journey, where.version_id)
    passages = connection.exec_driver_sql(
        "UPDATE enrollments SET wake_at = CASE WHEN wake_at = ? THEN ? ELSE wake_at - ? END"
        " WHERE bucket = ? AND wake_at >= ?"
        " AND version_id IN (SELECT id FROM versions WHERE journey = ? AND id <= ?)",
        (HELD, at, HELD, where.bucket, HELD, *of),
    )
    calls = connection.exec_driver_sql(
        _RELEASE_CALLS + _CALLS,
        (HELD, HELD, where.bucket, *of, *of),
    )
    return passages.rowcount + calls.rowcount


def rouse(connection: Connection, where: Where, at: int) -> int:
    """Make everybody who waits due ``at``, held or not, and every unfinished call. How many rows
    that were.
    """
    of = (where.journey, where.version_id)
    passages = connection.exec_driver_sql(
        "UPDATE enrollments SET wake_at = ? WHERE bucket = ? AND wake_at > ?"
        " AND version_id IN (SELECT id FROM versions WHERE journey = ? AND id <= ?)",
        (at, where.bucket, at, *of),
    )
    calls = connection.exec_driver_sql(
        _ROUSE_CALLS + _CALLS,
        (at, at, where.bucket, *of, *of),
    )
    return passages.rowcount + calls.rowcount


def waited_in(connection: Connection, where: Where) -> list[int]:
    """The versions in which anybody waits."""
    rows = connection.exec_driver_sql(
        "SELECT id FROM versions WHERE journey = ? AND id <= ? AND id IN"
        " (SELECT version_id FROM enrollments WHERE bucket = ? AND wake_at >= 0)",
        (where.journey, where.version_id, where.bucket),
    )
    return [row[0] for row in rows]


def facts_beyond(connection: Connection, bucket: int, user_id: str, seq: int) -> list[Fact]:
    """A user's facts after the one with this ``seq``, in order: those that came during a pause."""
    rows = connection.exec_driver_sql(
        "SELECT seq, kind, name, at, depth, message_id, data FROM facts"
        " WHERE bucket = ? AND user_id = ? AND seq > ? ORDER BY seq",
        (bucket, user_id, seq),
    )
    found: list[Fact] = []
    for place, kind, name, at, depth, message, data in rows:
        said = json.loads(data)
        if kind == EVENT:
            found.append(Event(place, at, name, said, message, depth))
        else:
            before = {key: pair[0] for key, pair in said.items()}
            values = {key: pair[1] for key, pair in said.items()}
            found.append(Change(place, at, values, before, depth))
    return found


@dataclass(slots=True, frozen=True)
class Waits:
    """How the steps of a version wait, by their numbers: for a time from the arrival (``elapsed``),
    or until a time of the clock after it (``by_clock``). ``max_age`` is in microseconds.
    """

    version_id: int
    elapsed: tuple[int, ...]
    by_clock: tuple[int, ...]
    max_age: int


def shift(connection: Connection, bucket: int, waits: Waits, paused_at: int, at: int) -> int:
    """Let everybody of a bucket who waits in a version stand as though he had come to his step
    later, by what he saw of the pause from ``paused_at`` to ``at``. How many that were.

    A time from the arrival ends later by that. For a time of the clock he is due ``at``, so that
    the step computes it anew; whatever else is waited for has its own time. Nobody stays longer
    than his version lets him.
    """
    seen = f"({at} - CASE WHEN started > {paused_at} THEN started ELSE {paused_at} END)"
    due = f"CASE WHEN wake_at >= {HELD} THEN wake_at - {HELD} ELSE wake_at END"
    latest = f"entered_at + {waits.max_age}"
    moved = connection.exec_driver_sql(
        f"UPDATE enrollments SET started = started + {seen}, wake_at = CASE"  # noqa: S608 (numbers)
        f" WHEN wake_at = {HELD} OR position IN {_list(waits.by_clock)} THEN {at}"
        f" WHEN position NOT IN {_list(waits.elapsed)} THEN {due}"
        f" WHEN {due} + {seen} > {latest} THEN {latest} ELSE {due} + {seen} END"
        " WHERE bucket = ? AND version_id = ? AND state = 0 AND outcome IS NULL"
        " AND wake_at >= 0 AND started > 0 AND started < ?",
        (bucket, waits.version_id, at),
    )
    return moved.rowcount


def carried_out(connection: Connection, journey: str) -> dict[int, int]:
    """The number of the last order of a journey that each bucket's owner has carried out; buckets
    that aren't there have carried out none.
    """
    rows = connection.exec_driver_sql(
        "SELECT bucket, number FROM bucket_orders WHERE journey = ?", (journey,)
    )
    return {row[0]: row[1] for row in rows}


def mark_carried_out(connection: Connection, bucket: int, journey: str, number: int) -> None:
    """Note that a bucket's owner has carried out a journey's order ``number``."""
    connection.exec_driver_sql(
        "INSERT INTO bucket_orders (bucket, journey, number) VALUES (?, ?, ?)"
        " ON CONFLICT (bucket, journey) DO UPDATE SET number = excluded.number",
        (bucket, journey, number),
    )


def _list(numbers: tuple[int, ...]) -> str:
    """Numbers as SQL's IN takes them; none is -1, which is the number of nothing."""
    return f"({', '.join(map(str, numbers)) or '-1'})"
