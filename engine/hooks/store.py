"""The rows of hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

_COLUMNS = (
    "SELECT id, name, preset, mapping, sealed, secret_version, previous_sealed, previous_until,"
    " changed_at FROM hooks"
)


@dataclass(frozen=True, slots=True)
class StoredHook:
    """A hook as the database has it. The previous secret has the version before the present one's,
    and may be over.
    """

    id: int
    name: str
    preset: str
    mapping: str
    sealed: str
    secret_version: int
    previous_sealed: str | None
    previous_until: int | None
    changed_at: int


def find(connection: Connection, name: str) -> StoredHook | None:
    """The hook of that name."""
    row = connection.exec_driver_sql(f"{_COLUMNS} WHERE name = ?", (name,)).one_or_none()
    return None if row is None else StoredHook(*row)


def every(connection: Connection) -> Sequence[StoredHook]:
    """All hooks, by name."""
    return [StoredHook(*row) for row in connection.exec_driver_sql(f"{_COLUMNS} ORDER BY name")]


def add(connection: Connection, name: str, preset: str, mapping: str, now: int) -> int:
    """Insert a hook without a secret; returns its id."""
    (hook_id,) = connection.exec_driver_sql(
        "INSERT INTO hooks (name, preset, mapping, sealed, secret_version, changed_at)"
        " VALUES (?, ?, ?, '', 0, ?) RETURNING id",
        (name, preset, mapping, now),
    ).one()
    return int(hook_id)


def change(connection: Connection, hook_id: int, preset: str, mapping: str, now: int) -> None:
    """Write what a hook is."""
    connection.exec_driver_sql(
        "UPDATE hooks SET preset = ?, mapping = ?, changed_at = ? WHERE id = ?",
        (preset, mapping, now, hook_id),
    )


def put_secret(
    connection: Connection, hook_id: int, sealed: str, previous_until: int | None, now: int
) -> None:
    """Give it the next secret; the present one becomes the previous until then (None: it ends)."""
    connection.exec_driver_sql(
        "UPDATE hooks SET previous_sealed = CASE WHEN ? THEN sealed END, previous_until = ?,"
        " sealed = ?, secret_version = secret_version + 1, changed_at = ? WHERE id = ?",
        (previous_until is not None, previous_until, sealed, now, hook_id),
    )


def remove(connection: Connection, hook_id: int) -> None:
    """Delete a hook."""
    connection.exec_driver_sql("DELETE FROM hooks WHERE id = ?", (hook_id,))
