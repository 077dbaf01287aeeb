"""Deleting endpoints, auth profiles and what is declared: refused where used, with the usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.credentials import profiles
from engine.credentials.store.profiles import profile_by_name
from engine.endpoints import store
from engine.errors import InUse
from engine.users import catalogue
from engine.versions import usage

if TYPE_CHECKING:
    from engine.db.connect import Connection


def delete_endpoint(
    connection: Connection, name: str, *, force: bool = False, actor: str, now: int
) -> tuple[str, ...]:
    """Delete an endpoint, and the auth profile that is its own; the usage that force overrode.

    Raises NotFound, and InUse where journeys that users enter, or are inside of, call it; with
    ``force`` their calls fail as ``credential.missing`` from now on.
    """
    store.load(connection, name)
    used = usage.of_endpoint(connection, name)
    if used.uses and not force:
        raise InUse(
            f"endpoint {name} is in use and was not deleted; --force deletes it, and its calls"
            " then fail as credential.missing",
            used.lines(),
        )
    store.delete(connection, name, now=now, actor=actor, forced=bool(used.uses))
    own = profile_by_name(connection, name)
    if own is not None and own.columns.inline:  # perhaps overridden by one that has a name
        profiles.delete_profile(connection, name, actor=actor, now=now)
    return used.lines() if used.uses else ()


def delete_profile(
    connection: Connection, name: str, *, force: bool = False, actor: str, now: int
) -> tuple[str, ...]:
    """Delete an auth profile with its secrets; the usage that force overrode.

    Raises NotFound, and InUse where an endpoint has it; with ``force`` the calls of such endpoints
    fail as ``credential.missing`` until they are given another profile.
    """
    used = usage.of_profile(connection, name)
    lines = tuple(line for endpoint in used for line in endpoint.lines())
    if used and not force:
        raise InUse(
            f"auth profile {name} is in use and was not deleted; --force deletes it, and the calls"
            " of these endpoints then fail as credential.missing",
            lines,
        )
    if used:
        store.lose_profile(connection, name, now=now, actor=actor)
    profiles.delete_profile(connection, name, actor=actor, now=now)
    return lines


def delete_attribute(
    connection: Connection, name: str, *, force: bool = False, actor: str, now: int
) -> tuple[str, ...]:
    """Take an attribute out of the catalogue; the usage that force overrode. What users have of it
    stays.

    Raises NotFound, and InUse where a journey names it; with ``force`` such a journey is warned of
    when it is checked.
    """
    catalogue.remove_attribute(connection, name, now=now, actor=actor)
    return _overridden(f"attribute {name}", usage.of_attribute(connection, name), force)


def delete_event(
    connection: Connection, name: str, *, force: bool = False, actor: str, now: int
) -> tuple[str, ...]:
    """Take an event out of the catalogue; it comes in all the same. As :func:`delete_attribute`."""
    catalogue.remove_event(connection, name, now=now, actor=actor)
    return _overridden(f"event {name}", usage.of_event(connection, name), force)


def _overridden(what: str, used: tuple[str, ...], force: bool) -> tuple[str, ...]:
    """The usage. Raises InUse unless there is none, or ``force``; the caller's transaction ends."""
    if used and not force:
        raise InUse(
            f"{what} is in use and was not deleted; --force deletes it, and checks of these"
            " journeys then warn that it isn't declared",
            used,
        )
    return used
