"""The rows of operators and of their login links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_SELECT = "SELECT id, name, role, password, created_at, created_by, last_login_at FROM operators"


@dataclass(frozen=True, slots=True)
class StoredOperator:
    """An operator. ``password`` is its hash, None where he has none. Instants are wall time."""

    id: int
    name: str
    role: str
    password: str | None
    created_at: int
    created_by: str
    last_login_at: int | None


def operators(connection: Connection) -> list[StoredOperator]:
    """All of them, by name."""
    rows = connection.exec_driver_sql(f"{_SELECT} ORDER BY name")
    return [StoredOperator(*row) for row in rows]


def by_name(connection: Connection, name: str) -> StoredOperator | None:
    """The operator of this name."""
    row = connection.exec_driver_sql(f"{_SELECT} WHERE name = ?", (name,)).one_or_none()
    return None if row is None else StoredOperator(*row)


def by_id(connection: Connection, operator_id: int) -> StoredOperator | None:
    """The operator of this id."""
    row = connection.exec_driver_sql(f"{_SELECT} WHERE id = ?", (operator_id,)).one_or_none()
    return None if row is None else StoredOperator(*row)


def add(connection: Connection, name: str, role: str, actor: str, now: int) -> int:
    """Insert an operator; his id, which never stands for another one."""
    (operator_id,) = connection.exec_driver_sql(
        "INSERT INTO operators (name, role, created_at, created_by) VALUES (?, ?, ?, ?)"
        " RETURNING id",
        (name, role, now, actor),
    ).one()
    return int(operator_id)


def set_role(connection: Connection, operator_id: int, role: str) -> None:
    """Give an operator another role."""
    connection.exec_driver_sql("UPDATE operators SET role = ? WHERE id = ?", (role, operator_id))


def set_password(connection: Connection, operator_id: int, password: str | None) -> None:
    """Keep the hash of another password, or of none."""
    connection.exec_driver_sql(
        "UPDATE operators SET password = ? WHERE id = ?", (password, operator_id)
    )


def set_last_login(connection: Connection, operator_id: int, now: int) -> None:
    """Say that an operator has logged in."""
    connection.exec_driver_sql(
        "UPDATE operators SET last_login_at = ? WHERE id = ?", (now, operator_id)
    )


def remove(connection: Connection, operator_id: int) -> None:
    """Delete an operator, and with him his link and his sessions."""
    connection.exec_driver_sql("DELETE FROM operators WHERE id = ?", (operator_id,))


def put_link(connection: Connection, operator_id: int, digest: str, expires_at: int) -> None:
    """Keep an operator's login link, in the place of one that he may have."""
    connection.exec_driver_sql(
        "INSERT INTO login_links (operator_id, digest, expires_at) VALUES (?, ?, ?)"
        " ON CONFLICT (operator_id)"
        " DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at",
        (operator_id, digest, expires_at),
    )


def take_link(connection: Connection, digest: str, now: int) -> int | None:
    """Use a link up: whose it was. Of several who try, one gets it."""
    row = connection.exec_driver_sql(
        "DELETE FROM login_links WHERE digest = ? AND expires_at > ? RETURNING operator_id",
        (digest, now),
    ).one_or_none()
    return None if row is None else int(row[0])


def drop_link(connection: Connection, operator_id: int) -> None:
    """Forget an operator's link."""
    connection.exec_driver_sql("DELETE FROM login_links WHERE operator_id = ?", (operator_id,))


def forget_links(connection: Connection, now: int) -> int:
    """Forget the links whose time is over; how many."""
    gone = connection.exec_driver_sql("DELETE FROM login_links WHERE expires_at <= ?", (now,))
    return gone.rowcount
