"""Auth profiles and their sealed secrets: the rows. What may change is decided elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_PROFILES = (
    "SELECT id, name, title, kind, settings, origins, version, inline, changed_at"
    " FROM auth_profiles"
)
_SECRETS = (
    "SELECT profile_id, slot, field, version, sealed, fingerprint, hint, set_at, valid_until,"
    " valid_from FROM auth_secrets"
)


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """One sealed value: ``version`` counts this field's values, ``fingerprint`` is keyed.

    ``valid_until`` (wall time) is the end of a previous value's overlap, ``valid_from`` when a next
    value becomes current; what is current then has its overlap until the next one's
    ``valid_until``.
    """

    field: str
    version: int
    sealed: str
    fingerprint: str
    hint: str
    set_at: int
    valid_until: int | None = None
    valid_from: int | None = None


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
    """A profile as the database has it. ``id`` never stands for another one. ``secrets`` are the
    current values, ``previous`` those before a rotation with overlap, though it may be over,
    ``next`` those whose time is to come.
    """

    id: int
    columns: ProfileColumns
    changed_at: int
    secrets: Mapping[str, SealedSecret]
    previous: Mapping[str, SealedSecret] = field(default_factory=dict)
    next: Mapping[str, SealedSecret] = field(default_factory=dict)


def profile_by_id(connection: Connection, profile_id: int) -> StoredProfile | None:
    """The profile with its secrets; None if it was deleted."""
    row = connection.exec_driver_sql(f"{_PROFILES} WHERE id = ?", (profile_id,)).one_or_none()
    return None if row is None else _with_secrets(connection, row)


def profile_by_name(connection: Connection, name: str) -> StoredProfile | None:
    """The profile with its secrets; None if there is none of that name."""
    row = connection.exec_driver_sql(f"{_PROFILES} WHERE name = ?", (name,)).one_or_none()
    return None if row is None else _with_secrets(connection, row)


def all_profiles(connection: Connection) -> list[StoredProfile]:
    """Every profile with its secrets, by name."""
    secrets: dict[int, list[Sequence[Any]]] = {}
    for row in connection.exec_driver_sql(_SECRETS):
        secrets.setdefault(row[0], []).append(row)
    rows = connection.exec_driver_sql(f"{_PROFILES} ORDER BY name")
    return [_profile(row, secrets.get(row[0], ())) for row in rows]


def kinds(connection: Connection) -> dict[str, str]:
    """Every profile's kind, by the profile's name."""
    rows = connection.exec_driver_sql("SELECT name, kind FROM auth_profiles")
    return {row[0]: row[1] for row in rows}


def endpoints_using(connection: Connection, profile_id: int) -> tuple[str, ...]:
    """The names of the endpoints that have this profile."""
    rows = connection.exec_driver_sql(
        "SELECT name FROM endpoints WHERE profile_id = ? ORDER BY name", (profile_id,)
    )
    return tuple(row[0] for row in rows)


def endpoints_by_profile(connection: Connection) -> dict[int, tuple[str, ...]]:
    """The same for every profile that any has, by the profile's id: at the cost of one."""
    found: dict[int, list[str]] = {}
    rows = connection.exec_driver_sql(
        "SELECT profile_id, name FROM endpoints WHERE profile_id IS NOT NULL ORDER BY name"
    )
    for profile_id, name in rows:
        found.setdefault(profile_id, []).append(name)
    return {profile_id: tuple(names) for profile_id, names in found.items()}


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


def put_secret(
    connection: Connection,
    profile_id: int,
    secret: SealedSecret,
    *,
    overlap_until: int | None = None,
) -> None:
    """Make ``secret`` the current value of its field, and remember that it was held.

    What was current is the previous value until ``overlap_until`` (wall time); without it, it is
    gone, and a value before it, too.
    """
    _make_previous(connection, profile_id, secret.field, overlap_until)
    connection.exec_driver_sql(
        "DELETE FROM auth_secrets WHERE profile_id = ? AND field = ? AND slot = 'next'"
        " AND fingerprint = ?",
        (profile_id, secret.field, secret.fingerprint),
    )
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
    _remember(connection, profile_id, secret, secret.set_at)


