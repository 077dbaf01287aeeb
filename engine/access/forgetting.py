"""What of tokens, links, sessions and failed logins is over is forgotten now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import sessions
from engine.access.store import failed_logins, operators, tokens
from engine.core.expressions.calendar import DAY

if TYPE_CHECKING:
    from engine.db.connect import Database

ENDED_TOKENS_US = 90 * DAY
"""How long a token that was revoked or has expired stays in lists."""


def forget(database: Database, now: int) -> str:
    """Forget what is over at ``now`` (wall time), in one short transaction; what that was in words,
    '' for nothing.
    """
    with database.write() as connection:
        tokens.end_expired(connection, now)
        told = (
            (sessions.forget_dead(connection, now), "sessions"),
            (operators.forget_links(connection, now), "login links"),
            (tokens.forget_ended(connection, now - ENDED_TOKENS_US), "API tokens"),
            (failed_logins.forget_over(connection, now), "throttled addresses and names"),
        )
    return ", ".join(f"{n:,} {what}" for n, what in told if n)
