"""The contact policy as it is stored, and kept current: one for all journeys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.audit.store import record
from engine.core.dsl.contact_policy import ContactPolicy
from engine.db.statements import ask
from engine.errors import SettingsError

if TYPE_CHECKING:
    from engine.core.interpreter.contact import PolicyInForce
    from engine.db.connect import Connection

Verb = Literal["created", "changed", "removed", "unchanged"]


@dataclass(slots=True, frozen=True)
class StoredPolicy:
    """The policy, None where it was removed; ``version`` rises with every change."""

    version: int
    policy: ContactPolicy | None


def load(connection: Connection) -> StoredPolicy:
    """The policy that is stored. Raises SettingsError for one that this engine can't read."""
    row = connection.exec_driver_sql("SELECT version, policy FROM contact_policy").one_or_none()
    if row is None:
        return StoredPolicy(0, None)
    if row[1] is None:
        return StoredPolicy(row[0], None)
    try:
        return StoredPolicy(row[0], ContactPolicy.model_validate(json.loads(row[1])))
    except ValueError as error:
        raise SettingsError(
            "the stored contact policy can't be read; apply its file again",
            code="settings.contact_policy",
        ) from error


def save(
    connection: Connection, policy: ContactPolicy | None, *, now: int, actor: str
) -> tuple[Verb, tuple[str, ...]]:
    """Make ``policy`` the one that holds, or (None) let none hold: what became of the stored one,
    and which of its keys changed.
    """
    before = load(connection)
    old, new = written(before.policy), written(policy)
    if old == new and (before.policy is None) == (policy is None):
        return "unchanged", ()
    connection.exec_driver_sql(
        "INSERT INTO contact_policy (id, version, policy, changed_at) VALUES (1, 1, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET version = contact_policy.version + 1,"
        " policy = excluded.policy, changed_at = excluded.changed_at",
        (None if policy is None else json.dumps(new, ensure_ascii=False), now),
    )
    verb: Verb = "changed"
    if before.policy is None or policy is None:
        verb = "removed" if policy is None else "created"
    keys = tuple(key for key in ContactPolicy.model_fields if old.get(key) != new.get(key))
    audited = {"created": "create", "removed": "delete", "changed": "update"}[verb]
    record(connection, now, actor, audited, "contact policy", "", keys)
    return verb, keys


class LivePolicy:
    """Keeps ``in_force`` what is stored: a change holds for the next decision in every process."""

    __slots__ = ("_in_force", "_version")

    def __init__(self, in_force: PolicyInForce) -> None:
        self._in_force = in_force
        self._version = 0

    def look(self, connection: Connection) -> None:
        """Take the policy as it stands in the transaction of ``connection``, if it changed."""
        found = ask(connection, "SELECT version FROM contact_policy")
        if (found[0][0] if found else 0) != self._version:
            stored = load(connection)
            self._in_force.policy, self._version = stored.policy, stored.version


def written(policy: ContactPolicy | None) -> dict[str, object]:
    """The policy as a file has it, without what is the default; {} for none."""
    if policy is None:
        return {}
    return policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)
