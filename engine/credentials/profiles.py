"""Creating, changing, renaming and deleting auth profiles.

Every verb takes the connection of a write transaction, the actor and ``now`` (wall time), writes
its audit row in that transaction, and answers with names only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.credentials.attach import origin_text
from engine.credentials.changes import (
    SecretInputs,
    changed_fields,
    require_secrets_again,
    secret_changes,
)
from engine.credentials.expiry import EXPIRY
from engine.credentials.kinds.registry import profile_name_problem
from engine.credentials.loaded import secret_place
from engine.credentials.scheduled import cut_over, is_due
from engine.credentials.store import profiles as store
from engine.credentials.store import tokens
from engine.credentials.wording import CLIENT_CERTIFICATE
from engine.errors import CallFailure, InUse, NotFound, OperatorError
from engine.wire.certificates import ends_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.credentials.kinds.base import AuthKind
    from engine.credentials.references import References
    from engine.credentials.store.profiles import ProfileColumns, StoredProfile
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection

AUDITED = "auth profile"
_FOR_PEOPLE = frozenset({"title", EXPIRY})
"""What changes nothing of what is sent."""

_LONG_ENOUGH_FOR_A_HINT = 16


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What a verb did: the profile's id and version now, the names of changed fields, and notes
    about secrets that were kept. Nothing changed where ``fields`` is empty. ``given`` are the
    secret fields whose present value was given: whoever gave it knows the secret.
    """

    profile_id: int
    version: int
    created: bool
    fields: tuple[str, ...]
    notes: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()


def set_profile(
    connection: Connection,
    vault: Vault,
    references: References,
    name: str,
    written: AuthKind,
    *,
    actor: str,
    now: int,
    take_secrets: bool = False,
    inline: bool = False,
) -> ProfileChange:
    """Create the profile ``name``, or make it what ``written`` says.

    ``references`` hold the environment that ``seal_from_env`` reads. Doing it twice changes
    nothing the second time. Raises OperatorError for a field left without a secret, for one that
    can't be sent, and where a stored secret would go to another token server unless it is given
    again.
    """
    if (problem := profile_name_problem(name)) is not None:
        raise OperatorError(problem, code="auth.name")
    stored = _as_due(connection, name, now)

    def was_held(field: str, fingerprint: str) -> bool:
        return stored is not None and store.was_held(connection, stored.id, field, fingerprint)

    inputs = SecretInputs(vault, references, was_held, take_secrets, now)
    changes = secret_changes(name, written, stored, inputs)
    columns = _columns(name, written, stored, inline)
    given = frozenset({*changes.put, *changes.known})
    if stored is not None:
        require_secrets_again(stored, columns, written, given, now)
        columns = _with_expiry_of(stored, columns) if changes.kept_rotated else columns
    changed = changed_fields(stored, columns)
    sealed = (*changes.put, *changes.remove)
    fields = tuple(dict.fromkeys((*changed, *sealed)))
    if stored is not None and not fields:
        return ProfileChange(stored.id, columns.version, False, (), tuple(changes.notes), given)
    profile_id, columns = _written(connection, stored, columns, fields, now)
    store.remove_secrets(connection, profile_id, changes.remove)
    _seal(connection, vault, written, profile_id, columns.version, changes.put, now)
    store.end_overlaps(connection, now)
    record(connection, now, actor, "update" if stored else "create", AUDITED, name, fields)
    created, notes = stored is None, tuple(changes.notes)
    return ProfileChange(profile_id, columns.version, created, fields, notes, given)


def _seal(
    connection: Connection,
    vault: Vault,
    written: AuthKind,
    profile_id: int,
    version: int,
    values: Mapping[str, str],
    now: int,
) -> None:
    for field, value in values.items():
        put = (written, profile_id, version, field, value, now)
        store.put_secret(connection, profile_id, sealed_secret(connection, vault, *put))


def rename(connection: Connection, old: str, new: str, *, actor: str, now: int) -> None:
    """Give the profile another name; id, secrets, token and history stay. An endpoint's own becomes
    a profile like any other, since its name no longer says whose it is.

    Raises NotFound, and OperatorError for a name that is taken or none.
    """
    stored = require_profile(connection, old)
    problem = profile_name_problem(new)
    if problem is None and new != old and store.profile_by_name(connection, new) is not None:
        problem = f"there is an auth profile {new} already"
    if problem is not None:
        raise OperatorError(problem, code="auth.name")
    if new == old:
        return
    columns = replace(stored.columns, name=new, inline=False)
    store.change_profile(connection, stored.id, columns, now)
    record(connection, now, actor, "rename", AUDITED, new, (f"name (was {old})",))


