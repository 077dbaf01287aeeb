"""Who may do what: every permission, and in one table who has it.

Routes and pages ask for a permission by its name, and nobody asks for a role.
"""

from __future__ import annotations

from enum import StrEnum

ROLES = ("admin", "builder", "viewer")
"""What an operator may be."""


class Permission(StrEnum):
    """Something that may be allowed. ``read`` never shows a secret, to nobody.

    ``ENDPOINTS_AUTH`` is to assign an auth profile, and to move an endpoint that has one to another
    host: what sends a secret somewhere else. ``ENDPOINTS_WRITE`` is any other change of one.
    """

    EVENTS_WRITE = "events.write"
    EVENTS_READ = "events.read"
    USERS_WRITE = "users.write"
    USERS_READ = "users.read"
    USERS_ERASE = "users.erase"
    JOURNEYS_READ = "journeys.read"
    JOURNEYS_WRITE = "journeys.write"
    ENROLLMENTS_WRITE = "enrollments.write"
    ENROLLMENTS_READ = "enrollments.read"
    CALLS_READ = "calls.read"
    CALLS_REDRIVE = "calls.redrive"
    ENDPOINTS_READ = "endpoints.read"
    ENDPOINTS_WRITE = "endpoints.write"
    ENDPOINTS_TEST = "endpoints.test"
    ENDPOINTS_AUTH = "endpoints.auth"
    PROFILES_READ = "profiles.read"
    PROFILES_WRITE = "profiles.write"
    PROFILES_TEST = "profiles.test"
    HOOKS_READ = "hooks.read"
    HOOKS_WRITE = "hooks.write"
    TOKENS_READ = "tokens.read"
    TOKENS_WRITE = "tokens.write"
    OPERATORS_READ = "operators.read"
    OPERATORS_WRITE = "operators.write"
    KEYS_READ = "keys.read"
    KEYS_WRITE = "keys.write"
    AUDIT_READ = "audit.read"
    SYSTEM_READ = "system.read"


_SEES = frozenset(
    {
        Permission.EVENTS_READ,
        Permission.USERS_READ,
        Permission.JOURNEYS_READ,
        Permission.ENROLLMENTS_READ,
        Permission.CALLS_READ,
        Permission.ENDPOINTS_READ,
        Permission.SYSTEM_READ,
    }
)
_BUILDS = _SEES | {
    Permission.EVENTS_WRITE,
    Permission.USERS_WRITE,
    Permission.JOURNEYS_WRITE,
    Permission.ENROLLMENTS_WRITE,
    Permission.CALLS_REDRIVE,
    Permission.ENDPOINTS_WRITE,
    Permission.ENDPOINTS_TEST,
    Permission.PROFILES_READ,
    Permission.HOOKS_READ,
    Permission.AUDIT_READ,
}

PERMISSIONS: dict[str, frozenset[Permission]] = {
    "admin": frozenset(Permission),
    "builder": frozenset(_BUILDS),
    "viewer": _SEES,
    "journeys": frozenset(
        {
            Permission.EVENTS_READ,
            Permission.USERS_READ,
            Permission.JOURNEYS_READ,
            Permission.ENROLLMENTS_READ,
            Permission.ENROLLMENTS_WRITE,
            Permission.CALLS_READ,
        }
    ),
    "user_data": frozenset({Permission.EVENTS_WRITE, Permission.USERS_WRITE}),
}
"""Role of an operator, or kind of an API token → what it may do. ``admin`` is both."""


def allows(holder: str, permission: Permission) -> bool:
    """Whether an operator of this role, or an API token of this kind, may do that. Who is neither
    may nothing.
    """
    return permission in PERMISSIONS.get(holder, frozenset())