def put_next(connection: Connection, profile_id: int, secret: SealedSecret) -> None:
    """Keep ``secret`` until its ``valid_from``, in place of another that waits for its time."""
    connection.exec_driver_sql(
        "DELETE FROM auth_secrets WHERE profile_id = ? AND field = ? AND slot = 'next'",
        (profile_id, secret.field),
    )
    connection.exec_driver_sql(
        "INSERT INTO auth_secrets (profile_id, field, slot, version, sealed, fingerprint, hint,"
        " set_at, valid_until, valid_from) VALUES (?, ?, 'next', ?, ?, ?, ?, ?, ?, ?)",
        (
            profile_id,
            secret.field,
            secret.version,
            secret.sealed,
            secret.fingerprint,
            secret.hint,
            secret.set_at,
            secret.valid_until,
            secret.valid_from,
        ),
    )


def begin_next(connection: Connection, profile_id: int, secret: SealedSecret, now: int) -> None:
    """Make the next value current; what was current is the previous one for its overlap."""
    _make_previous(connection, profile_id, secret.field, secret.valid_until)
    connection.exec_driver_sql(
        "DELETE FROM auth_secrets WHERE profile_id = ? AND field = ? AND slot = 'current'",
        (profile_id, secret.field),
    )
    connection.exec_driver_sql(
        "UPDATE auth_secrets SET slot = 'current', valid_from = NULL, valid_until = NULL,"
        " set_at = ? WHERE profile_id = ? AND field = ? AND slot = 'next'",
        (now, profile_id, secret.field),
    )
    _remember(connection, profile_id, secret, now)


def keep_current_only(connection: Connection, profile_id: int) -> None:
    """Forget the profile's previous values and its next ones."""
    connection.exec_driver_sql(
        "DELETE FROM auth_secrets WHERE profile_id = ? AND slot <> 'current'", (profile_id,)
    )


def _make_previous(connection: Connection, profile_id: int, field: str, until: int | None) -> None:
    """Of a field's current value, in place of the one before it; without ``until`` of none."""
    connection.exec_driver_sql(
        "DELETE FROM auth_secrets WHERE profile_id = ? AND field = ? AND slot = 'previous'",
        (profile_id, field),
    )
    if until is not None:
        connection.exec_driver_sql(
            "UPDATE auth_secrets SET slot = 'previous', valid_until = ?"
            " WHERE profile_id = ? AND field = ? AND slot = 'current'",
            (until, profile_id, field),
        )


def _remember(connection: Connection, profile_id: int, secret: SealedSecret, now: int) -> None:
    """That the field held this value."""
    connection.exec_driver_sql(
        "INSERT INTO secret_fingerprints (profile_id, field, fingerprint, first_held_at)"
        " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (profile_id, secret.field, secret.fingerprint, now),
    )


def end_overlaps(connection: Connection, now: int) -> None:
    """Forget every previous value whose overlap is over. ``now`` is wall time."""
    connection.exec_driver_sql(
        "DELETE FROM auth_secrets WHERE slot = 'previous' AND valid_until <= ?", (now,)
    )


def remove_secrets(connection: Connection, profile_id: int, fields: Iterable[str]) -> None:
    """Forget the sealed values of ``fields``; that they were held stays known."""
    for each in fields:
        connection.exec_driver_sql(
            "DELETE FROM auth_secrets WHERE profile_id = ? AND field = ?", (profile_id, each)
        )


def was_held(connection: Connection, profile_id: int, field: str, fingerprint: str) -> bool:
    """Whether this field ever held the value of this fingerprint."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM secret_fingerprints WHERE profile_id = ? AND field = ? AND fingerprint = ?",
        (profile_id, field, fingerprint),
    )
    return found.one_or_none() is not None


def _with_secrets(connection: Connection, row: Sequence[Any]) -> StoredProfile:
    rows = connection.exec_driver_sql(f"{_SECRETS} WHERE profile_id = ?", (row[0],))
    return _profile(row, rows)


def _profile(row: Sequence[Any], secrets: Iterable[Sequence[Any]]) -> StoredProfile:
    profile_id, name, title, kind, settings, origins, version, inline, changed_at = row
    columns = ProfileColumns(
        name, title, kind, json.loads(settings), tuple(json.loads(origins)), version, bool(inline)
    )
    slots: dict[str, dict[str, SealedSecret]] = {"current": {}, "previous": {}, "next": {}}
    for _, slot, name_of, *rest in secrets:
        if slot in slots:
            slots[slot][name_of] = SealedSecret(name_of, *rest)
    return StoredProfile(profile_id, columns, changed_at, *slots.values())


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