def extend_origins(
    connection: Connection, name: str, urls: Iterable[str], *, actor: str, now: int
) -> tuple[str, ...]:
    """Let the credential be sent to the hosts of these URLs too; the origins that are new.

    Raises NotFound, and OperatorError for a URL that can't be dialled safely.
    """
    stored = require_profile(connection, name)
    added = tuple(sorted(set(_origins(urls)) - set(stored.columns.origins)))
    if not added:
        return ()
    columns = replace(
        stored.columns,
        version=stored.columns.version + 1,
        origins=tuple(sorted({*stored.columns.origins, *added})),
    )
    store.change_profile(connection, stored.id, columns, now)
    tokens.carry_token(connection, stored.id, columns.version)
    record(connection, now, actor, "bind", AUDITED, name, ("origins",))
    return added


def delete_profile(connection: Connection, name: str, *, actor: str, now: int) -> None:
    """Delete the profile, its secrets and its token.

    Raises NotFound, and InUse naming the endpoints that have it.
    """
    stored = require_profile(connection, name)
    used_by = store.endpoints_using(connection, stored.id)
    if used_by:
        raise InUse(
            f"auth profile {name} is used by {', '.join(used_by)}",
            tuple(f"endpoint {each}" for each in used_by),
        )
    store.remove_profile(connection, stored.id)
    record(connection, now, actor, "delete", AUDITED, name)


def require_profile(connection: Connection, name: str) -> StoredProfile:
    """The profile of this name. Raises NotFound."""
    stored = store.profile_by_name(connection, name)
    if stored is None:
        raise NotFound(f"there is no auth profile {name}; `journey auth list` shows them")
    return stored


def _as_due(connection: Connection, name: str, now: int) -> StoredProfile | None:
    """The profile after what was scheduled for ``now`` or before it."""
    stored = store.profile_by_name(connection, name)
    if stored is not None and is_due(stored, now):
        cut_over(connection, stored.id, now)
        stored = store.profile_by_name(connection, name)
    return stored


def _columns(
    name: str, written: AuthKind, stored: StoredProfile | None, inline: bool
) -> ProfileColumns:
    before = () if stored is None else stored.columns.origins
    return store.ProfileColumns(
        name=name,
        title=written.title,
        kind=written.kind,
        settings=written.stored_settings(),
        origins=tuple(sorted({*before, *_origins(written.origins)})),
        version=1 if stored is None else stored.columns.version,
        inline=inline,
    )


def _written(
    connection: Connection,
    stored: StoredProfile | None,
    columns: ProfileColumns,
    fields: tuple[str, ...],
    now: int,
) -> tuple[int, ProfileColumns]:
    """The profile's row as it is from now on: its id, and its columns with their version."""
    if stored is None:
        return store.add_profile(connection, columns, now), columns
    if not set(fields) <= _FOR_PEOPLE:
        columns = replace(columns, version=columns.version + 1)
    store.change_profile(connection, stored.id, columns, now)
    _follow(connection, stored.id, columns.version, fields)
    return stored.id, columns


def _origins(urls: Iterable[str]) -> list[str]:
    try:
        return [origin_text(url) for url in urls]
    except CallFailure as refusal:
        raise OperatorError(f"origins: {refusal.message}", code="auth.origin") from None


def _follow(connection: Connection, profile_id: int, version: int, fields: tuple[str, ...]) -> None:
    if set(fields) <= _FOR_PEOPLE:
        return
    if set(fields) <= _FOR_PEOPLE | {"origins", "inline"}:
        tokens.carry_token(connection, profile_id, version)
    else:
        tokens.forget_token(connection, profile_id, version)


def _with_expiry_of(stored: StoredProfile, columns: ProfileColumns) -> ProfileColumns:
    """A file from before the rotation tells of the old secret's end."""
    settings = {name: value for name, value in columns.settings.items() if name != EXPIRY}
    if EXPIRY in stored.columns.settings:
        settings[EXPIRY] = stored.columns.settings[EXPIRY]
    return replace(columns, settings=settings)


def sealed_secret(
    connection: Connection,
    vault: Vault,
    profile: AuthKind,
    profile_id: int,
    version: int,
    field: str,
    value: str,
    now: int,
) -> store.SealedSecret:
    """``version`` is the profile's, which rises with every change: no two values share a place."""
    return store.SealedSecret(
        field=field,
        version=version,
        sealed=vault.seal(connection, value, secret_place(profile_id, field, version)),
        fingerprint=vault.fingerprint(value),
        hint=_hint(profile, field, value),
        set_at=now,
    )


def _hint(profile: AuthKind, field: str, value: str) -> str:
    """What may be shown of a value: of a certificate its end, of keys and tokens theirs."""
    if field == CLIENT_CERTIFICATE:
        return ends_on(value) or ""
    may_show = profile.shows_last_four(field) and len(value) >= _LONG_ENOUGH_FOR_A_HINT
    return value[-4:] if may_show else ""
