"""Who wasn't let in: each refusal with the rule that refused, and the ways in that there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.core.dsl.trigger import AudienceTrigger, DateTrigger, EventTrigger, ScheduleTrigger
from engine.enrollments.told import Cause, RefusalTold

if TYPE_CHECKING:
    from engine.core.dsl.journey import Journey
    from engine.core.dsl.trigger import Trigger
    from engine.core.interpreter.state import User
    from engine.db.connect import Connection
    from engine.versions.store import Published, Versions

MOST_REFUSALS = 20
"""So many refusals are told of, the newest."""


def refusals_of(
    connection: Connection, user: User, journey: str, versions: Versions
) -> tuple[RefusalTold, ...]:
    """When a user was refused by ``journey``, and why; the newest first."""
    rows = connection.exec_driver_sql(
        "SELECT r.at, r.reason, r.version_id, r.trigger, r.run_id, r.seen, f.name, f.at, f.data"
        " FROM refusals AS r JOIN versions AS v ON v.id = r.version_id"
        " LEFT JOIN facts AS f ON f.bucket = r.bucket AND f.user_id = r.user_id AND f.seq = r.seq"
        " WHERE r.bucket = ? AND r.user_id = ? AND v.journey = ?"
        " ORDER BY r.at DESC, r.seq DESC LIMIT ?",
        (user.bucket, user.id, journey, MOST_REFUSALS),
    ).fetchall()
    told: list[RefusalTold] = []
    for at, reason, version_id, trigger, run_id, seen, name, fact_at, data in rows:
        published = versions.get(connection, version_id)
        by = Cause("run", str(run_id)) if run_id else Cause("command")
        if data is not None and trigger >= 0:
            brought = json.loads(data)
            by = Cause("event" if name else "attributes", name or ", ".join(brought), fact_at)
        told.append(
            RefusalTold(
                at=at,
                reason=reason,
                rule=_rule(published.program.journey, reason, trigger),
                version=published.number,
                by=by,
                seen=None if seen is None else json.loads(seen),
            )
        )
    return tuple(told)


def ways_in(connection: Connection, newest: Published) -> tuple[str, ...]:
    """How the newest version is entered, in words; nothing if only commands and runs enter it."""
    on = connection.exec_driver_sql(
        "SELECT triggers_on FROM versions WHERE id = ?", (newest.id,)
    ).scalar_one()
    return tuple(map(_way_in, newest.program.journey.entry.triggers)) if on else ()


def _way_in(trigger: Trigger) -> str:
    match trigger:
        case EventTrigger():
            return f"event {trigger.event}" + _if(trigger.where)
        case ScheduleTrigger():
            return f"schedule {trigger.schedule}" + _if(trigger.audience)
        case AudienceTrigger():
            return f"when {trigger.audience.source} becomes true"
        case DateTrigger():
            return f"at {trigger.date.source}"


def _if(condition: object) -> str:
    source = getattr(condition, "source", None)
    return "" if source is None else f" if {source}"


def _rule(journey: Journey, reason: str, trigger: int) -> str:
    """The rule that refused, in words."""
    entry, reentry = journey.entry, journey.entry.reentry
    if reason == "where_false" and 0 <= trigger < len(entry.triggers):
        condition = getattr(entry.triggers[trigger], "where", None)
        condition = condition or getattr(entry.triggers[trigger], "audience", None)
        return f"not true: {getattr(condition, 'source', 'its condition')}"
    if reason == "cooldown" and reentry.cooldown is not None:
        return f"cooldown: {reentry.cooldown.text} after an entry"
    if reason == "limit" and reentry.limit is not None:
        return f"limit: {reentry.limit.count} in {reentry.limit.per.text}"
    return _WORDS.get(reason, reason)


_WORDS = {
    "where_false": "its condition wasn't true",
    "live": "he was in it already",
    "once": "it is entered once, and he had been in it",
    "already_ran": "the run had taken him already",
    "no_input": "an input, or the value for the key, was missing",
    "depth": "too many events and entries led to one another",
    "cooldown": "too soon after an entry",
    "limit": "he had entered as often as he may",
}
