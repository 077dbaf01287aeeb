"""Passages as a list: who is or was where."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from engine.core.dsl.program import END
from engine.core.expressions.assignment import BUCKETS, bucket_of
from engine.core.interpreter.state import Reason, State
from engine.enrollments.store.holding import due_at
from engine.errors import NotFound
from engine.versions import store as versions_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.connect import Connection
    from engine.versions.store import Versions

STATES = {state.name.lower(): state for state in State}


@dataclass(slots=True, frozen=True)
class Wanted:
    """Which passages are wanted: those that fit everything that is set, ``most`` at most; of those
    older than the one with the id ``before``.
    """

    journey: str | None = None
    user: str | None = None
    state: str | None = None
    step: str | None = None
    outcome: str | None = None
    most: int = 100
    before: int | None = None


@dataclass(slots=True, frozen=True)
class Listed:
    """A passage in a list. Instants are microseconds UTC of journey time; ``step`` is where it
    stands ('' if it has ended), ``waits`` why in a word (due, timer, event, quiet_hours,
    frequency_cap, endpoint_hold, child), ``until`` up to when.
    """

    id: int
    user: str
    journey: str
    version: int
    key: str
    state: str
    step: str
    waits: str
    until: int | None
    entered_at: int
    ended_at: int | None
    outcome: str | None
    run: int | None


def passages(connection: Connection, wanted: Wanted, versions: Versions) -> list[Listed]:
    """The passages that fit, the newest first. Raises NotFound for an unknown journey or step."""
    where, values = _conditions(wanted)
    if wanted.step is not None:
        condition, places = _at_step(connection, wanted, versions)
        where, values = [*where, condition], [*values, *places]
    if wanted.user is not None:
        rows = _newest_of(connection, where, values, wanted.most)
    else:
        rows = _newest(connection, where, values, wanted)
    return [_listed(connection, versions, *row) for row in rows]


def passage(connection: Connection, id_: int, versions: Versions) -> Listed:
    """The passage with this id. Raises NotFound."""
    row = connection.exec_driver_sql(
        f"{_SELECT} WHERE {_IN_EACH_BUCKET} AND e.id = ?", (id_,)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no passage {id_}; `journey enrollments list` shows their ids")
    return _listed(connection, versions, *row)


_SELECT = (
    "SELECT e.id, e.user_id, e.journey, e.key, e.version_id, e.run_id, e.state, e.reason,"
    " e.position, e.wake_at, e.entered_at, e.ended_at, e.outcome FROM enrollments AS e"
)


_IN_EACH_BUCKET = f"e.bucket IN ({', '.join(map(str, range(BUCKETS)))})"
"""Says nothing, and has ids looked up bucket by bucket, since the buckets lead the table."""
_NEWEST_ID = """
WITH RECURSIVE every(bucket) AS (SELECT 0 UNION ALL SELECT bucket + 1 FROM every WHERE bucket < ?)
SELECT max((SELECT max(e.id) FROM enrollments AS e WHERE e.bucket = every.bucket)) FROM every
"""
_FIRST_SPAN, _LONGER = 60_000 << 22, 4
"""A minute of ids, which rise with time; and how much longer each span is than the one before."""


def _newest(
    connection: Connection, where: list[str], values: list[object], wanted: Wanted
) -> list[Sequence[Any]]:
    """The newest rows of all users, looked for in one span of ids after the other, back from the
    newest one: a page of what is frequent is found among few rows, however many there are.
    """
    if wanted.before is None:
        newest = connection.exec_driver_sql(_NEWEST_ID, (BUCKETS - 1,)).scalar()
        last = -1 if newest is None else int(newest)
    else:
        last = wanted.before - 1
    found: list[Sequence[Any]] = []
    span = _FIRST_SPAN
    within = [*where, _IN_EACH_BUCKET, "e.id > ?", "e.id <= ?"]
    while last >= 0 and len(found) < wanted.most:
        before = max(last - span, -1)
        left = wanted.most - len(found)
        found += _newest_of(connection, within, [*values, before, last], left)
        last, span = before, span * _LONGER
    return found


def _newest_of(
    connection: Connection, where: list[str], values: list[object], most: int
) -> Sequence[Sequence[Any]]:
    return connection.exec_driver_sql(
        f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY e.id DESC LIMIT ?", (*values, most)
    ).fetchall()


def _conditions(wanted: Wanted) -> tuple[list[str], list[object]]:
    where: list[str] = []
    values: list[object] = []
    if wanted.user is not None:
        where += ["e.bucket = ?", "e.user_id = ?"]
        values += [bucket_of(wanted.user), wanted.user]
    for column, value in (("journey", wanted.journey), ("outcome", wanted.outcome)):
        if value is not None:
            where.append(f"e.{column} = ?")
            values.append(value)
    if wanted.state is not None:
        where.append("e.state = ?")
        values.append(int(STATES[wanted.state]))
    if wanted.before is not None:
        where.append("e.id < ?")
        values.append(wanted.before)
    return where, values


def _at_step(
    connection: Connection, wanted: Wanted, versions: Versions
) -> tuple[str, list[object]]:
    """Who stands at a step: it has another number in each version."""
    rows = connection.exec_driver_sql("SELECT id, journey FROM versions ORDER BY id").fetchall()
    steps: dict[str, list[tuple[int, int]]] = {}
    for version_id, journey in rows:
        if wanted.journey in (None, journey):
            for name, number in versions.get(connection, version_id).program.numbers.items():
                steps.setdefault(name, []).append((version_id, number))
    if wanted.step not in steps:
        if wanted.journey is not None and versions_store.newest(connection, wanted.journey) is None:
            raise NotFound(f"there is no journey {wanted.journey!r}")
        near = next(iter(get_close_matches(str(wanted.step), steps, n=1)), None)
        hint = "" if near is None else f" (did you mean {near!r}?)"
        raise NotFound(f"there is no step {wanted.step!r}{hint}")
    places = steps[wanted.step]
    either = " OR ".join(["(e.version_id = ? AND e.position = ?)"] * len(places))
    return f"e.state <> 2 AND ({either})", [value for place in places for value in place]


def _listed(
    connection: Connection,
    versions: Versions,
    id_: int,
    user: str,
    journey: str,
    key: str,
    version_id: int,
    run_id: int,
    state: int,
    reason: int,
    position: int,
    *times: int | None,
) -> Listed:
    published = versions.get(connection, version_id)
    wake_at, entered_at, ended_at, outcome = times
    ended = state == State.ENDED
    at_end = ended or position == END
    return Listed(
        id=id_,
        user=user,
        journey=journey,
        version=published.number,
        key=key,
        state=State(state).name.lower(),
        step="" if at_end else published.program.nodes[position].id,
        waits=Reason(reason).name.lower() if state == State.WAITING else "",
        until=due_at(wake_at),
        entered_at=entered_at or 0,
        ended_at=ended_at,
        outcome=None if outcome is None else str(outcome),
        run=run_id or None,
    )
