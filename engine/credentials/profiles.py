"""Creating, changing, rotating, renaming and deleting auth profiles.

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
    require_usable,
    secret_changes,
)
from engine.credentials.kinds.registry import profile_name_problem
from engine.credentials.loaded import profile_of, secret_place
from engine.credentials.references import FromEnv, FromFile
from engine.credentials.store import profiles as store
from engine.credentials.store import tokens
from engine.errors import CallFailure, InUse, NotFound, OperatorError

if TYPE_CHECKING:
    from engine.credentials.kinds.base import AuthKind
    from engine.credentials.references import References
    from engine.credentials.store.profiles import ProfileColumns, StoredProfile
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection

_AUDITED = "auth profile"
_LONG_ENOUGH_FOR_A_HINT = 16


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What a verb did: the profile's id and version now, the names of changed fields, and notes
    about secrets that were kept. Nothing changed where ``fields`` is empty.
    """

    profile_id: int
    version: int
    created: bool
    fields: tuple[str, ...]
    notes: tuple[str, ...] = ()


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
    problem = profile_name_problem(name)
    if problem is not None:
        raise OperatorError(problem, code="auth.name")
    stored = store.profile_by_name(connection, name)

    def was_held(field: str, fingerprint: str) -> bool:
        return stored is not None and store.was_held(connection, stored.id, field, fingerprint)

    inputs = SecretInputs(vault, references, was_held, take_secrets, now)
    changes = secret_changes(name, written, stored, inputs)
    columns = _columns(name, written, stored, inline)
    if stored is not None:
        require_secrets_again(stored, columns, written, {*changes.put, *changes.known})
    changed = changed_fields(stored, columns)
    sealed = (*changes.put, *changes.remove)
    fields = tuple(dict.fromkeys((*changed, *sealed)))
    if stored is not None and not fields:
        return ProfileChange(stored.id, columns.version, False, (), tuple(changes.notes))
    if stored is None:
        profile_id = store.add_profile(connection, columns, now)
    else:
        profile_id = stored.id
        if set(fields) != {"title"}:
            columns = replace(columns, version=columns.version + 1)
        store.change_profile(connection, profile_id, columns, now)
        _follow(connection, profile_id, columns.version, fields)
    store.remove_secrets(connection, profile_id, changes.remove)
    for field, value in changes.put.items():
        secret = _sealed(connection, vault, written, profile_id, columns.version, field, value, now)
        store.put_secret(connection, profile_id, secret)
    verb = "create" if stored is None else "update"
    record(connection, now, actor, verb, _AUDITED, name, fields)
    return ProfileChange(profile_id, columns.version, stored is None, fields, tuple(changes.notes))


def rotate(
    connection: Connection,
    vault: Vault,
    name: str,
    value: str,
    *,
    field: str | None = None,
    actor: str,
    now: int,
) -> ProfileChange:
    """Replace one sealed secret; the next resolution in every process uses the new one.

    ``field`` may be left out where only one is sealed (of an OAuth profile: its client_secret).
    Raises NotFound, and OperatorError for a field that isn't sealed here or can't hold ``value``.
    """
    stored = _require(connection, name)
    profile = profile_of(stored)
    field = field or _main_field(name, profile)
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
    require_usable(name, profile, field, value)
    before = stored.secrets.get(field)
    if before is not None and before.fingerprint == vault.fingerprint(value):
        note = f"{field}: that is its value already"
        return ProfileChange(stored.id, stored.columns.version, False, (), (note,))
    columns = replace(stored.columns, version=stored.columns.version + 1)
    store.change_profile(connection, stored.id, columns, now)
    tokens.forget_token(connection, stored.id, columns.version)
    secret = _sealed(connection, vault, profile, stored.id, columns.version, field, value, now)
    store.put_secret(connection, stored.id, secret)
    record(connection, now, actor, "rotate", _AUDITED, name, (field,))
    return ProfileChange(stored.id, columns.version, False, (field,))


def rename(connection: Connection, old: str, new: str, *, actor: str, now: int) -> None:
    """Give the profile another name; id, secrets, token and history stay.

    Raises NotFound, and OperatorError for a name that is taken or none.
    """
    stored = _require(connection, old)
    problem = profile_name_problem(new)
    if problem is None and new != old and store.profile_by_name(connection, new) is not None:
        problem = f"there is an auth profile {new} already"
    if problem is not None:
        raise OperatorError(problem, code="auth.name")
    if new == old:
        return
    store.change_profile(connection, stored.id, replace(stored.columns, name=new), now)
    record(connection, now, actor, "rename", _AUDITED, new, (f"name (was {old})",))


def extend_origins(
    connection: Connection, name: str, urls: Iterable[str], *, actor: str, now: int
) -> tuple[str, ...]:
    """Let the credential be sent to the hosts of these URLs too; the origins that are new.

    Raises NotFound, and OperatorError for a URL that can't be dialled safely.
    """
    stored = _require(connection, name)
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
    record(connection, now, actor, "bind", _AUDITED, name, ("origins",))
    return added


def delete_profile(connection: Connection, name: str, *, actor: str, now: int) -> None:
    """Delete the profile, its secrets and its token.

    Raises NotFound, and InUse naming the endpoints that have it.
    """
    stored = _require(connection, name)
    used_by = store.endpoints_using(connection, stored.id)
    if used_by:
        raise InUse(
            f"auth profile {name} is used by {', '.join(used_by)}",
            tuple(f"endpoint {each}" for each in used_by),
        )
    store.remove_profile(connection, stored.id)
    record(connection, now, actor, "delete", _AUDITED, name)


def _require(connection: Connection, name: str) -> StoredProfile:
    stored = store.profile_by_name(connection, name)
    if stored is None:
        raise NotFound(f"there is no auth profile {name}; `journey auth list` shows them")
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


def _origins(urls: Iterable[str]) -> list[str]:
    try:
        return [origin_text(url) for url in urls]
    except CallFailure as refusal:
        raise OperatorError(f"origins: {refusal.message}", code="auth.origin") from None


def _follow(connection: Connection, profile_id: int, version: int, fields: tuple[str, ...]) -> None:
    if set(fields) == {"title"}:
        return
    if set(fields) <= {"title", "origins", "inline"}:
        tokens.carry_token(connection, profile_id, version)
    else:
        tokens.forget_token(connection, profile_id, version)


def _sealed(
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
    may_show = profile.shows_last_four(field) and len(value) >= _LONG_ENOUGH_FOR_A_HINT
    return store.SealedSecret(
        field=field,
        version=version,
        sealed=vault.seal(connection, value, secret_place(profile_id, field, version)),
        fingerprint=vault.fingerprint(value),
        hint=value[-4:] if may_show else "",
        set_at=now,
    )


def _main_field(name: str, profile: AuthKind) -> str:
    sealed = [
        field
        for field, source in profile.sources().items()
        if not isinstance(source, FromEnv | FromFile)
    ]
    if "client_secret" in sealed:
        return "client_secret"
    if len(sealed) == 1:
        return sealed[0]
    if not sealed:
        raise OperatorError(f"auth profile {name} has no sealed secret", code="auth.no_secret")
    raise OperatorError(
        f"auth profile {name} has several secrets: name one with --field ({', '.join(sealed)})",
        code="auth.which_field",
    )
