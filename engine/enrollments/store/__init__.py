"""The SQL of passages: what the three loops read and write, in sets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.core.guarded_json import text_of
from engine.core.interpreter.admit import Earlier
from engine.db.statements import statement, write_rows
from engine.enrollments.rows import Held, read_call, read_passage, read_user

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection

    from engine.core.interpreter.state import Passage, User
    from engine.enrollments.rows import Lane
    from engine.enrollments.users_held import UsersHeld
    from engine.versions.store import Versions

PASSAGE_COLUMNS = 16

ENTERED, SUCCEEDED, FAILED, SKIPPED, ARM, OUTCOME, REFUSED, ADMITTED = range(8)
"""Kinds of ``step_counts``."""


@dataclass(slots=True)
class Changes:
    """What one transaction writes: rows for the hot statements, in the order they are run.

    ``counts`` maps (run id, version id, step, kind, name) to [n, attempts]: a passage's own run,
    since an entry may end a passage of an earlier one.
    """

    run_id: int
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
    woken: list[tuple[object, ...]] = field(default_factory=list)
    counts: dict[tuple[int, int, int, int, str], list[int]] = field(default_factory=dict)
    position: int | None = None

    def count(
        self,
        passage: Passage,
        step: int,
        kind: int,
        name: str = "",
        attempts: int = 0,
        n: int = 1,
    ) -> None:
        """Add ``n`` to a count of the passage's run, and ``attempts`` to its attempts."""
        key = (passage.run_id, passage.version_id, step, kind, name)
        both = self.counts.get(key)
        if both is None:
            both = self.counts[key] = [0, 0]
        both[0] += n
        both[1] += attempts

    @property
    def empty(self) -> bool:
        """Nothing to write."""
        return not (
            self.new_enrollments
            or self.enrollments
            or self.retried_calls
            or self.started_calls
            or self.counts
            or self.position is not None
        )


def write(connection: Connection, changes: Changes) -> None:
    """Write a set of changes in the transaction of ``connection``."""
    for name, rows in (
        ("upsert_user", [_user_row(user) for user in changes.users.values()]),
        ("update_enrollment", changes.enrollments),
        ("insert_enrollment", changes.new_enrollments),
        ("wake_passage", changes.woken),
        ("insert_execution", changes.executions),
        ("delete_call", changes.answered_calls),
        ("keep_failed_call", changes.failed_calls),
        ("retry_call", changes.retried_calls),
        ("insert_call", changes.new_calls),
        ("start_call", changes.started_calls),
        ("insert_refusal", changes.refusals),
        ("add_count", _count_rows(changes)),
    ):
        write_rows(connection, name, rows)
    if changes.position is not None:
        place = (changes.position, changes.run_id)
        connection.exec_driver_sql(statement("move_run"), place)


def _user_row(user: User) -> tuple[object, ...]:
    return (user.bucket, user.id, user.timezone, text_of(user.attributes))


def _count_rows(changes: Changes) -> list[tuple[object, ...]]:
    return [
        (changes.bucket, *key, n, attempts) for key, (n, attempts) in sorted(changes.counts.items())
    ]


def load_users(
    connection: Connection, wanted: Iterable[tuple[int, str]], held: UsersHeld
) -> dict[str, User]:
    """Those of a set of (bucket, user id) that exist, by id."""
    rows = connection.exec_driver_sql(statement("load_users"), (json.dumps(list(wanted)),))
    return {row[1]: held.keep(row[1], partial(read_user, *row)) for row in rows}


def earlier_passages(
    connection: Connection, journey: str, wanted: Iterable[tuple[int, str]]
) -> dict[str, list[Earlier]]:
    """Passages that users of a set have or had through a journey, by user id, newest first."""
    found: dict[str, list[Earlier]] = {}
    rows = connection.exec_driver_sql(
        statement("earlier_passages"), (journey, json.dumps(list(wanted)))
    )
    for row in rows:
        found.setdefault(row[0], []).append(Earlier(*row[1:]))
    return found


@dataclass(slots=True, frozen=True)
class Waiting:
    """A passage that sleeps: its bucket, whose it is, and which version he is in."""

    bucket: int
    user: str
    version_id: int


def waiting_passages(
    connection: Connection, wanted: Iterable[tuple[int, str]], now: int
) -> dict[int, Waiting]:
    """Passages that sleep beyond ``now``, of users of a set of (bucket, user id), by id."""
    place = (json.dumps(list(wanted)), now)
    rows = connection.exec_driver_sql(statement("waiting_passages"), place)
    return {row[0]: Waiting(*row[1:]) for row in rows}


def entered_versions(connection: Connection) -> list[int]:
    """The versions that users may be in."""
    rows = connection.exec_driver_sql("SELECT DISTINCT version_id FROM runs ORDER BY 1")
    return [row[0] for row in rows]


def due_passages(
    connection: Connection,
    place: tuple[str, int, int, int],
    versions: Versions,
    held: UsersHeld,
) -> list[Passage]:
    """Passages whose time has come. ``place`` is (buckets as JSON, now, run id, limit)."""
    rows = connection.exec_driver_sql(statement("due_passages"), place).fetchall()
    return [_passage(connection, row, versions, held) for row in rows]


def due_calls(
    connection: Connection,
    place: tuple[str, str, str, int, int, int],
    in_memory: set[tuple[object, ...]],
    versions: Versions,
    held: UsersHeld,
) -> list[Held]:
    """Unfinished calls that may be tried, but those ``in_memory`` (places of rows).
    ``place`` is (buckets as JSON, endpoint, journey, now, run id, limit).
    """
    rows = connection.exec_driver_sql(statement("due_calls"), place).fetchall()
    return [
        Held(_passage(connection, row, versions, held), read_call(row[PASSAGE_COLUMNS:]))
        for row in rows
        if (row[0], row[1], row[16], row[17], row[-2]) not in in_memory
    ]


def one_passage(
    connection: Connection, bucket: int, enrollment: int, versions: Versions, held: UsersHeld
) -> tuple[Passage, Held | None]:
    """One passage, and the call it is in."""
    row = connection.exec_driver_sql(statement("passage"), (bucket, enrollment)).one()
    passage = _passage(connection, row, versions, held)
    if row[PASSAGE_COLUMNS] is None:
        return passage, None
    return passage, Held(passage, read_call(row[PASSAGE_COLUMNS:]))


def _passage(
    connection: Connection, row: Sequence[Any], versions: Versions, held: UsersHeld
) -> Passage:
    user = held.keep(row[2], lambda: read_user(row[0], row[2], row[14], row[15]))
    return read_passage(row, user, versions.get(connection, row[4]))


def waiting_calls(connection: Connection, run_id: int) -> dict[Lane, int]:
    """For each endpoint and journey of a run's unfinished calls, when the first may be tried."""
    rows = connection.exec_driver_sql(statement("waiting_calls"), (run_id,))
    return {(row[0], row[1]): row[2] for row in rows}


def next_wake(connection: Connection, buckets: str, now: int, run_id: int) -> int | None:
    """When, after ``now``, the next sleeper of a run wakes. ``buckets`` is a JSON array."""
    found: int | None = connection.exec_driver_sql(
        statement("next_wake"), (buckets, now, run_id)
    ).scalar()
    return found


def next_call(
    connection: Connection, buckets: str, lane: Lane, now: int, run_id: int
) -> int | None:
    """When, after ``now``, the next unfinished call of an endpoint and journey may be tried."""
    found: int | None = connection.exec_driver_sql(
        statement("next_call"), (buckets, *lane, now, run_id)
    ).scalar()
    return found
