"""The endpoints' rows. Each change raises ``version`` and leaves an audit row with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.audit.store import record
from engine.core.dsl.problems import did_you_mean
from engine.db.statements import ask
from engine.endpoints import states
from engine.endpoints.model import NO_AUTH, Endpoint
from engine.errors import NotFound, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.connect import Connection

_APART = {"name", "auth"}
_SELECT = (
    "SELECT e.id, e.version, e.name, e.settings, e.profile_id, p.name, p.inline, e.auth_lost,"
    " e.changed_at FROM endpoints e LEFT JOIN auth_profiles p ON p.id = e.profile_id"
)


@dataclass(slots=True, frozen=True)
class Stored:
    """An endpoint as it is in the database.

    ``id`` and ``version`` together never stand for anything else. ``endpoint.auth`` is the name of
    its profile, ``profile_id`` the profile's row; ``auth_lost`` names a profile that was deleted by
    force and not replaced since. ``inline`` says that the profile is the endpoint's own.
    """

    id: int
    version: int
    endpoint: Endpoint
    profile_id: int | None
    auth_lost: str | None
    inline: bool
    changed_at: int


@dataclass(slots=True, frozen=True)
class StepUse:
    """Steps of one published version that name an endpoint, and how many users are inside now.

    ``newest`` says that new users enter this version.
    """

    endpoint: str
    journey: str
    version: int
    newest: bool
    steps: tuple[str, ...]
    users_inside: int


def find(connection: Connection, name: str) -> Stored | None:
    """The endpoint of this name, None if there is none."""
    row = connection.exec_driver_sql(f"{_SELECT} WHERE e.name = ?", (name,)).one_or_none()
    return None if row is None else _stored(row)


def load(connection: Connection, name: str) -> Stored:
    """The endpoint of this name. Raises NotFound."""
    stored = find(connection, name)
    if stored is None:
        raise _not_found(connection, name)
    return stored


def load_all(connection: Connection) -> list[Stored]:
    """Every endpoint, by name."""
    return [_stored(row) for row in connection.exec_driver_sql(f"{_SELECT} ORDER BY e.name")]


def versions(connection: Connection) -> dict[str, tuple[int, int, int | None]]:
    """Every endpoint's id, version and its profile's version, by name: what changes with every edit
    of one of them."""
    rows = ask(
        connection,
        "SELECT e.name, e.id, e.version, p.version FROM endpoints e"
        " LEFT JOIN auth_profiles p ON p.id = e.profile_id",
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def save(connection: Connection, endpoint: Endpoint, *, now: int, actor: str) -> tuple[str, ...]:
    """Create or replace the endpoint of this name. A profile that was deleted by force stays named
    as lost until an endpoint is saved that says its ``auth``.

    Returns the names of the fields that changed, ``("created",)`` for a new one, ``()`` where
    nothing did. Raises NotFound for an auth profile that doesn't exist.
    """
    profile = _profile_id(connection, endpoint)
    settings = settings_of(endpoint)
    text = json.dumps(settings, ensure_ascii=False)
    before = connection.exec_driver_sql(
        "SELECT settings, profile_id, auth_lost FROM endpoints WHERE name = ?", (endpoint.name,)
    ).one_or_none()
    if before is None:
        connection.exec_driver_sql(
            "INSERT INTO endpoints (name, settings, profile_id, version, changed_at)"
            " VALUES (?, ?, ?, 1, ?)",
            (endpoint.name, text, profile, now),
        )
        record(connection, now, actor, "create", "endpoint", endpoint.name, (*settings, "auth"))
        return ("created",)
    changed = _changed(json.loads(before[0]), settings)
    lost = None if "auth" in endpoint.model_fields_set else before[2]
    if (before[1], before[2]) != (profile, lost):
        changed = (*changed, "auth")
    if changed:
        connection.exec_driver_sql(
            "UPDATE endpoints SET settings = ?, profile_id = ?, auth_lost = ?,"
            " version = version + 1, changed_at = ? WHERE name = ?",
            (text, profile, lost, now, endpoint.name),
        )
        record(connection, now, actor, "update", "endpoint", endpoint.name, changed)
    return changed


def delete(
    connection: Connection, name: str, *, now: int, actor: str, forced: bool = False
) -> None:
    """Remove the endpoint of this name. Raises NotFound. Whether it is used is asked before."""
    gone = connection.exec_driver_sql("DELETE FROM endpoints WHERE name = ?", (name,))
    if gone.rowcount == 0:
        raise _not_found(connection, name)
    states.forget(connection, name)
    verb = "delete by force" if forced else "delete"
    record(connection, now, actor, verb, "endpoint", name)


def lose_profile(connection: Connection, name: str, *, now: int, actor: str) -> tuple[str, ...]:
    """Take a profile that is deleted by force from every endpoint that has it; their names.

    Calls of these endpoints then fail as ``credential.missing`` until another profile is assigned.
    """
    rows = connection.exec_driver_sql(
        "UPDATE endpoints SET profile_id = NULL, auth_lost = ?, version = version + 1,"
        " changed_at = ? WHERE profile_id = (SELECT id FROM auth_profiles WHERE name = ?)"
        " RETURNING name",
        (name, now, name),
    )
    lost = tuple(sorted(row[0] for row in rows))
    for endpoint in lost:
        record(connection, now, actor, "update", "endpoint", endpoint, ("auth",))
    return lost


def using_profile(connection: Connection, name: str) -> tuple[Stored, ...]:
    """The endpoints that an auth profile is assigned to, by name."""
    rows = connection.exec_driver_sql(f"{_SELECT} WHERE p.name = ? ORDER BY e.name", (name,))
    return tuple(_stored(row) for row in rows)


def has_profile(connection: Connection, name: str) -> bool:
    """Whether there is an auth profile of this name."""
    found = connection.exec_driver_sql("SELECT 1 FROM auth_profiles WHERE name = ?", (name,))
    return found.one_or_none() is not None


def step_uses(connection: Connection, endpoint: str) -> tuple[StepUse, ...]:
    """Where an endpoint is used: by versions that users enter, or that users are inside."""
    steps: dict[int, list[str]] = {}
    for version_id, step in connection.exec_driver_sql(
        "SELECT version_id, step FROM version_endpoints WHERE endpoint = ? ORDER BY step",
        (endpoint,),
    ):
        steps.setdefault(version_id, []).append(step)
    rows = connection.exec_driver_sql(
        "SELECT v.id, v.journey, v.number,"
        " NOT EXISTS (SELECT 1 FROM versions w"
        "             WHERE w.journey = v.journey AND w.number > v.number),"
        " (SELECT count(*) FROM enrollments e WHERE e.version_id = v.id AND e.state <> 2)"
        " FROM versions v"
        " WHERE v.id IN (SELECT version_id FROM version_endpoints WHERE endpoint = ?)"
        " ORDER BY v.journey, v.number",
        (endpoint,),
    )
    found = [
        StepUse(endpoint, journey, number, bool(newest), tuple(steps[version_id]), inside)
        for version_id, journey, number, newest, inside in rows
    ]
    return tuple(use for use in found if use.newest or use.users_inside)


def settings_of(endpoint: Endpoint) -> dict[str, Any]:
    """What the row's ``settings`` hold: every field that isn't its default, but name and auth."""
    settings = endpoint.model_dump(mode="json", exclude=_APART, exclude_defaults=True)
    if "when" in settings.get("retry", {}):
        settings["retry"]["when"].sort()  # a set has no order, and a row is compared
    return settings


def _stored(row: Sequence[Any]) -> Stored:
    id_, version, name, settings, profile_id, profile, inline, auth_lost, changed_at = row
    try:
        endpoint = Endpoint(name=name, auth=profile or NO_AUTH, **json.loads(settings))
    except ValueError as error:
        raise SettingsError(
            f"the stored endpoint {name!r} can't be read; apply its file again",
            code="settings.endpoint",
        ) from error
    return Stored(
        id=id_,
        version=version,
        endpoint=endpoint,
        profile_id=profile_id,
        auth_lost=auth_lost,
        inline=bool(inline),
        changed_at=changed_at,
    )


def _changed(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    return tuple(key for key in Endpoint.model_fields if old.get(key) != new.get(key))


def _profile_id(connection: Connection, endpoint: Endpoint) -> int | None:
    if endpoint.profile is None:
        return None
    found: int | None = connection.exec_driver_sql(
        "SELECT id FROM auth_profiles WHERE name = ?", (endpoint.profile,)
    ).scalar()
    if found is not None:
        return found
    known = [row[0] for row in connection.exec_driver_sql("SELECT name FROM auth_profiles")]
    hint = did_you_mean(endpoint.profile, known)
    raise NotFound(
        f"endpoint {endpoint.name!r} names the auth profile {endpoint.profile!r}, which"
        f" doesn't exist{'; ' + hint if hint else ''}"
    )


def _not_found(connection: Connection, name: str) -> NotFound:
    known = [row[0] for row in connection.exec_driver_sql("SELECT name FROM endpoints")]
    hint = did_you_mean(name, known) or "see `journey endpoints list`"
    return NotFound(f"there is no endpoint {name!r}; {hint}")
