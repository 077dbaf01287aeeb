"""Why: what became of a user in a journey, read from what was written down of him."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from engine.core.expressions.assignment import bucket_of, fraction
from engine.core.interpreter.listens import listens
from engine.core.interpreter.scope import zone_of
from engine.core.interpreter.state import Passage, Reason, State
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.facts import Event
from engine.core.steps.split import SplitStep
from engine.enrollments.entered_by import entered_by
from engine.enrollments.refused import refusals_of, ways_in
from engine.enrollments.rows import STATUS_NAMES, read_passage, read_user
from engine.enrollments.standing import standing_of
from engine.enrollments.store.facts import read_fact
from engine.enrollments.told import Noted, PassageTold, StepTaken, Why
from engine.errors import NotFound
from engine.versions import store as versions_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.core.dsl.program import Step
    from engine.core.interpreter.state import User
    from engine.core.steps.facts import Fact
    from engine.db.connect import Connection
    from engine.versions.store import Published, Versions

MOST_PASSAGES = 20
"""So many passages are told of, the newest."""
MOST_FACTS = 500
_FOREVER = 2**63 - 1


def why(
    connection: Connection,
    user_id: str,
    journey: str,
    versions: Versions,
    *,
    zone: str = "UTC",
    enrollment: int | None = None,
    key: str | None = None,
) -> Why:
    """What became of a user in ``journey``; ``zone`` is the installation's. With ``enrollment`` or
    ``key`` only of that passage, or of those with that key.

    Raises NotFound for a user or journey that was never heard of, and for no such passage.
    """
    user = _user(connection, user_id)
    newest = _newest(connection, journey, versions)
    rows = _passages(connection, user, journey, enrollment, key)
    if not rows and (enrollment is not None or key is not None):
        which = f"passage {enrollment}" if key is None else f"passage with the key {key!r}"
        raise NotFound(f"user {user_id!r} has no {which} through {journey}")
    told = [_told(connection, row, user, versions) for row in rows[:MOST_PASSAGES]]
    alone = enrollment is not None or key is not None
    state, since = connection.exec_driver_sql(
        "SELECT state, since FROM journeys WHERE journey = ?", (journey,)
    ).one_or_none() or ("active", 0)
    about = Passage(0, user, newest.program, "", 0, {})
    return Why(
        user=user_id,
        journey=journey,
        state=state,
        since=since,
        zone=zone_of(about, zone)[0].key,
        ways=ways_in(connection, newest),
        passages=tuple(told),
        refusals=() if alone else refusals_of(connection, user, journey, versions),
        more=max(0, len(rows) - MOST_PASSAGES),
    )


def _user(connection: Connection, user_id: str) -> User:
    row = connection.exec_driver_sql(
        "SELECT bucket, id, timezone, attributes FROM users WHERE bucket = ? AND id = ?",
        (bucket_of(user_id), user_id),
    ).one_or_none()
    if row is not None:
        return read_user(row[0], row[1], row[2], row[3], None)
    near = connection.exec_driver_sql(
        "SELECT id FROM users WHERE lower(id) = ? ORDER BY id LIMIT 1", (user_id.strip().lower(),)
    ).scalar()
    if near is None:
        some = connection.exec_driver_sql("SELECT id FROM users ORDER BY bucket, id LIMIT 1000")
        near = next(iter(get_close_matches(user_id, [one[0] for one in some], n=1)), None)
    raise NotFound(f"there is no user {user_id!r}{_meant(near)}")


def _newest(connection: Connection, journey: str, versions: Versions) -> Published:
    newest = versions_store.newest(connection, journey)
    if newest is not None:
        return versions.get(connection, newest.id)
    known = [row[0] for row in connection.exec_driver_sql("SELECT DISTINCT journey FROM versions")]
    near = next(iter(get_close_matches(journey, known, n=1)), None)
    raise NotFound(f"there is no journey {journey!r}{_meant(near)}")


def _meant(near: str | None) -> str:
    return "" if near is None else f" (did you mean {near!r}?)"


def _passages(
    connection: Connection, user: User, journey: str, enrollment: int | None, key: str | None
) -> Sequence[Sequence[Any]]:
    rows = connection.exec_driver_sql(
        "SELECT e.bucket, e.id, e.user_id, e.key, e.version_id, e.run_id, e.state, e.reason,"
        " e.position, e.started, e.wake_at, e.entered_at, e.outcome, e.data, NULL, NULL,"
        " e.ended_at"
        " FROM enrollments AS e WHERE e.bucket = ? AND e.user_id = ? AND e.journey = ?"
        " ORDER BY e.entered_at DESC, e.id DESC",
        (user.bucket, user.id, journey),
    )
    return [row for row in rows if enrollment in (None, row[1]) and key in (None, row[3])]


def _told(
    connection: Connection, row: Sequence[Any], user: User, versions: Versions
) -> PassageTold:
    published = versions.get(connection, row[4])
    passage = _passage(row, user, published)
    ended_at = row[16]
    steps = tuple(_steps(connection, passage))
    facts = _facts(connection, passage, ended_at)
    return PassageTold(
        id=passage.id,
        version=published.number,
        key=passage.key,
        run=passage.run_id or None,
        entered_at=passage.entered_at,
        entered_by=entered_by(connection, passage),
        inputs=passage.inputs,
        steps=steps,
        noted=tuple(sorted((*facts, *_goals(passage)), key=lambda one: one.at)),
        standing=standing_of(connection, passage),
        outcome=passage.outcome,
        ended_at=ended_at,
    )


def _passage(row: Sequence[Any], user: User, published: Published) -> Passage:
    """The passage; of one whose data retention took, what is left."""
    if "n" in json.loads(row[13]):
        return read_passage(row, user, published)
    return Passage(
        id=row[1],
        user=user,
        program=published.program,
        key=row[3],
        entered_at=row[11],
        inputs={},
        version_id=published.id,
        version=published.number,
        run_id=row[5],
        position=row[8],
        started=row[9],
        state=State(row[6]),
        reason=Reason(row[7]),
        wake_at=row[10],
        outcome=row[12],
        ended_at=row[16],
    )


def _steps(connection: Connection, passage: Passage) -> Iterator[StepTaken]:
    """The steps taken. Those of one moment stand in the order of their visits, then of the file."""
    rows = connection.exec_driver_sql(
        "SELECT x.step, x.visit, x.redrive, x.status, x.failure, x.text, x.http_status,"
        " x.attempts, x.arm, x.credential_version, x.started_at, x.ended_at, x.seen, c.target"
        " FROM executions AS x LEFT JOIN calls AS c ON c.bucket = x.bucket"
        " AND c.enrollment = x.enrollment AND c.step = x.step AND c.visit = x.visit"
        " AND c.redrive = x.redrive AND c.next_try_at IS NULL"
        " WHERE x.bucket = ? AND x.enrollment = ?"
        " ORDER BY x.ended_at, x.started_at, x.visit, x.step",
        (passage.user.bucket, passage.id),
    )
    for number, visit, redrive, status, failure, text, *values, seen, kept in rows:
        http_status, attempts, arm, credential_version, started_at, ended_at = values
        step = passage.program.nodes[number].step
        call = step if isinstance(step, CallApiStep) else None
        yield StepTaken(
            step=step.id,
            type=step.type,
            visit=visit,
            redrive=redrive,
            status=STATUS_NAMES[status],
            failure=failure,
            text=text or "",
            http_status=http_status,
            attempts=attempts,
            arm=arm,
            credential_version=credential_version,
            started_at=started_at,
            ended_at=ended_at,
            seen=_seen(passage, step, seen),
            endpoint=None if call is None else call.endpoint,
            request=None if call is None else f"{call.method} {call.path.source}",
            kept=kept,
            goes="" if call is None or status != 2 else _way(call),
        )


def _seen(passage: Passage, step: Step, seen: str | None) -> Mapping[str, object] | None:
    """What was written down; a split's lot is drawn again, as it is the same for ever."""
    if seen is not None:
        found: dict[str, object] = json.loads(seen)
        return found
    if isinstance(step, SplitStep):
        salt = step.salt or f"{passage.program.name}/{step.id}"
        return {"lot": round(fraction(salt, passage.user.id), 6), "salt": salt}
    return None


def _way(step: CallApiStep) -> str:
    if isinstance(step.on_failure, str):
        return "leaves" if step.on_failure == "exit" else "goes on"
    return f"goes to {step.on_failure.next}"


def _facts(connection: Connection, passage: Passage, ended_at: int | None) -> Iterator[Noted]:
    """What happened on the way, as far as the version listens to it."""
    rows = connection.exec_driver_sql(
        "SELECT seq, kind, name, at, data FROM facts WHERE bucket = ? AND user_id = ?"
        " AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (
            passage.user.bucket,
            passage.user.id,
            max(passage.entered_seq, passage.entered_at - 1),
            _FOREVER if ended_at is None else ended_at,
            MOST_FACTS,
        ),
    )
    for row in rows:
        fact = read_fact(row)
        if listens(passage.program, fact):
            yield _noted(fact)


def _noted(fact: Fact) -> Noted:
    if isinstance(fact, Event):
        return Noted("event", fact.name, fact.at, fact.properties)
    return Noted("attributes", ", ".join(fact.values), fact.at, fact.values)


def _goals(passage: Passage) -> Iterator[Noted]:
    for number, at in passage.goals.items():
        yield Noted("goal", passage.program.journey.goals[number].name, at)
