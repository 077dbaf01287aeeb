"""The rows of sessions, by the digest of their ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session, with its operator as he is now. Instants are wall time."""

    operator_id: int
    name: str
    role: str
    made_at: int
    seen_at: int
    ends_at: int


def add(connection: Connection, digest: str, operator_id: int, now: int, ends_at: int) -> None:
    """Insert a session."""
    connection.exec_driver_sql(
        "INSERT INTO sessions (digest, operator_id, made_at, seen_at, ends_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (digest, operator_id, now, now, ends_at),
    )


def find(connection: Connection, digest: str) -> StoredSession | None:
    """The session of this digest, be it over or not."""
    row = connection.exec_driver_sql(
        "SELECT o.id, o.name, o.role, s.made_at, s.seen_at, s.ends_at"
        " FROM sessions AS s JOIN operators AS o ON o.id = s.operator_id WHERE s.digest = ?",
        (digest,),
    ).one_or_none()
    return None if row is None else StoredSession(*row)


def see(connection: Connection, digest: str, now: int) -> None:
    """Say that a request came."""
    connection.exec_driver_sql(
        "UPDATE sessions SET seen_at = ? WHERE digest = ? AND seen_at < ?", (now, digest, now)
    )


def rename(connection: Connection, digest: str, new: str) -> None:
    """Give a session another id."""
    connection.exec_driver_sql("UPDATE sessions SET digest = ? WHERE digest = ?", (new, digest))


def delete(connection: Connection, digest: str) -> None:
    """Delete a session."""
    connection.exec_driver_sql("DELETE FROM sessions WHERE digest = ?", (digest,))


def delete_all(connection: Connection, operator_id: int, but: str | None) -> int:
    """Delete an operator's sessions except one; how many."""
    gone = connection.exec_driver_sql(
        "DELETE FROM sessions WHERE operator_id = ? AND digest <> ?", (operator_id, but or "")
    )
    return gone.rowcount


def forget_dead(connection: Connection, now: int, idle_since: int) -> int:
    """Delete the sessions whose end has come, or that were last seen at ``idle_since`` or before;
    how many.
    """
    gone = connection.exec_driver_sql(
        "DELETE FROM sessions WHERE ends_at <= ? OR seen_at <= ?", (now, idle_since)
    )
    return gone.rowcount
