"""What became of everybody in a journey: all its runs, and who entered by himself.

Of all time it is read from what was counted with each step. From a moment on, the executions and
passages themselves are counted: exact, but it reads all of the journey's, which takes seconds for
millions of steps, and what retention took away is counted no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.core.interpreter.admit import HELD_OUT
from engine.enrollments import store
from engine.enrollments.arms import goals_in
from engine.enrollments.ledger import WHERE_FALSE
from engine.enrollments.reports import count_step, count_user, most_frequent
from engine.enrollments.summary import CallTally, Summary, by_frequency
from engine.errors import NotFound
from engine.versions import store as versions_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.connect import Connection
    from engine.versions.store import Published, Versions

_KINDS = {1: store.SUCCEEDED, 2: store.FAILED, 3: store.SKIPPED}


def lives(connection: Connection, journey: str) -> bool:
    """Whether users enter by themselves: a version's triggers are on, or somebody has entered."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM versions AS v WHERE v.journey = ? AND (v.triggers_on OR EXISTS ("
        "SELECT 1 FROM step_counts AS s WHERE s.version_id = v.id AND s.run_id = 0))",
        (journey,),
    ).first()
    return found is not None


def version_of(
    connection: Connection, journey: str, versions: Versions, number: int | None = None
) -> Published:
    """A version of ``journey``, the newest unless said. Raises NotFound."""
    newest = versions_store.newest(connection, journey)
    if newest is None:
        known = connection.exec_driver_sql("SELECT DISTINCT journey FROM versions ORDER BY 1")
        names = ", ".join(row[0] for row in known.fetchmany(10)) or "none yet"
        raise NotFound(f"there is no journey {journey!r}; published: {names}")
    found = newest.id if number is None else versions_store.find(connection, journey, number)
    if found is None:
        raise NotFound(f"{journey} has no version {number}; its newest is {newest.number}")
    return versions.get(connection, found)


def living(
    connection: Connection,
    published: Published,
    versions: Versions,
    *,
    only: bool = False,
    since: int | None = None,
) -> Summary:
    """What became of everybody in a journey, told by the steps of ``published``; with ``only`` of
    those in that version. ``since`` (microseconds UTC) leaves out what happened before; goals are
    then those of who entered since.
    """
    found = Summary.of(published.program, published.number if only else None)
    counted = _Counted(connection, published, versions, found, only=only)
    if since is None:
        counted.of_all_time()
    else:
        counted.since(since)
    found.outcomes = by_frequency(found.outcomes)
    found.failures = most_frequent(connection, None, versions, counted.failures)
    return found


