"""The rows of requests that may come twice, by the token that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def find(connection: Connection, token_id: int, key: str) -> tuple[str, str] | None:
    """The digest of what was asked for under this key, and what was answered."""
    row = connection.exec_driver_sql(
        "SELECT digest, answer FROM repeatable_requests WHERE token_id = ? AND key = ?",
        (token_id, key),
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def put(
    connection: Connection, token_id: int, key: str, digest: str, answer: str, now: int
) -> None:
    """Keep an answer."""
    connection.exec_driver_sql(
        "INSERT INTO repeatable_requests (token_id, key, digest, answer, at)"
        " VALUES (?, ?, ?, ?, ?)",
        (token_id, key, digest, answer, now),
    )


def forget_before(connection: Connection, instant: int) -> None:
    """Forget what was answered before an instant of wall time."""
    connection.exec_driver_sql("DELETE FROM repeatable_requests WHERE at < ?", (instant,))
