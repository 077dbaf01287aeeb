"""What let a user into a journey: a fact, a run, another journey, the clock or a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.dsl.trigger import AudienceTrigger, EventTrigger, by_the_clock
from engine.core.steps.facts import Change, Event
from engine.enrollments.store.facts import CHANGE, EVENT, read_fact
from engine.enrollments.told import Cause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.dsl.trigger import Trigger
    from engine.core.interpreter.state import Passage
    from engine.core.steps.facts import Fact
    from engine.db.connect import Connection

LONGEST_TURN = 1_000
"""So many facts of one user a turn has at most. They follow one another by a microsecond each, from
the time of the turn on."""


def entered_by(connection: Connection, passage: Passage) -> Cause:
    """What let a passage's user in."""
    if passage.parent:
        journey = connection.exec_driver_sql(
            "SELECT journey FROM enrollments WHERE bucket = ? AND id = ?",
            (passage.user.bucket, passage.parent),
        ).scalar()
        return Cause("journey", journey or "")
    fact = (
        _fact_at(connection, passage)
        if passage.entered_seq
        else fact_of_turn(
            connection,
            (passage.user.bucket, passage.user.id, passage.version_id, passage.entered_at),
            passage.id,
            passage.program.journey.entry.triggers,
        )
    )
    if isinstance(fact, Event):
        return Cause("event", fact.name, fact.at, fact.properties)
    if fact is not None:
        return Cause("attributes", ", ".join(fact.values), fact.at, fact.values)
    if passage.depth:
        return Cause("journey", _starter(connection, passage))
    if passage.run_id:
        return Cause("run", str(passage.run_id))
    return Cause("clock" if by_the_clock(passage.program.journey.entry.triggers) else "command")


def _starter(connection: Connection, passage: Passage) -> str:
    """The journey whose step let a passage's user in and didn't wait for it; '' if it is forgotten.
    The step says in its text which journey it started, in the turn of the entry.
    """
    found = connection.exec_driver_sql(
        "SELECT e.journey FROM enrollments AS e JOIN executions AS x"
        " ON x.bucket = e.bucket AND x.enrollment = e.id"
        " WHERE e.bucket = ? AND e.user_id = ? AND x.ended_at = ? AND x.text = ?"
        " ORDER BY e.id LIMIT 1",
        (passage.user.bucket, passage.user.id, passage.entered_at, passage.program.name),
    ).scalar()
    return found or ""


def _fact_at(connection: Connection, passage: Passage) -> Fact | None:
    """The fact that a passage began with, of a journey that notes it."""
    if passage.entered_seq < passage.entered_at:  # it is only the last fact before the entry
        return None
    row = connection.exec_driver_sql(
        "SELECT seq, kind, name, at, data FROM facts WHERE bucket = ? AND user_id = ? AND seq = ?",
        (passage.user.bucket, passage.user.id, passage.entered_seq),
    ).one_or_none()
    fact = None if row is None else read_fact(row)
    triggers = passage.program.journey.entry.triggers
    return fact if fact is not None and _triggers_about(triggers, fact) else None


def fact_of_turn(
    connection: Connection,
    place: tuple[int, str, int, int],
    passage_id: int,
    triggers: Sequence[Trigger],
) -> Fact | None:
    """The fact of the turn that a passage began in that let its user in: a journey that listens to
    nothing besides its triggers notes no place among the facts. ``place`` is (bucket, user, version
    id, time of the entry).

    Facts that a trigger is about and didn't refuse let in one after another; so did passages of
    several keys begin. An audience that a change of attributes didn't come into leaves no trace, so
    events explain as many entries as they can.
    """
    bucket, user, version_id, entered_at = place
    passages = connection.exec_driver_sql(
        "SELECT id FROM enrollments WHERE bucket = ? AND user_id = ? AND version_id = ?"
        " AND entered_at = ? ORDER BY id",
        place,
    ).fetchall()
    rows = connection.exec_driver_sql(
        "SELECT f.seq, f.kind, f.name, f.at, f.data, (SELECT count(*) FROM refusals AS r"
        " WHERE r.bucket = f.bucket AND r.user_id = f.user_id AND r.seq = f.seq"
        " AND r.version_id = ?) FROM facts AS f WHERE f.bucket = ? AND f.user_id = ?"
        " AND f.seq >= ? AND f.seq < ? AND f.kind IN (?, ?) ORDER BY f.seq",
        (version_id, bucket, user, entered_at, entered_at + LONGEST_TURN, EVENT, CHANGE),
    )
    letting_in: list[Fact] = []
    for *row, refused in rows:
        fact = read_fact(row)
        letting_in += [fact] * (_triggers_about(triggers, fact) - refused)
    events: list[Fact] = [fact for fact in letting_in if isinstance(fact, Event)]
    if len(events) >= len(passages):
        letting_in = events
    before = sum(row[0] < passage_id for row in passages)
    return letting_in[before] if before < len(letting_in) else None


def _triggers_about(triggers: Sequence[Trigger], fact: Fact) -> int:
    """How many of a version's triggers look out for such a fact."""
    return sum(_is_about(each, fact) for each in triggers)


def _is_about(trigger: Trigger, fact: Fact) -> bool:
    if isinstance(trigger, EventTrigger):
        return isinstance(fact, Event) and trigger.event == fact.name
    return isinstance(trigger, AudienceTrigger) and isinstance(fact, Change)
