"""Replacing one secret of an auth profile: the next resolution of every process uses the new."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.credentials.changes import require_usable
from engine.credentials.expiry import EXPIRY
from engine.credentials.loaded import profile_of
from engine.credentials.profiles import AUDITED, ProfileChange, require_profile, sealed_secret
from engine.credentials.references import FromEnv, FromFile
from engine.credentials.store import profiles as store
from engine.credentials.store import tokens
from engine.errors import NotFound, OperatorError

if TYPE_CHECKING:
    from engine.credentials.kinds.base import AuthKind
    from engine.credentials.store.profiles import StoredProfile
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection

SECOND = 1_000_000
LONGEST_OVERLAP_US = 90 * 86_400 * SECOND


def rotate(
    connection: Connection,
    vault: Vault,
    name: str,
    value: str,
    *,
    field: str | None = None,
    actor: str,
    now: int,
    overlap_us: int = 0,
    expires: str | None = None,
) -> ProfileChange:
    """Replace one sealed secret; ``now`` is wall time.

    ``field`` may be left out where there is only one that is meant (:func:`main_field`). For
    ``overlap_us`` microseconds the old value is tried where the new one is refused; without it, the
    old one ends now. ``expires`` (a date) is when the service ends the new one, if it says so.
    Raises NotFound, and OperatorError for a field that isn't sealed here or can't hold ``value``.
    """
    stored = require_profile(connection, name)
    profile = profile_of(stored)
    field = field or main_field(name, profile)
    _require_sealed(name, profile, field)
    require_usable(name, profile, field, value)
    if not 0 <= overlap_us <= LONGEST_OVERLAP_US:
        raise OperatorError("an overlap is at most 90 days", code="auth.overlap")
    before = stored.secrets.get(field)
    if before is not None and before.fingerprint == vault.fingerprint(value):
        note = f"{field}: that is its value already"
        return ProfileChange(stored.id, stored.columns.version, False, (), (note,))
    columns = replace(
        stored.columns,
        version=stored.columns.version + 1,
        settings=_settings(stored, expires),
    )
    store.change_profile(connection, stored.id, columns, now)
    tokens.forget_token(connection, stored.id, columns.version)
    store.end_overlaps(connection, now)
    secret = sealed_secret(
        connection, vault, profile, stored.id, columns.version, field, value, now
    )
    until = now + overlap_us if overlap_us else None
    store.put_secret(connection, stored.id, secret, overlap_until=until)
    record(connection, now, actor, "rotate", AUDITED, name, (field,))
    return ProfileChange(stored.id, columns.version, False, (field,))


def main_field(name: str, profile: AuthKind) -> str:
    """The secret that is meant where none is named: the only one, or the client's among parameters.

    Raises OperatorError where that can't be told: no secret is sealed, or a person's password
    stands beside the client's secret.
    """
    sealed = sealed_fields(profile)
    if "client_secret" in sealed and "password" not in sealed:
        return "client_secret"
    if len(sealed) == 1:
        return sealed[0]
    if not sealed:
        raise OperatorError(f"auth profile {name} has no sealed secret", code="auth.no_secret")
    raise OperatorError(
        f"auth profile {name} has several secrets: name one with --field ({', '.join(sealed)})",
        code="auth.which_field",
    )


def sealed_fields(profile: AuthKind) -> list[str]:
    """The fields whose values stand in the vault."""
    return [
        field
        for field, source in profile.sources().items()
        if not isinstance(source, FromEnv | FromFile)
    ]


def _require_sealed(name: str, profile: AuthKind, field: str) -> None:
    source = profile.sources().get(field)
    if source is None:
        known = ", ".join(profile.sources()) or "none"
        raise NotFound(f"auth profile {name} has no secret {field!r}; it has: {known}")
    if isinstance(source, FromEnv | FromFile):
        kind = "variable" if isinstance(source, FromEnv) else "file"
        raise OperatorError(
            f"auth profile {name}: {field} is read from the {kind} {source.name}: change it there",
            code="auth.reference",
        )


def _settings(stored: StoredProfile, expires: str | None) -> dict[str, object]:
    """A new secret has an end of its own, or none that is known."""
    kept = {name: value for name, value in stored.columns.settings.items() if name != EXPIRY}
    return kept if expires is None else {**kept, EXPIRY: expires}
