"""``journey pause`` and ``journey resume``: everybody inside is held, and goes on by a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.audit import store as audit
from engine.errors import OperatorError
from engine.versions import inside, states

if TYPE_CHECKING:
    from engine.db.connect import Connection
    from engine.versions.states import Order, Rule


def pause(connection: Connection, journey: str, *, at: int, now: int, actor: str) -> int:
    """Hold everybody who is in a journey, and who enters it, from ``at`` (journey time) on; how
    many users are inside. ``now`` is wall time, for the audit log.

    Raises NotFound, and OperatorError for a journey that is paused or archived already.
    """
    before = states.load(connection, journey)
    if before.state != "active":
        raise OperatorError(f"{journey} is {before.state} already", code="journey.state")
    states.put(connection, journey, "paused", at=at)
    audit.record(connection, now, actor, "pause", "journey", journey)
    return inside.users(connection, journey)


def resume(
    connection: Connection, journey: str, rule: Rule, *, at: int, now: int, actor: str
) -> Order:
    """Let everybody in a paused journey go on by ``rule``; the order that was given for it.

    ``at`` is journey time, ``now`` wall time. Raises NotFound, and OperatorError for a journey that
    isn't paused.
    """
    before = states.load(connection, journey)
    if before.state != "paused":
        remedy = "; `journey publish FILE` brings it back" if before.state == "archived" else ""
        raise OperatorError(
            f"{journey} is {before.state}, not paused{remedy}", code="journey.state"
        )
    at = max(at, before.since)
    states.put(connection, journey, "active", at=at)
    order = states.give_order(connection, journey, rule, paused_at=before.since, at=at)
    audit.record(connection, now, actor, "resume", "journey", journey, (f"overdue: {rule}",))
    return order
