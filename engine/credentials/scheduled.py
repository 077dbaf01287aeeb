"""A rotation at a time: the next value of a secret becomes current by itself.

Nobody has to be at work then: the first process that resolves the credential at that time or later
makes the change, in one transaction, and every other one sees it as it sees any rotation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.credentials.expiry import EXPIRY
from engine.credentials.store import profiles as store
from engine.credentials.store import tokens

if TYPE_CHECKING:
    from engine.credentials.store.profiles import StoredProfile
    from engine.db.connect import Connection


def next_at(stored: StoredProfile) -> int | None:
    """When the first of the profile's next values becomes current; None: there is none."""
    return min((each.valid_from or 0 for each in stored.next.values()), default=None)


def is_due(stored: StoredProfile, now: int) -> bool:
    """Whether a next value is to be current at ``now`` (wall time)."""
    at = next_at(stored)
    return at is not None and at <= now


def cut_over(connection: Connection, profile_id: int, now: int) -> None:
    """Make every next value current whose time has come. ``now`` is wall time."""
    stored = store.profile_by_id(connection, profile_id)
    if stored is None or not is_due(stored, now):
        return  # another process was faster
    due = sorted(each.field for each in stored.next.values() if (each.valid_from or 0) <= now)
    settings = {name: value for name, value in stored.columns.settings.items() if name != EXPIRY}
    columns = replace(stored.columns, version=stored.columns.version + 1, settings=settings)
    store.change_profile(connection, profile_id, columns, now)
    tokens.forget_token(connection, profile_id, columns.version)
    for each in due:
        store.begin_next(connection, profile_id, stored.next[each], now)
    store.end_overlaps(connection, now)
    record(connection, now, "engine", "rotate", "auth profile", columns.name, due)
