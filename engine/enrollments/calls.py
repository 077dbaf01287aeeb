"""Calls as lists show them: those to be made yet, and those that failed for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.endpoints import states
from engine.enrollments.store.holding import HELD, due_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.db.connect import Connection
    from engine.endpoints.states import SharedGate
    from engine.versions.store import Versions

_SELECT = """
SELECT c.bucket, c.enrollment, c.step, c.visit, c.redrive, e.user_id, e.journey, e.version_id,
  c.endpoint, c.method, c.target, c.key, c.attempts, c.tries, c.failure, c.next_try_at,
  c.finished_at, c.started_by
FROM calls AS c JOIN enrollments AS e ON e.bucket = c.bucket AND e.id = c.enrollment
"""
_AT_ONCE = 500
_PLACE = ("c.bucket", "c.enrollment", "c.step", "c.visit", "c.redrive")
_FAILED_RANK = ("c.finished_at", *_PLACE)
_RANK = (
    "CASE WHEN c.finished_at IS NULL THEN 1 ELSE 0 END",
    "coalesce(c.finished_at, c.next_try_at, 0)",
    *_PLACE,
)

CallState = Literal["failed", "queued", "retry", "held", "redrive", "begun"]
"""Failed for good; to be made; to be tried again; held for its endpoint; sent again after it had
failed; begun, and may be made at most once."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are meant; ``since`` (microseconds UTC of journey time) is from when they failed,
    or are to be made. None: all.
    """

    failed: bool = False
    journey: str | None = None
    endpoint: str | None = None
    step: str | None = None
    code: str | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call. ``at`` is when it failed for good, or is to be made; ``failure`` the last one;
    ``attempts`` requests were put on the wire for it since it was made, or sent again. ``rank`` is
    where it stands in the list.
    """

    rank: tuple[int, ...]
    user: str
    journey: str
    version: int
    step: str
    endpoint: str
    method: str
    target: str
    key: str
    state: CallState
    attempts: int
    failure: str | None
    at: int
    why: str

    @property
    def place(self) -> tuple[int, int, int, int, int]:
        """Its key: bucket, enrollment, step, visit, redrive."""
        bucket, enrollment, step, visit, redrive = self.rank[-len(_PLACE) :]
        return bucket, enrollment, step, visit, redrive


def listed(
    connection: Connection,
    wanted: CallFilter,
    versions: Versions,
    after: Sequence[int] | None = None,
    upto: Sequence[int] | None = None,
) -> Iterator[ListedCall]:
    """The calls that are meant, those that failed first first; those behind the one of this list
    whose :attr:`ListedCall.rank` is ``after``, up to that of ``upto``. Raises ValueError where one
    is no rank of it.
    """
    rank = _FAILED_RANK if wanted.failed else _RANK
    conditions, values = _conditions(wanted)
    _bound(conditions, values, rank, ">", after)
    _bound(conditions, values, rank, "<=", upto)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.exec_driver_sql(f"{_SELECT}{where} ORDER BY {', '.join(rank)}", tuple(values))
    gates = states.gates(connection)
    while found := rows.fetchmany(_AT_ONCE):
        for row in found:
            call = _listed(connection, row, versions, gates, failed=wanted.failed)
            if wanted.step in (None, call.step):
                yield call


def look_ahead(
    connection: Connection, after: Sequence[int] | None, most: int, *, failed: bool
) -> tuple[int, ...] | None:
    """The rank of the call that ``most`` calls lead to from ``after`` (None: from the first one
    on), of those that failed or of all; None where there are fewer. Raises as :func:`listed`.
    """
    rank = _FAILED_RANK if failed else _RANK
    conditions, values = _conditions(CallFilter(failed))
    _bound(conditions, values, rank, ">", after)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    names = ", ".join(rank)
    row = connection.exec_driver_sql(
        f"SELECT {names} FROM calls AS c{where} ORDER BY {names} LIMIT 1 OFFSET ?",  # noqa: S608
        (*values, most - 1),
    ).one_or_none()
    return None if row is None else tuple(row)


def _bound(
    conditions: list[str],
    values: list[object],
    rank: tuple[str, ...],
    sign: str,
    place: Sequence[int] | None,
) -> None:
    if place is not None:
        if len(place) != len(rank):
            raise ValueError("a rank of another list")
        conditions.append(f"({', '.join(rank)}) {sign} ({', '.join('?' * len(rank))})")
        # PostgreSQL estimates from this how few are between two places.
        conditions.append(f"{rank[0]} {sign[0]}= ?")
        values += [*place, place[0]]


def _conditions(wanted: CallFilter) -> tuple[list[str], list[object]]:
    conditions, values = [], list[object]()
    if wanted.failed:
        conditions.append("c.finished_at IS NOT NULL")
    for column, value in (
        ("e.journey", wanted.journey),
        ("c.endpoint", wanted.endpoint),
        ("c.failure", wanted.code),
    ):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if wanted.since is not None:
        conditions.append("coalesce(c.finished_at, c.next_try_at) >= ?")
        values.append(wanted.since)
    return conditions, values


def _listed(
    connection: Connection,
    row: tuple[object, ...],
    versions: Versions,
    gates: dict[str, SharedGate],
    *,
    failed: bool,
) -> ListedCall:
    (bucket, enrollment, step, visit, redrive, user, journey, version_id, endpoint) = row[:9]
    (method, target, key, attempts, tries, failure, next_try_at, finished_at, started) = row[9:]
    published = versions.get(connection, version_id)  # type: ignore[arg-type]
    shared = gates.get(str(endpoint), states.UNTOUCHED)
    state: CallState
    why = ""
    if finished_at is not None:
        state = "failed"
    elif started is not None:
        state = "begun"
    elif int(next_try_at) >= HELD:  # type: ignore[call-overload]
        state, why = "held", "the journey is paused"
    elif shared.gate.since is not None:
        state, why = "held", f"{shared.gate.code}: {shared.gate.text}"
    elif redrive:
        state = "redrive"
    else:
        state = "retry" if tries else "queued"
    when = finished_at if finished_at is not None else next_try_at or 0
    before = (when,) if failed else (int(finished_at is None), when)
    return ListedCall(
        rank=(*before, bucket, enrollment, step, visit, redrive),  # type: ignore[arg-type]
        user=str(user),
        journey=str(journey),
        version=published.number,
        step=published.program.nodes[step].step.id,  # type: ignore[call-overload]
        endpoint=str(endpoint),
        method=str(method),
        target=str(target),
        key=str(key),
        state=state,
        attempts=attempts,  # type: ignore[arg-type]
        failure=failure,  # type: ignore[arg-type]
        at=finished_at if finished_at is not None else due_at(next_try_at),  # type: ignore[arg-type]
        why=why,
    )
