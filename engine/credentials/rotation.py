"""Replacing one secret of an auth profile: the next resolution of every process uses the new."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.core.expressions.durations import SECOND
from engine.credentials.changes import require_usable
from engine.credentials.expiry import EXPIRY
from engine.credentials.loaded import profile_of
from engine.credentials.profiles import AUDITED, ProfileChange, require_profile, sealed_secret
from engine.credentials.references import FromEnv, FromFile
from engine.credentials.scheduled import cut_over
from engine.credentials.store import profiles as store
from engine.credentials.store import tokens
from engine.errors import NotFound, OperatorError

if TYPE_CHECKING:
    from engine.credentials.kinds.base import AuthKind
    from engine.credentials.store.profiles import StoredProfile
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection

LONGEST_OVERLAP_US = 90 * 86_400 * SECOND
LONGEST_AHEAD_US = 366 * 86_400 * SECOND


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
    stored, profile, field = _to_rotate(connection, name, field, value, overlap_us, now)
    if (unchanged := _unchanged(stored, field, vault.fingerprint(value))) is not None:
        return unchanged
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


def schedule(
    connection: Connection,
    vault: Vault,
    name: str,
    value: str,
    *,
    begins: int,
    field: str | None = None,
    actor: str,
    now: int,
    overlap_us: int = 0,
) -> ProfileChange:
    """Replace one sealed secret at ``begins`` (wall time), as :func:`rotate` does now.

    One field has one next value: a second one takes the place of the first. What is current stays
    so until then, with its token. Raises as :func:`rotate`, and OperatorError for a time that is
    over or more than a year ahead.
    """
    stored, profile, field = _to_rotate(connection, name, field, value, overlap_us, now)
    if not now < begins <= now + LONGEST_AHEAD_US:
        raise OperatorError(
            "a rotation is scheduled for a time to come, a year ahead at most", code="auth.begins"
        )
    if (unchanged := _unchanged(stored, field, vault.fingerprint(value))) is not None:
        return unchanged
    columns = replace(stored.columns, version=stored.columns.version + 1)
    store.change_profile(connection, stored.id, columns, now)
    tokens.carry_token(connection, stored.id, columns.version)
    secret = sealed_secret(
        connection, vault, profile, stored.id, columns.version, field, value, now
    )
    until = begins + overlap_us if overlap_us else None
    secret = replace(secret, valid_from=begins, valid_until=until)
    store.put_next(connection, stored.id, secret)
    record(connection, now, actor, "schedule", AUDITED, name, (field,))
    return ProfileChange(stored.id, columns.version, False, (field,))


def settle(connection: Connection, name: str, *, actor: str, now: int) -> ProfileChange:
    """Keep the current values only: overlaps end now, what is scheduled is given up.

    ``now`` is wall time. Nothing changes where there is neither. Raises NotFound.
    """
    stored = _as_due(connection, name, now)
    fields = tuple(sorted({*stored.previous, *stored.next}))
    if not fields:
        return ProfileChange(stored.id, stored.columns.version, False, ())
    columns = replace(stored.columns, version=stored.columns.version + 1)
    store.change_profile(connection, stored.id, columns, now)
    tokens.forget_token(connection, stored.id, columns.version)
    store.keep_current_only(connection, stored.id)
    record(connection, now, actor, "settle", AUDITED, name, fields)
    return ProfileChange(stored.id, columns.version, False, fields)


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


def _as_due(connection: Connection, name: str, now: int) -> StoredProfile:
    """The profile after what was scheduled for ``now`` or before it."""
    cut_over(connection, require_profile(connection, name).id, now)
    return require_profile(connection, name)


def _to_rotate(
    connection: Connection, name: str, field: str | None, value: str, overlap_us: int, now: int
) -> tuple[StoredProfile, AuthKind, str]:
    stored = _as_due(connection, name, now)
    profile = profile_of(stored)
    field = field or main_field(name, profile)
    _require_sealed(name, profile, field)
    require_usable(name, profile, field, value)
    if not 0 <= overlap_us <= LONGEST_OVERLAP_US:
        raise OperatorError("an overlap is at most 90 days", code="auth.overlap")
    return stored, profile, field


def _unchanged(stored: StoredProfile, field: str, fingerprint: str) -> ProfileChange | None:
    before = stored.secrets.get(field)
    if before is None or before.fingerprint != fingerprint:
        return None
    note = f"{field}: that is its value already"
    return ProfileChange(stored.id, stored.columns.version, False, (), (note,))


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
