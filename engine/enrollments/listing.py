"""Passages as a list: who is or was where."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from engine.core.dsl.program import END
from engine.core.expressions.assignment import bucket_of
from engine.core.interpreter.state import Reason, State
from engine.enrollments.store.holding import due_at
from engine.errors import NotFound
from engine.versions import store as versions_store

if TYPE_CHECKING:
    from engine.db.connect import Connection
    from engine.versions.store import Versions

STATES = {state.name.lower(): state for state in State}
BUCKETS = 256


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
    rows = connection.exec_driver_sql(
        f"{_SELECT} WHERE {' AND '.join(where) or '1 = 1'} ORDER BY e.id DESC LIMIT ?",
        (*values, wanted.most),
    ).fetchall()
    return [_listed(connection, versions, *row) for row in rows]


def passage(connection: Connection, id_: int, versions: Versions) -> Listed:
    """The passage with this id. Raises NotFound."""
    # Bucket by bucket, since the buckets lead the table.
    buckets = ", ".join(map(str, range(BUCKETS)))
    row = connection.exec_driver_sql(
        f"{_SELECT} WHERE e.bucket IN ({buckets}) AND e.id = ?", (id_,)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no passage {id_}; `journey enrollments list` shows their ids")
    return _listed(connection, versions, *row)


_SELECT = (
    "SELECT e.id, e.user_id, e.journey, e.key, e.version_id, e.run_id, e.state, e.reason,"
    " e.position, e.wake_at, e.entered_at, e.ended_at, e.outcome FROM enrollments AS e"
)


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
