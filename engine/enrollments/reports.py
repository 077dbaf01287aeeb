"""What became of a run, read from the database: of finished runs and of those under way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.interpreter.state import Reason
from engine.db.statements import execute
from engine.enrollments import store
from engine.enrollments.store.runs import FINISHED, token_requests
from engine.enrollments.summary import (
    MOST_FAILURES,
    FailureSeen,
    GoalTally,
    Summary,
    by_frequency,
)
from engine.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from engine.core.dsl.program import Program
    from engine.db.connect import Connection
    from engine.versions.store import Versions

_STATUS = {store.SUCCEEDED: "succeeded", store.FAILED: "failed", store.SKIPPED: "skipped"}


@dataclass(slots=True, frozen=True)
class ReportedRun:
    """A run as reports name it. Instants are microseconds UTC of wall time; ``tokens`` are the
    requests to token servers by auth profile: so far, or until it was finished.
    """

    id: int
    version_id: int
    state: str
    position: int
    total: int
    skipped: int
    tokens: Mapping[str, int]
    opened_at: int
    finished_at: int | None

    @property
    def finished(self) -> bool:
        """Whether everybody of it has ended."""
        return self.state == FINISHED


def find_run(connection: Connection, journey: str, run_id: int | None = None) -> ReportedRun:
    """A run of ``journey``, the newest unless said. Raises NotFound."""
    row = execute(connection, "runs_of_journey", (journey, run_id)).first()
    if row is not None:
        return _read(row, token_requests(connection))
    if run_id is not None:
        newest = find_run(connection, journey)
        raise NotFound(f"{journey} has no run {run_id}; its newest is {newest.id}")
    known = connection.exec_driver_sql("SELECT DISTINCT journey FROM runs ORDER BY 1")
    names = ", ".join(row[0] for row in known.fetchmany(10)) or "none yet"
    raise NotFound(f"there is no run of a journey {journey!r}; journeys with runs: {names}")


def summary(connection: Connection, run: ReportedRun, versions: Versions) -> Summary:
    """What became of everybody in ``run``, from what was counted with each step it took."""
    published = versions.get(connection, run.version_id)
    found = Summary.of(published.program, published.number)
    failures: list[tuple[int, int, int, str]] = []
    for version_id, step, kind, name, n, attempts in execute(
        connection, "run_counts", (run.id,)
    ).fetchall():
        if step < 0:
            count_user(found, kind, name, n)
            continue
        count_step(
            found, versions.get(connection, version_id).program, step, kind, name, n, attempts
        )
        if kind == store.FAILED and n:
            failures.append((n, version_id, step, name))
    for endpoint, attempts in execute(connection, "unfinished_attempts", (run.id,)):
        found.endpoints[endpoint].attempts += attempts
    found.waiting = found.entered - found.finished
    if found.waiting:
        found.stuck = execute(connection, "stuck_passages", (run.id,)).scalar_one()
    found.outcomes = by_frequency(found.outcomes)
    found.tokens = dict(sorted(run.tokens.items()))
    found.failures = most_frequent(connection, run.id, versions, failures)
    return found


def next_wake(connection: Connection, run: ReportedRun) -> int | None:
    """When (microseconds UTC of journey time) the first sleeper of a run wakes; None: nobody
    sleeps."""
    at: int | None = execute(connection, "next_wake_of_run", (run.id,)).scalar()
    return at


def awaiting_others(connection: Connection, run: ReportedRun) -> int:
    """How many of a run wait for the end of another journey."""
    found: int = connection.exec_driver_sql(
        "SELECT count(*) FROM enrollments WHERE run_id = ? AND state = 0 AND reason = ?",
        (run.id, int(Reason.CHILD)),
    ).scalar_one()
    return found


def count_user(found: Summary, kind: int, name: str, n: int) -> None:
    """Count what ``step_counts`` says of passages: entries, refusals, outcomes, goals."""
    if kind == store.ADMITTED:
        found.entered += n
    elif kind == store.OUTCOME:
        found.finished += n
        found.outcomes[name] = found.outcomes.get(name, 0) + n
    elif kind == store.REFUSED:
        found.refusals[name] = found.refusals.get(name, 0) + n
    elif kind == store.GOAL:
        found.goals.setdefault(name, GoalTally()).met += n
    elif kind == store.GOAL_HELD_OUT:
        found.goals.setdefault(name, GoalTally()).held_out += n


def count_step(
    found: Summary, program: Program, step: int, kind: int, name: str, n: int, attempts: int
) -> None:
    """Count what ``step_counts`` says of a step."""
    if kind == store.ENTERED:
        found.enter(program, step, n)
    elif kind == store.ARM:
        found.take_arm(program, step, name, n)
    else:
        failure = name if kind == store.FAILED else ""
        found.count(program, step, _STATUS[kind], failure, n, attempts)


def most_frequent(
    connection: Connection,
    run_id: int | None,
    versions: Versions,
    failures: list[tuple[int, int, int, str]],
) -> tuple[FailureSeen, ...]:
    """The most frequent of ``failures`` (number, version, step, code), each with one user it
    happened to: in a run, or in any way.
    """
    name = "failure_example" if run_id is not None else "failure_example_of_version"
    seen: list[FailureSeen] = []
    for n, version_id, step, code in sorted(failures, key=lambda one: (-one[0], one[1:])):
        if len(seen) == MOST_FAILURES:
            break
        place = (step, code, version_id) if run_id is None else (run_id, step, code, version_id)
        user, text = execute(connection, name, place).first() or ("", "")
        taken = versions.get(connection, version_id).program.nodes[step].step.id
        seen.append(FailureSeen(taken, code, n, user, text or ""))
    return tuple(seen)


def _read(row: Sequence[Any], now: Mapping[str, int]) -> ReportedRun:
    id_, version_id, state, position, total, skipped, base, end, opened_at, finished_at = row
    before: dict[str, int] = json.loads(base)
    after: Mapping[str, int] = now if end is None else json.loads(end)
    tokens = {name: n - before.get(name, 0) for name, n in after.items()}
    return ReportedRun(
        id=id_,
        version_id=version_id,
        state=state,
        position=position,
        total=total,
        skipped=skipped,
        tokens={name: n for name, n in tokens.items() if n > 0},
        opened_at=opened_at,
        finished_at=finished_at,
    )
