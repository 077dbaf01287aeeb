"""The menu: what an operator finds where, as far as he may see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access.roles import Permission

if TYPE_CHECKING:
    from engine.console.visit import Visit


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the menu; ``here`` says that the page is one of its."""

    name: str
    path: str
    here: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Lines under a heading."""

    name: str
    entries: tuple[Entry, ...]


_GROUPS: tuple[tuple[str, tuple[tuple[str, str, Permission | None], ...]], ...] = (
    (
        "Travel",
        (
            ("Home", "/", None),
            ("Journeys", "/journeys", Permission.JOURNEYS_READ),
            ("Users", "/users", Permission.USERS_READ),
            ("Events", "/events", Permission.EVENTS_READ),
            ("Calls", "/calls", Permission.CALLS_READ),
        ),
    ),
    (
        "API preferences",
        (
            ("Endpoints", "/endpoints", Permission.ENDPOINTS_READ),
            ("Auth profiles", "/profiles", Permission.PROFILES_READ),
            ("Webhooks", "/webhooks", Permission.HOOKS_READ),
            ("Policy and catalogue", "/policy", Permission.JOURNEYS_READ),
        ),
    ),
    (
        "Access",
        (
            ("API tokens", "/tokens", Permission.TOKENS_READ),
            ("Operators", "/operators", Permission.OPERATORS_READ),
            ("Key ring", "/keys", Permission.KEYS_READ),
        ),
    ),
    (
        "System",
        (
            ("Health", "/health", Permission.SYSTEM_READ),
            ("Audit", "/audit", Permission.AUDIT_READ),
        ),
    ),
)


def menu_of(visit: Visit, path: str) -> tuple[Group, ...]:
    """The groups that have something for who asks."""
    found = (
        Group(
            name,
            tuple(
                Entry(entry, to, _is_of(path, to))
                for entry, to, permission in entries
                if permission is None or visit.may(permission)
            ),
        )
        for name, entries in _GROUPS
    )
    return tuple(group for group in found if group.entries)


_ALONE = {"/user": "/users"}
"""Pages that belong to a line without standing below its path."""


def _is_of(path: str, to: str) -> bool:
    own = _ALONE.get(path, path)
    return own == to or (to != "/" and own.startswith(f"{to}/"))
