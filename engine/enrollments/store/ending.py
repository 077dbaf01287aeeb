"""Passages that end where no turn moves them: merged into another one, or erased with their user.

They are counted as any other that ends, and the step they stood at as skipped: who is nowhere any
more must not be said to wait, and a run of his is over when everybody else is through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.db.statements import write_rows
from engine.enrollments import store
from engine.enrollments.rows import STATUS, parent_of, visit_of

if TYPE_CHECKING:
    from engine.db.connect import Connection

MERGED = "merged"
"""The outcome of a passage whose user turned out to be on one of the same journey and key."""
ERASED = "erased"
"""What a passage counts as whose user was erased while he was on it."""

Person = tuple[int, str]
"""Bucket and id of a user."""
Awaiting = list[tuple[int, int]]


def end_twins(connection: Connection, person: Person, known: Person, now: int) -> Awaiting:
    """End the live passages of a ``person`` that have a twin: the ``known`` user, whose bucket the
    caller owns, is on the same journey and key. Who waits for the end of one, each with the twin.
    """
    twins = connection.exec_driver_sql(
        f"SELECT {_STANDING}, e.data, k.id FROM enrollments AS e JOIN enrollments AS k"  # noqa: S608
        " ON k.bucket = ? AND k.user_id = ? AND k.journey = e.journey AND k.key = e.key"
        " AND k.slot = 0 WHERE e.bucket = ? AND e.user_id = ? AND e.slot = 0",
        (*known, *person),
    ).all()
    bucket, awaiting = person[0], []
    for *columns, data, twin in twins:
        one = _Standing(*columns)
        if one.started:
            place = (bucket, one.id, one.position, visit_of(data, one.position), 0)
            skipped = (STATUS["skipped"], None, MERGED, None, one.attempts, None, None)
            write_rows(connection, "insert_execution", [(*place, *skipped, one.started, now, None)])
        connection.exec_driver_sql(
            f"DELETE FROM calls WHERE bucket = ? AND enrollment = ? AND {_UNFINISHED}",  # noqa: S608
            (bucket, one.id),
        )
        connection.exec_driver_sql(
            "UPDATE enrollments SET state = 2, slot = id, outcome = ?, wake_at = NULL,"
            " ended_at = ?, goals_until = NULL WHERE bucket = ? AND id = ?",
            (MERGED, now, bucket, one.id),
        )
        one.over(connection, known[0], MERGED)
        parent = parent_of(data)
        if parent:
            awaiting.append((parent, twin))
    return awaiting


def count_erased(connection: Connection, person: Person, bucket: int) -> None:
    """Count the passages that a person is still on as ended, before his rows are deleted; in a
    ``bucket`` that the caller owns.
    """
    live = connection.exec_driver_sql(
        f"SELECT {_STANDING}, e.outcome FROM enrollments AS e"  # noqa: S608
        " WHERE e.bucket = ? AND e.user_id = ? AND e.state <> 2",
        person,
    ).all()
    for *columns, outcome in live:
        _Standing(*columns).over(connection, bucket, outcome or ERASED)


_UNFINISHED = "finished_at IS NULL AND redrive = 0"
_STANDING = f"""e.id, e.run_id, e.version_id, e.position, e.started,
  (SELECT coalesce(sum(attempts), 0) FROM calls
   WHERE bucket = e.bucket AND enrollment = e.id AND {_UNFINISHED})"""  # noqa: S608


class _Standing(NamedTuple):
    """A passage, the step that it is at, since when (0: it isn't yet), and how many requests the
    call that it makes there has put on the wire.
    """

    id: int
    run_id: int
    version_id: int
    position: int
    started: int
    attempts: int

    def over(self, connection: Connection, bucket: int, outcome: str) -> None:
        """Count it as ended, and the step as skipped."""
        place = (bucket, self.run_id, self.version_id)
        rows = [(*place, -1, store.OUTCOME, outcome, 1, 0)]
        if self.started:
            rows.append((*place, self.position, store.SKIPPED, "", 1, int(self.attempts)))
        write_rows(connection, "add_count", rows)
