"""``journey archive``: everybody leaves, and nobody enters any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.audit import store as audit
from engine.errors import OperatorError
from engine.versions import inside, states

if TYPE_CHECKING:
    from engine.db.connect import Connection


def users_inside(connection: Connection, journey: str) -> int:
    """How many users archiving a journey ends the way of. Raises NotFound."""
    states.load(connection, journey)
    return inside.users(connection, journey)


def archive(connection: Connection, journey: str, *, at: int, now: int, actor: str) -> int:
    """Let everybody leave a journey with the outcome ``archived``, and nobody enter; how many users
    that is about. A worker ends their way when it next looks.

    ``at`` is journey time, ``now`` wall time. Raises NotFound, and OperatorError for a journey that
    is archived already.
    """
    before = states.load(connection, journey)
    if before.state == "archived":
        raise OperatorError(f"{journey} is archived already", code="journey.state")
    users = users_inside(connection, journey)
    states.put(connection, journey, "archived", at=at)
    states.give_order(connection, journey, "archive", paused_at=None, at=at)
    # A fire that comes while it is archived isn't missed: nobody makes up for it afterwards.
    connection.exec_driver_sql("DELETE FROM schedule_fires WHERE journey = ?", (journey,))
    audit.record(connection, now, actor, "archive", "journey", journey)
    return users