class _Counted:
    """Counts into a summary. Rows begin with their version, and those of others are left out."""

    def __init__(
        self,
        connection: Connection,
        published: Published,
        versions: Versions,
        found: Summary,
        *,
        only: bool,
    ) -> None:
        self._connection = connection
        self._versions = versions
        self._found = found
        self._journey = published.journey
        self._only = published.id if only else None
        self.failures: list[tuple[int, int, int, str]] = []

    def of_all_time(self) -> None:
        for version_id, step, kind, name, n, attempts in self._rows(
            "SELECT s.version_id, s.step, s.kind, s.name, sum(s.n), sum(s.attempts)"
            " FROM step_counts AS s JOIN versions AS v ON v.id = s.version_id"
            " WHERE v.journey = ? GROUP BY s.version_id, s.step, s.kind, s.name"
        ):
            if step < 0:
                count_user(self._found, kind, name, int(n))
            else:
                self._step(version_id, step, kind, name, int(n), int(attempts))
        self._unfinished()
        self._found.waiting = self._found.entered - self._found.finished

    def since(self, start: int) -> None:
        found = self._found
        self._passages(start)
        self._executions(start)
        self._unfinished()
        for tally in found.steps.values():
            tally.standing = 0
        for version_id, step, started, n in self._rows(
            "SELECT e.version_id, e.position, e.started >= ?, count(*) FROM enrollments AS e"
            " WHERE e.journey = ? AND e.state <> 2 AND e.position >= 0 AND e.started > 0"
            " GROUP BY 1, 2, 3",
            start,
        ):
            program = self._versions.get(self._connection, version_id).program
            if started:
                found.enter(program, step, n)
            tally = found.steps[program.nodes[step].step.id]
            tally.standing = (tally.standing or 0) + n
        for _, n in self._rows(
            "SELECT e.version_id, count(*) FROM enrollments AS e"
            " WHERE e.journey = ? AND e.state <> 2 GROUP BY e.version_id"
        ):
            found.waiting += n

    def _passages(self, start: int) -> None:
        """Entries, outcomes and refusals since then, and the goals of who entered since."""
        found = self._found
        treated = held_out = 0
        for version_id, outcome, data in self._rows(
            "SELECT e.version_id, e.outcome, e.data FROM enrollments AS e"
            " WHERE e.entered_at >= ? AND e.journey = ?",
            start,
        ):
            found.entered += 1
            held_out += outcome == HELD_OUT
            treated += outcome != HELD_OUT
            kind = store.GOAL_HELD_OUT if outcome == HELD_OUT else store.GOAL
            for number in goals_in(data):
                count_user(found, kind, self._goal(version_id, number), 1)
        for tally in found.goals.values():
            tally.of = treated, held_out
        for _, outcome, n in self._rows(
            "SELECT e.version_id, e.outcome, count(*) FROM enrollments AS e"
            " WHERE e.ended_at >= ? AND e.journey = ? GROUP BY e.version_id, e.outcome",
            start,
        ):
            count_user(found, store.OUTCOME, outcome, n)
        for _, reason, n in self._rows(
            "SELECT r.version_id, r.reason, count(*) FROM refusals AS r"
            " JOIN versions AS v ON v.id = r.version_id"
            " WHERE r.at >= ? AND v.journey = ? GROUP BY r.version_id, r.reason",
            start,
        ):
            if reason != WHERE_FALSE:
                count_user(found, store.REFUSED, reason, n)

    def _executions(self, start: int) -> None:
        """Steps entered and ended since then; of a call that was sent again the last time."""
        for version_id, step, n in self._rows(
            "SELECT e.version_id, x.step, count(*) FROM executions AS x JOIN enrollments AS e"
            " ON e.bucket = x.bucket AND e.id = x.enrollment"
            " WHERE x.started_at >= ? AND e.journey = ? AND x.redrive = 0"
            " GROUP BY e.version_id, x.step",
            start,
        ):
            self._step(version_id, step, store.ENTERED, "", n, 0)
        for version_id, step, status, failure, arm, n, attempts in self._rows(
            "SELECT e.version_id, x.step, x.status, x.failure, x.arm, count(*), sum(x.attempts)"
            " FROM executions AS x JOIN enrollments AS e"
            " ON e.bucket = x.bucket AND e.id = x.enrollment"
            " WHERE x.ended_at >= ? AND e.journey = ? AND NOT EXISTS ("
            "SELECT 1 FROM executions AS y WHERE y.bucket = x.bucket"
            " AND y.enrollment = x.enrollment AND y.step = x.step AND y.visit = x.visit"
            " AND y.redrive > x.redrive)"
            " GROUP BY e.version_id, x.step, x.status, x.failure, x.arm",
            start,
        ):
            self._step(version_id, step, _KINDS[status], failure or "", n, int(attempts))
            if arm is not None:
                self._step(version_id, step, store.ARM, arm, n, 0)

    def _unfinished(self) -> None:
        """Requests of calls that are still tried, and whom nothing will move."""
        found = self._found
        for _, endpoint, attempts in self._rows(
            "SELECT e.version_id, c.endpoint, sum(c.attempts) FROM calls AS c"
            " JOIN enrollments AS e ON e.bucket = c.bucket AND e.id = c.enrollment"
            " WHERE e.journey = ? AND c.next_try_at IS NOT NULL GROUP BY e.version_id, c.endpoint"
        ):
            found.endpoints.setdefault(endpoint, CallTally()).attempts += int(attempts)
        for _, n in self._rows(
            "SELECT e.version_id, count(*) FROM enrollments AS e"
            " WHERE e.journey = ? AND e.state <> 2 AND e.wake_at IS NULL AND NOT EXISTS ("
            "SELECT 1 FROM calls AS c WHERE c.bucket = e.bucket AND c.enrollment = e.id"
            " AND c.next_try_at IS NOT NULL) GROUP BY e.version_id"
        ):
            found.stuck += n

    def _step(
        self, version_id: int, step: int, kind: int, name: str, n: int, attempts: int
    ) -> None:
        program = self._versions.get(self._connection, version_id).program
        count_step(self._found, program, step, kind, name, n, attempts)
        if kind == store.FAILED and n:
            self.failures.append((n, version_id, step, name))

    def _goal(self, version_id: int, number: int) -> str:
        goals = self._versions.get(self._connection, version_id).program.journey.goals
        return goals[number].name

    def _rows(self, sql: str, *before: object) -> Sequence[Sequence[Any]]:
        """Rows of the journey: its name stands behind the values ``before``."""
        rows = self._connection.exec_driver_sql(sql, (*before, self._journey)).fetchall()
        return [row for row in rows if self._only in (None, row[0])]
