"""Every sealed value, wherever it is stored: for what concerns all of them.

A column that holds sealed values and isn't named here would be lost when its key is retired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.credentials.key_ring import SCHEME, Place
from engine.db.statements import execute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed values: the SQL that reads them (row, owner, field, version and value,
    from behind a row, without those like a pattern) and that replaces one. What is ``forgettable``
    can be had again.
    """

    table: str
    read: str
    replace: str
    forgettable: bool = False


COLUMNS = (
    SealedColumn(
        "auth_secrets",
        "SELECT id, profile_id, field, version, sealed FROM auth_secrets"
        " WHERE id > ? AND sealed NOT LIKE ? ORDER BY id LIMIT ?",
        "UPDATE auth_secrets SET sealed = ? WHERE id = ? AND sealed = ? AND version = ?",
    ),
    SealedColumn(
        "token_states",
        "SELECT profile_id, profile_id, 'access_token', sealed_fence, sealed_token"
        " FROM token_states WHERE profile_id > ? AND sealed_token NOT LIKE ?"
        " ORDER BY profile_id LIMIT ?",
        "UPDATE token_states SET sealed_token = ? WHERE profile_id = ? AND sealed_token = ?"
        " AND sealed_fence = ?",
        forgettable=True,
    ),
    SealedColumn(
        "token_states",
        "SELECT profile_id, profile_id, 'refresh_token', sealed_fence, sealed_refresh"
        " FROM token_states WHERE profile_id > ? AND sealed_refresh NOT LIKE ?"
        " ORDER BY profile_id LIMIT ?",
        "UPDATE token_states SET sealed_refresh = ? WHERE profile_id = ? AND sealed_refresh = ?"
        " AND sealed_fence = ?",
        forgettable=True,
    ),
    SealedColumn(
        "hooks",
        "SELECT id, id, 'secret', secret_version, sealed FROM hooks"
        " WHERE id > ? AND sealed NOT LIKE ? ORDER BY id LIMIT ?",
        "UPDATE hooks SET sealed = ? WHERE id = ? AND sealed = ? AND secret_version = ?",
    ),
    SealedColumn(
        "hooks",
        "SELECT id, id, 'secret', secret_version - 1, previous_sealed FROM hooks"
        " WHERE id > ? AND previous_sealed NOT LIKE ? ORDER BY id LIMIT ?",
        "UPDATE hooks SET previous_sealed = ? WHERE id = ? AND previous_sealed = ?"
        " AND secret_version - 1 = ?",
    ),
)


_OWNERS = {
    "auth_secrets": ("auth_profiles", ""),
    "token_states": ("auth_profiles", ""),
    "hooks": ("hooks", "webhook "),
}


@dataclass(frozen=True, slots=True)
class SealedValue:
    """One sealed value as it stands in ``row`` of its column."""

    row: int
    place: Place
    sealed: str


def owner_of(connection: Connection, place: Place) -> str | None:
    """The name of what a value belongs to: an auth profile's, or ``webhook NAME``."""
    table, what = _OWNERS[place.table]
    name: str | None = connection.exec_driver_sql(
        f"SELECT name FROM {table} WHERE id = ?",  # noqa: S608 - one of ours
        (int(place.row),),
    ).scalar_one_or_none()
    return None if name is None else f"{what}{name}"


def any_sealed(connection: Connection) -> bool:
    """Whether there is any sealed value."""
    return any(sealed_values(connection, column, most=1) for column in COLUMNS)


def sealed_values(
    connection: Connection, column: SealedColumn, *, not_under: str = "", after: int = 0, most: int
) -> list[SealedValue]:
    """At most ``most`` values of a column, by row, from behind the row ``after``.

    ``not_under`` leaves out those under this key.
    """
    left_out = f"{SCHEME}.{not_under}.%" if not_under else ""
    rows = connection.exec_driver_sql(column.read, (after, left_out, most))
    return [
        SealedValue(row, Place(column.table, owner, field, version), sealed)
        for row, owner, field, version, sealed in rows
    ]


def replace_sealed(
    connection: Connection, column: SealedColumn, before: SealedValue, sealed: str | None
) -> bool:
    """Store ``sealed`` in place of ``before``, None to forget it; False if that has changed since
    it was read.
    """
    values = (sealed, before.row, before.sealed, before.place.version)
    return connection.exec_driver_sql(column.replace, values).rowcount == 1


def count_by_key(connection: Connection) -> Mapping[str, int]:
    """How many values are sealed under each key, by its id."""
    return {row[0]: row[1] for row in execute(connection, "sealed_by_key")}
