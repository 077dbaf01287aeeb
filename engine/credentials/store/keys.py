"""The key ring's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.credentials.key_ring import WrappedKey

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from engine.credentials.key_ring import KeyState


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key of the ring, retired ones too, with the moment it was made."""

    key: WrappedKey
    made_at: int


def data_keys(connection: Connection) -> tuple[WrappedKey, ...]:
    """The key ring without what is retired, wrapped as it is stored."""
    rows = connection.exec_driver_sql(
        "SELECT id, state, wrapped FROM data_keys WHERE state <> 'retired' ORDER BY id"
    )
    return tuple(WrappedKey(*row) for row in rows)


def stored_keys(connection: Connection) -> tuple[StoredKey, ...]:
    """Every key there ever was, the oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT id, state, wrapped, made_at FROM data_keys ORDER BY made_at, id"
    )
    return tuple(StoredKey(WrappedKey(*row[:3]), row[3]) for row in rows)


def is_active(connection: Connection, key_id: str) -> bool:
    """Whether this is the key that seals now."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM data_keys WHERE id = ? AND state = 'active'", (key_id,)
    )
    return found.one_or_none() is not None


def add_data_key(connection: Connection, key: WrappedKey, now: int) -> None:
    """Put a data key into the ring."""
    connection.exec_driver_sql(
        "INSERT INTO data_keys (id, state, wrapped, made_at) VALUES (?, ?, ?, ?)",
        (key.id, key.state, key.wrapped, now),
    )


def move_key(connection: Connection, key_id: str, before: KeyState, after: KeyState) -> bool:
    """Take a key from one state to another; False if it isn't in the first one."""
    moved = connection.exec_driver_sql(
        "UPDATE data_keys SET state = ? WHERE id = ? AND state = ?", (after, key_id, before)
    )
    return moved.rowcount == 1


def destroy_key(connection: Connection, key_id: str) -> None:
    """Retire a key and forget its content: what was sealed under it never opens again."""
    connection.exec_driver_sql(
        "UPDATE data_keys SET state = 'retired', wrapped = '' WHERE id = ?", (key_id,)
    )


def rewrap_key(connection: Connection, key: WrappedKey) -> None:
    """Store another wrapped form of the same key."""
    connection.exec_driver_sql(
        "UPDATE data_keys SET wrapped = ? WHERE id = ?", (key.wrapped, key.id)
    )
