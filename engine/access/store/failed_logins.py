"""The rows of failed logins, of a bounded number of addresses and names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def used_until(connection: Connection, key: str) -> int:
    """What is used of this key's budget; 0 for nothing."""
    found: int | None = connection.exec_driver_sql(
        "SELECT used_until FROM failed_logins WHERE key = ?", (key,)
    ).scalar()
    return found or 0


def put(connection: Connection, key: str, until: int) -> None:
    """Keep what is used."""
    connection.exec_driver_sql(
        "INSERT INTO failed_logins (key, used_until) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET used_until = excluded.used_until",
        (key, until),
    )


def forget(connection: Connection, key: str) -> None:
    """Nothing is used any more."""
    connection.exec_driver_sql("DELETE FROM failed_logins WHERE key = ?", (key,))


def forget_over(connection: Connection, now: int) -> int:
    """Forget what has come back whole; how many keys."""
    gone = connection.exec_driver_sql("DELETE FROM failed_logins WHERE used_until <= ?", (now,))
    return gone.rowcount


def keep(connection: Connection, most: int) -> None:
    """Keep ``most`` keys, those with the most used."""
    connection.exec_driver_sql(
        "DELETE FROM failed_logins WHERE used_until <="
        " (SELECT used_until FROM failed_logins ORDER BY used_until DESC LIMIT 1 OFFSET ?)",
        (most,),
    )
