"""The SQL of passages: what the three loops read and write, in sets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from engine.core.guarded_json import text_of
from engine.core.interpreter.admit import Earlier
from engine.db.statements import execute, fetch, write_rows
from engine.enrollments.pending import Held, PendingCall
from engine.enrollments.rows import read_call, read_passage, read_user
from engine.enrollments.store.clocks import ClockRows
from engine.enrollments.store.holding import HELD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Connection

    from engine.core.interpreter.state import Passage, User
    from engine.enrollments.pending import Lane
    from engine.enrollments.users_held import UsersHeld
    from engine.versions.store import Versions

PASSAGE_COLUMNS = 18

ENTERED, SUCCEEDED, FAILED, SKIPPED, ARM = range(5)
OUTCOME, REFUSED, ADMITTED, GOAL, GOAL_HELD_OUT = range(5, 10)
"""Kinds of ``step_counts``."""

Count = tuple[int, int, int, int, str]
"""What is counted: run id, version id, step (-1: the journey), kind, name."""


_STEP = itemgetter(2)
"""Of a row of executions. Those of one step are alike, and cost less to write together."""


@dataclass(slots=True)
class Changes:
    """What one transaction writes: rows for the hot statements, in the order they are run.

    ``run_id`` is that of the run that is worked, None where everything is. ``counts`` are [n,
    attempts], of a passage's own run, since an entry may end a passage of an earlier one. ``last``
    is done when all else is written.
    """

    run_id: int | None
    bucket: int = 255
    users: dict[str, User] = field(default_factory=dict)
    new_enrollments: list[tuple[object, ...]] = field(default_factory=list)
    enrollments: list[tuple[object, ...]] = field(default_factory=list)
    executions: list[tuple[object, ...]] = field(default_factory=list)
    new_calls: list[tuple[object, ...]] = field(default_factory=list)
    retried_calls: list[tuple[object, ...]] = field(default_factory=list)
    answered_calls: list[tuple[object, ...]] = field(default_factory=list)
    failed_calls: list[tuple[object, ...]] = field(default_factory=list)
    started_calls: list[tuple[object, ...]] = field(default_factory=list)
    refusals: list[tuple[object, ...]] = field(default_factory=list)
    facts: list[tuple[object, ...]] = field(default_factory=list)
    received: list[tuple[object, ...]] = field(default_factory=list)
    counts: dict[Count, list[int]] = field(default_factory=dict)
    clocks: ClockRows = field(default_factory=ClockRows)
    position: int | None = None
    last: list[Callable[[Connection], object]] = field(default_factory=list)

    def count(self, key: Count, n: int, attempts: int = 0) -> None:
        """Add ``n`` to a count, and ``attempts`` to its attempts."""
        both = self.counts.get(key)
        if both is None:
            both = self.counts[key] = [0, 0]
        both[0] += n
        both[1] += attempts


def write(connection: Connection, changes: Changes) -> None:
    """Write a set of changes in the transaction of ``connection``."""
    for name, rows in (
        ("delete_inbox", changes.received),
        ("insert_fact", changes.facts),
        ("upsert_user", [_user_row(user) for user in changes.users.values()]),
        ("update_enrollment", changes.enrollments),
        ("insert_enrollment", changes.new_enrollments),
        ("insert_execution", sorted(changes.executions, key=_STEP)),
        ("delete_call", changes.answered_calls),
        ("keep_failed_call", changes.failed_calls),
        ("retry_call", changes.retried_calls),
        ("insert_call", changes.new_calls),
        ("start_call", changes.started_calls),
        ("insert_refusal", changes.refusals),
        ("add_count", _count_rows(changes)),
    ):
        write_rows(connection, name, rows)
    changes.clocks.write(connection)
    if changes.position is not None:
        place = (changes.position, changes.run_id)
        execute(connection, "move_run", place)
    for last in changes.last:
        last(connection)


def _user_row(user: User) -> tuple[object, ...]:
    contacts = text_of(user.contacts) if user.contacts else None
    return (user.bucket, user.id, user.timezone, text_of(user.attributes), contacts)


def _count_rows(changes: Changes) -> list[tuple[object, ...]]:
    return [
        (changes.bucket, *key, n, attempts) for key, (n, attempts) in sorted(changes.counts.items())
    ]


def load_users(
    connection: Connection, wanted: Iterable[tuple[int, str]], held: UsersHeld
) -> dict[str, User]:
    """Those of a set of (bucket, user id) that exist, by id."""
    rows = fetch(connection, "load_users", (json.dumps(list(wanted)),))
    return {row[1]: held.keep(row[1], partial(read_user, *row)) for row in rows}


def earlier_passages(
    connection: Connection, journey: str, wanted: Iterable[tuple[int, str]]
) -> dict[str, list[Earlier]]:
    """Passages that users of a set have or had through a journey, by user id, newest first."""
    found: dict[str, list[Earlier]] = {}
    rows = fetch(connection, "earlier_passages", (journey, json.dumps(list(wanted))))
    for row in rows:
        found.setdefault(row[0], []).append(Earlier(*row[1:]))
    return found


def entered_versions(connection: Connection) -> list[int]:
    """The versions that users are in, or have been."""
    rows = connection.exec_driver_sql("SELECT DISTINCT version_id FROM step_counts ORDER BY 1")
    return [row[0] for row in rows]


def due_passages(
    connection: Connection,
    place: tuple[str, int, int, int | None, int],
    versions: Versions,
    held: UsersHeld,
) -> list[Passage]:
    """Passages whose time comes in a span. ``place`` is (buckets as JSON, the last instant before
    it, its last, run id or None, limit).
    """
    rows = fetch(connection, "due_passages", place)
    return [_passage(connection, row, versions, held) for row in rows]


def due_calls(
    connection: Connection,
    place: tuple[str, str, str, int, int | None, int],
    in_memory: set[tuple[object, ...]],
    versions: Versions,
    held: UsersHeld,
) -> list[Held]:
    """Unfinished calls that may be tried, but those ``in_memory`` (keys of their rows).
    ``place`` is (buckets as JSON, endpoint, journey, now, run id or None, limit).
    """
    rows = fetch(connection, "due_calls", place)
    return [
        Held(_passage(connection, row, versions, held), read_call(row[PASSAGE_COLUMNS:]))
        for row in rows
        if (row[0], row[1], *row[PASSAGE_COLUMNS : PASSAGE_COLUMNS + 2], row[-2]) not in in_memory
    ]


def due_redriven(
    connection: Connection,
    place: tuple[str, str, int, int],
    versions: Versions,
    held: UsersHeld,
) -> list[Held]:
    """Calls that are sent again and may be tried. ``place`` is (endpoint, journey, now, limit)."""
    rows = fetch(connection, "due_redriven", place)
    return [
        Held(_passage(connection, row, versions, held), read_call(row[PASSAGE_COLUMNS:]))
        for row in rows
    ]


def passages_of_users(
    connection: Connection,
    wanted: Iterable[tuple[int, str]],
    at: int,
    versions: Versions,
    held: UsersHeld,
) -> list[tuple[Passage, PendingCall | None]]:
    """The passages of a set of users (bucket, id) that something may still move, or whose goals may
    count ``at`` an instant, each with the call it is in; in the order of entry.
    """
    place = (json.dumps(list(wanted)), at)
    rows = fetch(connection, "passages_of_users", place)
    return [
        (
            _passage(connection, row, versions, held),
            None if row[PASSAGE_COLUMNS] is None else read_call(row[PASSAGE_COLUMNS:]),
        )
        for row in rows
    ]


def _passage(
    connection: Connection, row: Sequence[Any], versions: Versions, held: UsersHeld
) -> Passage:
    user = held.keep(row[2], lambda: read_user(row[0], row[2], row[14], row[15], row[17]))
    return read_passage(row, user, versions.get(connection, row[4]))


def waiting_calls(connection: Connection, run_id: int | None) -> dict[Lane, int]:
    """For each endpoint and journey with unfinished calls (of a run), when the first may be
    tried.
    """
    rows = fetch(connection, "waiting_calls", (run_id,))
    return {(row[0], row[1]): row[2] for row in rows if row[2] < HELD}


def next_wake(connection: Connection, buckets: str, now: int, run_id: int | None) -> int | None:
    """When, after ``now``, the next sleeper (of a run) wakes. ``buckets`` is a JSON array."""
    return _before_held(fetch(connection, "next_wake", (buckets, now, run_id)))


def next_call(
    connection: Connection, buckets: str, lane: Lane, now: int, run_id: int | None
) -> int | None:
    """When, after ``now``, the next unfinished call of an endpoint and journey may be tried."""
    return _before_held(fetch(connection, "next_call", (buckets, *lane, now, run_id)))


def _before_held(rows: Sequence[Sequence[Any]]) -> int | None:
    """The one value of these rows, if it is an instant and doesn't say that a pause holds."""
    found: int | None = rows[0][0] if rows else None
    return None if found is None or found >= HELD else found
