"""Calls as lists show them: those to be made yet, and those that failed for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from engine.endpoints import states
from engine.enrollments.store.holding import HELD, due_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.db.connect import Connection
    from engine.endpoints.states import SharedGate
    from engine.versions.store import Versions

_SELECT = """
SELECT c.bucket, c.enrollment, c.step, c.visit, c.redrive, e.user_id, c.journey, e.version_id,
  c.endpoint, c.method, c.target, c.key, c.attempts, c.tries, c.failure, c.next_try_at,
  c.finished_at, c.started_by
FROM calls AS c JOIN enrollments AS e ON e.bucket = c.bucket AND e.id = c.enrollment
"""
_AT_ONCE = 500
_PLACE = ("enrollment", "step", "visit", "redrive")
_FAILED = ("finished_at", "bucket", *_PLACE)
_TO_BE_MADE = ("bucket", "endpoint", "journey", "next_try_at", *_PLACE)
_PARTS = (_FAILED, _TO_BE_MADE)
"""The two parts of the list of all calls, each in the order of an index: however many calls there
are, a page reads those that it shows.
"""

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


class Rank(NamedTuple):
    """Where a call stands in lists: ``part`` 0 are those that failed for good, 1 the others;
    ``at`` is when it failed, or is to be made.
    """

    part: int
    at: int
    endpoint: str
    journey: str
    bucket: int
    enrollment: int
    step: int
    visit: int
    redrive: int


RANK_KINDS = (int, int, str, str, int, int, int, int, int)
"""What a :class:`Rank` is made of."""


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call. ``at`` is when it failed for good, or is to be made; ``failure`` the last one;
    ``attempts`` requests were put on the wire for it since it was made, or sent again.
    """

    rank: Rank
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
        bucket, enrollment, step, visit, redrive = self.rank[-5:]
        return bucket, enrollment, step, visit, redrive


def listed(
    connection: Connection,
    wanted: CallFilter,
    versions: Versions,
    after: Rank | None = None,
    upto: Rank | None = None,
) -> Iterator[ListedCall]:
    """The calls that are meant: first those that failed, by when they did; then those that are to
    be made, bucket by bucket, by endpoint, journey and time. Of these the ones behind the call of
    the rank ``after``, up to that of ``upto``.
    """
    gates = states.gates(connection)
    last = len(_PARTS) - 1 if upto is None else upto.part
    for number in _parts(after, failed=wanted.failed):
        if number > last:
            return
        end = upto if number == last else None
        while found := _portion(connection, wanted, number, after, end):
            calls = [_listed(connection, row, versions, gates) for row in found]
            yield from (call for call in calls if wanted.step in (None, call.step))
            if len(found) < _AT_ONCE:
                break
            after = calls[-1].rank


def look_ahead(
    connection: Connection, after: Rank | None, most: int, *, failed: bool
) -> Rank | None:
    """The rank of the call that ``most`` of its part lead to from ``after`` (None: from the first
    one on), among those that failed or all; None where both parts have fewer.
    """
    for number in _parts(after, failed=failed):
        conditions, values = _bounds(number, after, None)
        row = connection.exec_driver_sql(
            f"SELECT {_at(number)}, endpoint, journey, bucket, {', '.join(_PLACE)} FROM calls AS c"  # noqa: S608
            f" WHERE {' AND '.join(conditions)} ORDER BY {_order(number)} LIMIT 1 OFFSET ?",
            (*values, most - 1),
        ).one_or_none()
        if row is not None:
            return Rank(number, *row)
    return None


def by_time(found: Iterable[ListedCall]) -> list[ListedCall]:
    """Those that failed first first, then those that are due first."""
    return sorted(found, key=lambda call: call.rank[:2])


def _parts(after: Rank | None, *, failed: bool) -> range:
    return range(0 if after is None else max(after.part, 0), 1 if failed else len(_PARTS))


def _order(part: int) -> str:
    return ", ".join(f"c.{column}" for column in _PARTS[part])


def _portion(
    connection: Connection, wanted: CallFilter, part: int, after: Rank | None, upto: Rank | None
) -> Sequence[Sequence[Any]]:
    conditions, values = _bounds(part, after, upto)
    for column, value in (
        ("c.journey =", wanted.journey),
        ("c.endpoint =", wanted.endpoint),
        ("c.failure =", wanted.code),
        (f"c.{_at(part)} >=", wanted.since),
    ):
        if value is not None:
            conditions.append(f"{column} ?")
            values.append(value)
    return connection.exec_driver_sql(
        f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY {_order(part)} LIMIT ?",
        (*values, _AT_ONCE),
    ).all()


def _at(part: int) -> str:
    return "next_try_at" if part else "finished_at"


def _bounds(part: int, after: Rank | None, upto: Rank | None) -> tuple[list[str], list[object]]:
    """What calls of a part have to fulfil to stand between two of it."""
    conditions, values = [f"c.{_at(part)} IS NOT NULL"], list[object]()
    for rank, sign in ((after, ">"), (upto, "<=")):
        if rank is not None and rank.part == part:
            known = rank._asdict() | {_at(part): rank.at}
            place = [known[column] for column in _PARTS[part]]
            conditions.append(f"({_order(part)}) {sign} ({', '.join('?' * len(place))})")
            # PostgreSQL estimates from this how few are between two places.
            conditions.append(f"c.{_PARTS[part][0]} {sign[0]}= ?")
            values += [*place, place[0]]
    return conditions, values


def _listed(
    connection: Connection,
    row: Sequence[Any],
    versions: Versions,
    gates: dict[str, SharedGate],
) -> ListedCall:
    bucket, enrollment, step, visit, redrive, user, journey, version_id, endpoint, *rest = row
    method, target, key, attempts, tries, failure, next_try_at, finished_at, started = rest
    published = versions.get(connection, version_id)
    shared = gates.get(str(endpoint), states.UNTOUCHED)
    state: CallState
    why = ""
    if finished_at is not None:
        state = "failed"
    elif started is not None:
        state = "begun"
    elif int(next_try_at) >= HELD:
        state, why = "held", "the journey is paused"
    elif shared.gate.since is not None:
        state, why = "held", f"{shared.gate.code}: {shared.gate.text}"
    elif redrive:
        state = "redrive"
    else:
        state = "retry" if tries else "queued"
    part, at = (1, next_try_at) if finished_at is None else (0, finished_at)
    rank = (part, at, endpoint, journey, bucket, enrollment, step, visit, redrive)
    return ListedCall(
        rank=Rank(*rank),
        user=str(user),
        journey=str(journey),
        version=published.number,
        step=published.program.nodes[step].step.id,
        endpoint=str(endpoint),
        method=str(method),
        target=str(target),
        key=str(key),
        state=state,
        attempts=attempts,
        failure=failure,
        at=due_at(next_try_at) if finished_at is None else finished_at,  # type: ignore[arg-type]
        why=why,
    )
