"""Auth profiles and their sealed secrets: the rows. What may change is decided elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_PROFILES = (
    "SELECT id, name, title, kind, settings, origins, version, inline, changed_at"
    " FROM auth_profiles"
)
_SECRETS = (
    "SELECT profile_id, field, version, sealed, fingerprint, hint, set_at FROM auth_secrets"
    " WHERE slot = 'current'"
)


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """One sealed value: ``version`` counts this field's values, ``fingerprint`` is keyed."""

    field: str
    version: int
    sealed: str
    fingerprint: str
    hint: str
    set_at: int


@dataclass(frozen=True, slots=True)
class ProfileColumns:
    """What of a profile is written: ``settings`` hold references, never values."""

    name: str
    title: str
    kind: str
    settings: Mapping[str, Any]
    origins: tuple[str, ...]
    version: int
    inline: bool


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile as the database has it. ``id`` never stands for another one."""

    id: int
    columns: ProfileColumns
    changed_at: int
    secrets: Mapping[str, SealedSecret]


def profile_by_id(connection: Connection, profile_id: int) -> StoredProfile | None:
    """The profile with its current secrets; None if it was deleted."""
    row = connection.exec_driver_sql(f"{_PROFILES} WHERE id = ?", (profile_id,)).one_or_none()
    return None if row is None else _with_secrets(connection, row)


def profile_by_name(connection: Connection, name: str) -> StoredProfile | None:
    """The profile with its current secrets; None if there is none of that name."""
    row = connection.exec_driver_sql(f"{_PROFILES} WHERE name = ?", (name,)).one_or_none()
    return None if row is None else _with_secrets(connection, row)


def all_profiles(connection: Connection) -> list[StoredProfile]:
    """Every profile with its current secrets, by name."""
    secrets: dict[int, dict[str, SealedSecret]] = {}
    for row in connection.exec_driver_sql(_SECRETS):
        secrets.setdefault(row[0], {})[row[1]] = SealedSecret(*row[1:])
    rows = connection.exec_driver_sql(f"{_PROFILES} ORDER BY name")
    return [_profile(row, secrets.get(row[0], {})) for row in rows]


def endpoints_using(connection: Connection, profile_id: int) -> tuple[str, ...]:
    """The names of the endpoints that have this profile."""
    rows = connection.exec_driver_sql(
        "SELECT name FROM endpoints WHERE profile_id = ? ORDER BY name", (profile_id,)
    )
    return tuple(row[0] for row in rows)


def add_profile(connection: Connection, columns: ProfileColumns, now: int) -> int:
    """Insert a profile; returns its id."""
    (profile_id,) = connection.exec_driver_sql(
        "INSERT INTO auth_profiles"
        " (name, title, kind, settings, origins, version, inline, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (*_values(columns), now),
    ).one()
    return int(profile_id)


def change_profile(
    connection: Connection, profile_id: int, columns: ProfileColumns, now: int
) -> None:
    """Write a profile's columns."""
    connection.exec_driver_sql(
        "UPDATE auth_profiles SET name = ?, title = ?, kind = ?, settings = ?, origins = ?,"
        " version = ?, inline = ?, changed_at = ? WHERE id = ?",
        (*_values(columns), now, profile_id),
    )


def remove_profile(connection: Connection, profile_id: int) -> None:
    """Delete a profile with its secrets and token. A foreign key stops it where it is used."""
    connection.exec_driver_sql("DELETE FROM auth_profiles WHERE id = ?", (profile_id,))


def put_secret(connection: Connection, profile_id: int, secret: SealedSecret) -> None:
    """Make ``secret`` the current value of its field, and remember that it was held."""
    connection.exec_driver_sql(
        "INSERT INTO auth_secrets"
        " (profile_id, field, slot, version, sealed, fingerprint, hint, set_at)"
        " VALUES (?, ?, 'current', ?, ?, ?, ?, ?)"
        " ON CONFLICT (profile_id, field, slot) DO UPDATE SET version = excluded.version,"
        " sealed = excluded.sealed, fingerprint = excluded.fingerprint, hint = excluded.hint,"
        " set_at = excluded.set_at",
        (
            profile_id,
            secret.field,
            secret.version,
            secret.sealed,
            secret.fingerprint,
            secret.hint,
            secret.set_at,
        ),
    )
    connection.exec_driver_sql(
        "INSERT INTO secret_fingerprints (profile_id, field, fingerprint, first_held_at)"
        " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (profile_id, secret.field, secret.fingerprint, secret.set_at),
    )


def remove_secrets(connection: Connection, profile_id: int, fields: Iterable[str]) -> None:
    """Forget the sealed values of ``fields``; that they were held stays known."""
    connection.exec_driver_sql(
        "DELETE FROM auth_secrets WHERE profile_id = ?"
        " AND field IN (SELECT value FROM json_each(?))",
        (profile_id, json.dumps(list(fields))),
    )


def was_held(connection: Connection, profile_id: int, field: str, fingerprint: str) -> bool:
    """Whether this field ever held the value of this fingerprint."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM secret_fingerprints WHERE profile_id = ? AND field = ? AND fingerprint = ?",
        (profile_id, field, fingerprint),
    )
    return found.one_or_none() is not None


def _with_secrets(connection: Connection, row: Sequence[Any]) -> StoredProfile:
    rows = connection.exec_driver_sql(f"{_SECRETS} AND profile_id = ?", (row[0],))
    return _profile(row, {each[1]: SealedSecret(*each[1:]) for each in rows})


def _profile(row: Sequence[Any], secrets: Mapping[str, SealedSecret]) -> StoredProfile:
    profile_id, name, title, kind, settings, origins, version, inline, changed_at = row
    columns = ProfileColumns(
        name, title, kind, json.loads(settings), tuple(json.loads(origins)), version, bool(inline)
    )
    return StoredProfile(profile_id, columns, changed_at, secrets)


def _values(columns: ProfileColumns) -> tuple[object, ...]:
    return (
        columns.name,
        columns.title,
        columns.kind,
        json.dumps(columns.settings, ensure_ascii=False),
        json.dumps(columns.origins),
        columns.version,
        columns.inline,
    )
