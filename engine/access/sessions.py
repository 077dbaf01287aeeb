"""Operators' sessions: opened at a login, looked up with each request, over at once when closed.

A session's id is 256 random bits in a cookie; its SHA-256 is kept. Whatever is changed of the
operator holds for the next request. Instants are wall time.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access.store import sessions as store
from engine.access.tokens import digest
from engine.core.expressions.calendar import HOUR, MINUTE

if TYPE_CHECKING:
    from engine.db.connect import Connection, Database

IDLE = 4 * HOUR
"""A session without requests is over after this."""
LONGEST = 24 * HOUR
"""One with requests is over after this: its operator logs in again."""

_NOTED_EACH = MINUTE


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is logged in. ``ends_at`` is when he has to log in again at the latest."""

    operator_id: int
    name: str
    role: str
    made_at: int
    seen_at: int
    ends_at: int


def open_session(connection: Connection, operator_id: int, now: int) -> str:
    """A new session's id, for the cookie."""
    session = _new_id()
    store.add(connection, digest(session), operator_id, now, now + LONGEST)
    return session


def find(connection: Connection, session: str, now: int) -> Session | None:
    """Whose session it is at ``now``, with the role he has now; None for one that is over, or never
    was.
    """
    row = store.find(connection, digest(session))
    if row is None or row.ends_at <= now or row.seen_at + IDLE <= now:
        return None
    return Session(row.operator_id, row.name, row.role, row.made_at, row.seen_at, row.ends_at)


def visit(database: Database, session: str, now: int) -> Session | None:
    """The same for a request, which is noted once a minute: that keeps the session from being idle.

    Raises DatabaseUnavailable.
    """
    with database.read() as connection:
        found = find(connection, session, now)
    if found is not None and now - found.seen_at >= _NOTED_EACH:
        with database.write() as connection:
            store.see(connection, digest(session), now)
    return found


def rotate(connection: Connection, session: str, now: int) -> str | None:
    """Another id for the same session, where rights change; the old one is over. None if it was.

    It ends when the old one would have.
    """
    if find(connection, session, now) is None:
        return None
    new = _new_id()
    store.rename(connection, digest(session), digest(new))
    return new


def close(connection: Connection, session: str) -> None:
    """Log out."""
    store.delete(connection, digest(session))


def close_all(connection: Connection, operator_id: int, *, but: str | None = None) -> int:
    """Log out everywhere, with ``but`` everywhere else; how many sessions are over."""
    return store.delete_all(connection, operator_id, None if but is None else digest(but))


def forget_dead(connection: Connection, now: int) -> int:
    """Forget the sessions that are over; how many."""
    return store.forget_dead(connection, now, now - IDLE)


def csrf_token(session: str) -> str:
    """What a form of this session carries, so that no other site can send it: it follows from the
    session's id, which it doesn't tell. Nothing is kept of it.
    """
    key = session.encode("utf-8", "surrogatepass")
    mac = hmac.digest(key, b"a form of this session", "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


def csrf_fits(session: str, given: str) -> bool:
    """Whether a form was made for this session."""
    return hmac.compare_digest(csrf_token(session).encode(), given.encode("utf-8", "surrogatepass"))


def _new_id() -> str:
    return secrets.token_urlsafe(32)
