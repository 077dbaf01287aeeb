"""The SQL of retention: what is older than it is kept for, in pages of one bucket.

A page is found by a read and removed by its keys, so nobody's write waits for the search. Instants
are microseconds UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.connect import Connection

EMPTY = '{"s":{},"n":[0,0]}'
"""The ``data`` of a passage that took no step (``engine/enrollments/rows.py``)."""

_ENDED = (
    "SELECT e.id, e.journey, e.entered_at, e.data FROM enrollments AS e"
    " WHERE e.bucket = ? AND e.id > ? AND e.id < ? AND e.state = 2 AND e.ended_at < ?"
    " AND (e.goals_until IS NULL OR e.goals_until < ?)"
    " AND NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.bucket = e.bucket AND c.enrollment = e.id)"
    " ORDER BY e.id LIMIT ?"
)
_FAILED_CALLS = (
    "SELECT bucket, enrollment, step, visit, redrive FROM calls"
    " WHERE finished_at IS NOT NULL AND finished_at < ? ORDER BY finished_at LIMIT ?"
)
_FACTS = (
    "SELECT bucket, user_id, seq FROM facts WHERE bucket = ? AND (user_id, seq) > (?, ?)"
    " AND seq < ? ORDER BY user_id, seq LIMIT ?"
)
_REFUSALS = (
    "SELECT bucket, user_id, seq, run_id, version_id, trigger FROM refusals WHERE bucket = ?"
    " AND (user_id, seq, run_id, version_id, trigger) > (?, ?, ?, ?, ?) AND at < ?"
    " ORDER BY user_id, seq, run_id, version_id, trigger LIMIT ?"
)

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class EndedPassage:
    """A passage that is over. ``emptied`` says that only its row is left."""

    id: int
    journey: str
    entered_at: int
    emptied: bool


def ended_passages(
    connection: Connection, bucket: int, after: int, id_before: int, ended_before: int, most: int
) -> list[EndedPassage]:
    """Passages of a bucket that ended before an instant and have nothing open: no call that may be
    redriven, no goal that may still count. ``after`` and ``id_before`` bound their ids, the last of
    one page and the lowest that is too young.
    """
    place = (bucket, after, id_before, ended_before, ended_before, most)
    rows = connection.exec_driver_sql(_ENDED, place)
    return [EndedPassage(row[0], row[1], row[2], row[3] == EMPTY) for row in rows]


def empty_passages(connection: Connection, bucket: int, ids: Sequence[int]) -> None:
    """Forget what ended passages were like and which steps they took; their rows stay."""
    if ids:
        keys = [(bucket, each) for each in ids]
        _delete_steps(connection, keys)
        connection.exec_driver_sql(
            "UPDATE enrollments SET data = ? WHERE bucket = ? AND id = ? AND state = 2",
            [(EMPTY, *key) for key in keys],
        )


def delete_passages(connection: Connection, bucket: int, ids: Sequence[int]) -> None:
    """Forget ended passages wholly."""
    if ids:
        keys = [(bucket, each) for each in ids]
        _delete_steps(connection, keys)
        connection.exec_driver_sql(
            "DELETE FROM enrollments WHERE bucket = ? AND id = ? AND state = 2", keys
        )


def _delete_steps(connection: Connection, keys: list[tuple[int, int]]) -> None:
    connection.exec_driver_sql("DELETE FROM executions WHERE bucket = ? AND enrollment = ?", keys)


def old_failed_calls(connection: Connection, before: int, most: int) -> list[Key]:
    """The keys of calls that failed for good before an instant, the oldest first."""
    return _keys(connection, _FAILED_CALLS, (before, most))


def delete_failed_calls(connection: Connection, keys: Sequence[Key]) -> None:
    """Forget failed calls, unless they were redriven meanwhile."""
    connection.exec_driver_sql(
        "DELETE FROM calls WHERE bucket = ? AND enrollment = ? AND step = ? AND visit = ?"
        " AND redrive = ? AND finished_at IS NOT NULL",
        list(keys),
    )


def old_facts(
    connection: Connection, bucket: int, after: Key | None, before: int, most: int
) -> list[Key]:
    """The keys of facts of a bucket received before an instant, those behind the key ``after``."""
    return _keys(connection, _FACTS, (bucket, *(after or ("", "", -1))[1:], before, most))


def delete_facts(connection: Connection, keys: Sequence[Key]) -> None:
    """Forget facts."""
    connection.exec_driver_sql(
        "DELETE FROM facts WHERE bucket = ? AND user_id = ? AND seq = ?", list(keys)
    )


def old_refusals(
    connection: Connection, bucket: int, after: Key | None, before: int, most: int
) -> list[Key]:
    """The keys of refusals of a bucket before an instant, those behind the key ``after``."""
    start = after or ("", "", -1, -1, -1, -2)
    return _keys(connection, _REFUSALS, (bucket, *start[1:], before, most))


def delete_refusals(connection: Connection, keys: Sequence[Key]) -> None:
    """Forget refusals."""
    connection.exec_driver_sql(
        "DELETE FROM refusals WHERE bucket = ? AND user_id = ? AND seq = ? AND run_id = ?"
        " AND version_id = ? AND trigger = ?",
        list(keys),
    )


def _keys(connection: Connection, statement: str, place: tuple[object, ...]) -> list[Key]:
    return [tuple(row) for row in connection.exec_driver_sql(statement, place)]
