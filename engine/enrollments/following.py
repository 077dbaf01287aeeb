"""A run that another process works, seen from outside: how far it is, what was done and has ended.

Everything is read from what that process has committed: nobody has to tell, and whoever looks may
begin and stop at any time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import merge
from typing import TYPE_CHECKING, Any

from engine.core.interpreter.state import Execution, Passage, State, User
from engine.core.steps.call_api import CallApiStep
from engine.db.statements import execute
from engine.enrollments import store
from engine.enrollments.ledger import StepDone
from engine.enrollments.pending import PendingCall
from engine.enrollments.rows import STATUS_NAMES, read_passage, read_user
from engine.enrollments.standing import standing_of
from engine.enrollments.store import facts, runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.db.connect import Connection
    from engine.enrollments.store.runs import Run
    from engine.versions.store import Versions

Counts = dict[tuple[int, int, int, int, str], tuple[int, int]]
"""What ``step_counts`` say of a run: its key without the bucket, to (n, attempts)."""

_DONE = (store.SUCCEEDED, store.FAILED, store.SKIPPED)


@dataclass(slots=True, frozen=True)
class Standings:
    """A run at one moment. ``waiting`` of its users are in the inbox, ``settled`` have nothing to
    do: refused, asleep or ended. ``calling``: some call is to be made, or on its way; ``wake_at``
    is when the first sleeper wakes (None: nobody sleeps), unless somebody waits or calls.
    """

    run: Run
    waiting: int
    counts: Counts
    settled: int
    over: bool
    calling: bool = False
    wake_at: int | None = None


def look(connection: Connection, run: Run, versions: Versions) -> Standings:
    """How ``run`` stands in the transaction of ``connection``."""
    run = runs.stands(connection, run)
    waiting = facts.entries_waiting(connection, run.id)
    counts: Counts = {
        (run.id, version, step, kind, name): (int(n), int(attempts))
        for version, step, kind, name, n, attempts in execute(connection, "run_counts", (run.id,))
    }
    settled = _settled(connection, counts, versions)
    taken_in = run.position >= run.total and not waiting
    if not taken_in or runs.everybody_ended(connection, run.id):
        return Standings(run, waiting, counts, settled, over=taken_in)
    calls = store.waiting_calls(connection, run.id)
    wake_at = None
    if not calls:
        wake_at = execute(connection, "next_wake_of_run", (run.id,)).scalar()
    return Standings(
        run, waiting, counts, settled, over=False, calling=bool(calls), wake_at=wake_at
    )


def _settled(connection: Connection, counts: Counts, versions: Versions) -> int:
    """Refused and ended users, and those who stand at a step that is no call."""
    settled = 0
    standing: Counter[tuple[int, int]] = Counter()
    for (_, version, step, kind, _), (n, _) in counts.items():
        if step < 0:
            settled += n if kind in (store.REFUSED, store.OUTCOME) else 0
        elif kind == store.ENTERED:
            standing[version, step] += n
        elif kind in _DONE:
            standing[version, step] -= n
    for (version, step), n in standing.items():
        nodes = versions.get(connection, version).program.nodes
        if not isinstance(nodes[step].step, CallApiStep):
            settled += n
    return settled


@dataclass(slots=True)
class StepsTaken:
    """The steps and passages of a run that were over from the instant ``since`` of journey time on,
    as whoever worked it would have told of them: in the order of their ends. Of a run of one user
    it is the whole story, with what was waited for and how it ended.
    """

    connection: Connection
    run: Run
    since: int
    versions: Versions
    _passages: dict[int, Passage] = field(default_factory=dict)

    def told(self) -> Iterator[StepDone]:
        """All of them, as they are read."""
        if self.run.total != 1:
            yield from merge(self._steps(), self._ended(), key=lambda done: done.at)
            return
        self._passages = self._read_passages()
        yield from self._refused()
        for passage in self._passages.values():
            if passage.entered_at >= self.since:
                yield StepDone(passage, passage.entered_at, what="entered")
        yield from self._steps()
        for passage in self._passages.values():
            yield from self._end(passage)

    def _steps(self) -> Iterator[StepDone]:
        for row in self.connection.exec_driver_sql(_STEPS, (self.run.id, self.since)):
            place, taken = row[:6], row[6:]
            passage = self._passages.get(place[1]) or self._outline(*place)
            execution = _execution(taken)
            yield StepDone(passage, execution.ended_at, execution, _call(passage, execution))

    def _ended(self) -> Iterator[StepDone]:
        ended = (self.run.id, int(State.ENDED), self.since)
        for row in self.connection.exec_driver_sql(_ENDED, ended):
            *place, ended_at, outcome = row
            yield StepDone(self._outline(*place), ended_at, what="ended", text=outcome)

    def _outline(
        self, bucket: int, passage_id: int, user_id: str, key: str, version: int, entered_at: int
    ) -> Passage:
        """A passage as far as a line about it needs one."""
        program = self.versions.get(self.connection, version).program
        user = User(user_id, bucket, None, {})
        return Passage(passage_id, user, program, key, entered_at, {})

    def _read_passages(self) -> dict[int, Passage]:
        rows = self.connection.exec_driver_sql(_PASSAGES, (self.run.id,)).fetchall()
        found: dict[int, Passage] = {}
        for row in rows:
            user = read_user(row[0], row[2], row[14], row[15], row[17])
            published = self.versions.get(self.connection, row[4])
            found[row[1]] = read_passage(row, user, published)
        return found

    def _refused(self) -> Iterator[StepDone]:
        rows = self.connection.exec_driver_sql(
            "SELECT bucket, user_id, version_id, reason, at FROM refusals"
            " WHERE run_id = ? AND at >= ? ORDER BY at",
            (self.run.id, self.since),
        )
        for bucket, user_id, version_id, reason, at in rows.fetchall():
            program = self.versions.get(self.connection, version_id).program
            passage = Passage(0, User(user_id, bucket, None, {}), program, "", at, {})
            yield StepDone(passage, at, what="refused", text=reason)

    def _end(self, passage: Passage) -> Iterator[StepDone]:
        ended_at = passage.ended_at
        if passage.state is State.ENDED and ended_at is not None:
            if ended_at >= self.since:
                yield StepDone(passage, ended_at, what="ended", text=passage.outcome or "")
            return
        standing = standing_of(self.connection, passage)
        if standing is not None and passage.position in passage.steps:
            yield StepDone(passage, standing.since, what="waits", text=standing.what)


def _execution(row: Sequence[Any]) -> Execution:
    step, visit, status, failure, text, *more, started_at, ended_at, version = row
    http_status, attempts, arm = more
    return Execution(
        step=step,
        visit=visit,
        status=STATUS_NAMES[status],
        failure=failure,
        text=text or "",
        http_status=http_status,
        attempts=attempts,
        arm=arm,
        started_at=started_at,
        ended_at=ended_at,
        credential_version=version,
    )


def _call(passage: Passage, execution: Execution) -> PendingCall | None:
    """The request as the version writes it: what was sent is gone once it was answered."""
    step = passage.program.nodes[execution.step].step
    if not isinstance(step, CallApiStep):
        return None
    place = (execution.step, execution.visit, step.endpoint, step.method, step.path.source)
    return PendingCall(*place, headers=(), content_type=None, body=b"", key="")


_STEPS = """
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.entered_at, x.step, x.visit, x.status,
    x.failure, x.text, x.http_status, x.attempts, x.arm, x.started_at, x.ended_at,
    x.credential_version
FROM executions AS x
JOIN enrollments AS e ON e.bucket = x.bucket AND e.id = x.enrollment
WHERE e.run_id = ? AND x.ended_at >= ?
ORDER BY x.ended_at, x.started_at, e.bucket, e.id, x.visit, x.step
"""
_ENDED = """
SELECT bucket, id, user_id, key, version_id, entered_at, ended_at, outcome
FROM enrollments
WHERE run_id = ? AND state = ? AND ended_at >= ?
ORDER BY ended_at, bucket, id
"""
_PASSAGES = """
SELECT
    e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason, e.position,
    e.started, e.wake_at, e.entered_at, e.outcome, e.data, u.timezone, u.attributes,
    e.ended_at, u.contacts
FROM enrollments AS e
JOIN users AS u ON u.bucket = e.bucket AND u.id = e.user_id
WHERE e.run_id = ?
ORDER BY e.entered_at, e.id
"""
