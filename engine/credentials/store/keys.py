"""The key ring's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.credentials.vault import WrappedKey

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def data_keys(connection: Connection) -> tuple[WrappedKey, ...]:
    """The key ring, wrapped as it is stored."""
    rows = connection.exec_driver_sql("SELECT id, state, wrapped FROM data_keys ORDER BY id")
    return tuple(WrappedKey(*row) for row in rows)


def add_data_key(connection: Connection, key: WrappedKey, now: int) -> None:
    """Put a data key into the ring."""
    connection.exec_driver_sql(
        "INSERT INTO data_keys (id, state, wrapped, made_at) VALUES (?, ?, ?, ?)",
        (key.id, key.state, key.wrapped, now),
    )
