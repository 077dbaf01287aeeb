"""What tells one state of an endpoint, auth profile or hook from another, so that who changes it
says which one he has seen: nobody undoes by accident what somebody else has done meanwhile.

A mark stands for one state, also if what it is of is deleted and made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ChangedMeanwhile

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.credentials.store.profiles import StoredProfile
    from engine.endpoints.store import Stored
    from engine.hooks.store import StoredHook

ANY = "*"
"""Stands for whatever there is."""


def endpoint_mark(stored: Stored | None) -> str | None:
    """An endpoint's; None where there is none."""
    return None if stored is None else f"{stored.id}-{stored.version}"


def profile_mark(stored: StoredProfile | None) -> str | None:
    """An auth profile's, its secrets among it. The version alone doesn't rise with a title."""
    if stored is None:
        return None
    return f"{stored.id}-{stored.columns.version}-{stored.changed_at}"


def hook_mark(stored: StoredHook | None) -> str | None:
    """A hook's, its secret among it."""
    return None if stored is None else f"{stored.id}-{stored.changed_at}"


def require_same(what: str, seen: Collection[str], now: str | None) -> None:
    """Raise ChangedMeanwhile unless the mark ``now`` is one of those that were ``seen``, or nothing
    is said of that. Ask in the transaction that makes the change.
    """
    if seen and (now is None or (now not in seen and ANY not in seen)):
        raise ChangedMeanwhile(
            f"{what} was changed meanwhile, and this change wasn't made: look at it as it is now"
        )
