"""Setting, rotating, listing and deleting hooks: sources of foreign webhooks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.credentials.key_ring import Place
from engine.errors import NotFound, OperatorError
from engine.hooks import deliveries, store
from engine.hooks.mapping import CompiledMapping, Mapped
from engine.hooks.signatures import PRESETS, NotSigned, standard_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.credentials.vault import Vault
    from engine.db.connect import Connection
    from engine.hooks.store import StoredHook

AUDITED = "hook"
LONGEST_OVERLAP_US = 90 * 86_400 * 1_000_000
SHORTEST_SECRET = 16

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_FIELDS = ("preset", "user", "event", "when", "properties", "secret")


@dataclass(frozen=True, slots=True)
class HookEdit:
    """What is to be set of a hook; None: as it was, '' takes ``event`` and ``when`` back to what
    they are unless said. With ``whole`` the properties are the whole body again. ``secret`` is
    sealed.
    """

    preset: str | None = None
    user: str | None = None
    event: str | None = None
    when: str | None = None
    properties: Mapping[str, object] | None = None
    secret: str | None = None
    whole: bool = False


def set_hook(
    connection: Connection, vault: Vault, name: str, edit: HookEdit, *, actor: str, now: int
) -> bool:
    """Create or change the hook ``name`` in a write transaction; whether it is new. ``now`` is wall
    time.

    Raises OperatorError for what can't be used, and where a new one lacks its preset, the
    expression of its user or its secret, or another preset would be verified with a secret that
    was given for the one before.
    """
    stored = store.find(connection, name)
    if stored is None and _NAME.fullmatch(name) is None:
        raise OperatorError(
            "a hook's name is of lower-case letters, digits and '-', at most 63",
            code="hooks.name",
        )
    preset = edit.preset or (stored.preset if stored is not None else None)
    mapped = _merged(_mapped(stored), edit)
    _require_usable(name, preset, mapped, edit.secret, stored)
    assert preset is not None  # noqa: S101 - it was just required
    if stored is None:
        hook_id, version = store.add(connection, name, preset, mapped.stored(), now), 0
    else:
        hook_id, version = stored.id, stored.secret_version
        store.change(connection, hook_id, preset, mapped.stored(), now)
    if edit.secret is not None:
        _seal(connection, vault, (hook_id, version), edit.secret, None, now)
    fields = [f for f in _FIELDS if getattr(edit, f) is not None]
    record(connection, now, actor, "create" if stored is None else "set", AUDITED, name, fields)
    return stored is None


def rotate(
    connection: Connection,
    vault: Vault,
    name: str,
    secret: str,
    *,
    overlap_us: int = 0,
    actor: str,
    now: int,
) -> None:
    """Replace a hook's secret; for ``overlap_us`` microseconds the present one is good, too.

    Raises NotFound, and OperatorError for what can't be one.
    """
    stored = require(connection, name)
    _require_secret(stored.preset, secret)
    if not 0 <= overlap_us <= LONGEST_OVERLAP_US:
        raise OperatorError("an overlap is at most 90 days", code="hooks.overlap")
    until = now + overlap_us if overlap_us else None
    _seal(connection, vault, (stored.id, stored.secret_version), secret, until, now)
    record(connection, now, actor, "rotate", AUDITED, name, ("secret",))


def delete(connection: Connection, name: str, *, actor: str, now: int) -> None:
    """Delete a hook; what is sent to it from now on is answered 404. Raises NotFound."""
    hook_id = require(connection, name).id
    deliveries.remove(connection, hook_id)
    store.remove(connection, hook_id)
    record(connection, now, actor, "delete", AUDITED, name)


def require(connection: Connection, name: str) -> StoredHook:
    """The hook. Raises NotFound."""
    stored = store.find(connection, name)
    if stored is None:
        raise NotFound(f"there is no hook {name[:60]!r}; see `journey hooks list`")
    return stored


def secrets_of(connection: Connection, vault: Vault, stored: StoredHook, now: int) -> list[str]:
    """The secrets that are good now, the present one first. Raises CredentialFailure."""
    present = vault.open(connection, stored.sealed, _place(stored.id, stored.secret_version))
    until = stored.previous_until
    if stored.previous_sealed is None or until is None or until <= now:
        return [present]
    place = _place(stored.id, stored.secret_version - 1)
    return [present, vault.open(connection, stored.previous_sealed, place)]


def _place(hook_id: int, version: int) -> Place:
    return Place("hooks", hook_id, "secret", version)


def _seal(
    connection: Connection,
    vault: Vault,
    hook: tuple[int, int],
    secret: str,
    previous_until: int | None,
    now: int,
) -> None:
    hook_id, version = hook
    sealed = vault.seal(connection, secret, _place(hook_id, version + 1))
    store.put_secret(connection, hook_id, sealed, previous_until, now)


def _mapped(stored: StoredHook | None) -> Mapped:
    return Mapped("") if stored is None else Mapped(**json.loads(stored.mapping))


def _merged(before: Mapped, edit: HookEdit) -> Mapped:
    """The mapping as it is to be."""
    return Mapped(
        edit.user or before.user,
        before.event if edit.event is None else edit.event or Mapped("").event,
        before.when if edit.when is None else edit.when or None,
        None if edit.whole else before.properties if edit.properties is None else edit.properties,
    )


def _require_usable(
    name: str, preset: str | None, mapped: Mapped, secret: str | None, stored: StoredHook | None
) -> None:
    known = ", ".join(PRESETS)
    if preset not in PRESETS:
        raise OperatorError(f"{name} needs a preset of: {known}", code="hooks.preset")
    if not mapped.user:
        raise OperatorError(
            f"{name} needs the expression of its user, as in event.customer.id", code="hooks.user"
        )
    CompiledMapping(mapped)
    if secret is not None:
        _require_secret(preset, secret)
    elif stored is None or stored.preset != preset:
        raise OperatorError(
            f"{name} needs the secret that its sender signs with", code="hooks.secret"
        )


def _require_secret(preset: str, secret: str) -> None:
    try:
        key = standard_key(secret) if preset == "standard" else secret.encode()
    except NotSigned as error:
        raise OperatorError(str(error), code="hooks.secret") from None
    if len(key) < SHORTEST_SECRET:
        raise OperatorError(
            f"the secret is shorter than {SHORTEST_SECRET} bytes: it could be guessed",
            code="hooks.secret",
        )
