"""Which secrets a written profile changes: decided before anything is stored.

A file that is applied again never undoes a rotation: a value that a field held before isn't put
back, and an unset variable keeps what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.core.expressions.durations import SECOND
from engine.credentials.references import FromEnv, FromFile, Given, SealFromEnv
from engine.errors import OperatorError

if TYPE_CHECKING:
    from engine.credentials.kinds.base import AuthKind
    from engine.credentials.references import References, SecretSource
    from engine.credentials.store.profiles import ProfileColumns, SealedSecret, StoredProfile
    from engine.credentials.vault import Vault


WasHeld = Callable[[str, str], bool]
"""Field and fingerprint → whether the field ever held that value."""

_GUARDED = ("token_url", "issuer", "revocation_url", "ca")
MISSING = "auth.missing_secret"
"""The code of an error for secrets that have no value yet."""
LONGEST_SECRET = 64 * 1024


@dataclass(slots=True)
class SecretChanges:
    """New values by field (to be sealed), fields to forget, and what to tell about the others.

    ``known`` are fields whose present value was given: whoever gave it knows the secret.
    ``kept_rotated`` where a value was not put back because it had been rotated away.
    """

    put: dict[str, str] = field(default_factory=dict, repr=False)
    known: set[str] = field(default_factory=set)
    remove: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept_rotated: bool = False


@dataclass(frozen=True, slots=True)
class SecretInputs:
    """What decides about secrets besides the profile: where values come from, what is held."""

    vault: Vault
    references: References
    was_held: WasHeld
    take_secrets: bool
    now: int


def secret_changes(
    name: str, written: AuthKind, stored: StoredProfile | None, inputs: SecretInputs
) -> SecretChanges:
    """What ``written`` changes in the secrets of the profile ``name``.

    Raises OperatorError where a field would be left without a value, or a value can't be sent.
    """
    changes, missing = SecretChanges(), []
    present = {} if stored is None else stored.secrets
    sources = written.sources()
    changes.remove = [
        each
        for each in present
        if each not in sources or isinstance(sources[each], FromEnv | FromFile)
    ]
    for each, source in sources.items():
        if isinstance(source, FromEnv | FromFile):
            continue
        value = _value(source, inputs.references)
        if value is not None:
            require_usable(name, written, each, value)
            _decide(each, source, value, present.get(each), inputs, changes)
        elif each not in present:
            missing.append(f"{each}: {_unset(source)}nothing is stored yet")
        elif isinstance(source, SealFromEnv):
            changes.notes.append(f"{each}: kept ({source.name} isn't set)")
    if missing:
        raise OperatorError(f"auth profile {name}: {', '.join(missing)}", code=MISSING)
    return changes


def require_usable(name: str, profile: AuthKind, field_name: str, value: str) -> None:
    """Raises OperatorError for a value that the field can't hold; never shows it."""
    problem = profile.value_problem(field_name, value)
    if len(value) > LONGEST_SECRET:
        problem = "is over 64 KiB"
    if any("\ud800" <= character <= "\udfff" for character in value):
        problem = "isn't valid Unicode"
    if problem is not None:
        raise OperatorError(f"auth profile {name}: {field_name} {problem}", code="auth.unusable")


def changed_fields(stored: StoredProfile | None, columns: ProfileColumns) -> tuple[str, ...]:
    """The names of what isn't secret and differs."""
    before = None if stored is None else stored.columns
    if before is None:
        return ("kind", *columns.settings)
    changed = [
        name
        for name in ("title", "kind", "origins", "inline")
        if getattr(before, name) != getattr(columns, name)
    ]
    settings = {*before.settings, *columns.settings}
    return (
        *changed,
        *sorted(
            name for name in settings if before.settings.get(name) != columns.settings.get(name)
        ),
    )


def require_secrets_again(
    stored: StoredProfile,
    columns: ProfileColumns,
    written: AuthKind,
    given_anew: Collection[str],
    now: int,
) -> None:
    """Nobody points a stored secret at a server of his own: he must know it.

    Raises OperatorError where the profile moves and keeps a sealed secret that wasn't given anew,
    or one besides the current ones. ``now`` is wall time.
    """
    before = stored.columns
    moved = [
        name
        for name in _GUARDED
        if _setting(before.settings, name) != _setting(columns.settings, name)
    ]
    if before.kind != columns.kind:
        moved = ["kind"]
    if not moved:
        return
    if kept := unknown_secrets(stored, written, given_anew):
        raise OperatorError(
            f"auth profile {columns.name}: changing {moved[0]} demands {', '.join(kept)} again:"
            " give the present value in the same command",
            code="auth.secret_again",
        )
    require_settled(stored, moved[0], now)


def unknown_secrets(
    stored: StoredProfile, written: AuthKind, given: Collection[str]
) -> tuple[str, ...]:
    """The sealed secrets that ``written`` keeps and whose value wasn't ``given``, by name."""
    return tuple(
        name
        for name, source in written.sources().items()
        if name in stored.secrets and name not in given and _is_kept(source)
    )


def require_settled(stored: StoredProfile, what: str, now: int) -> None:
    """Raise OperatorError where the profile holds other secrets than the current ones: the previous
    one of an overlap, the next one of a scheduled rotation. ``what`` is to be changed.
    """
    name = stored.columns.name
    overlaps = any((each.valid_until or 0) > now for each in stored.previous.values())
    if overlaps or stored.next:
        raise OperatorError(
            f"auth profile {name}: a rotation is under way, and its other secret would go along:"
            f" before changing {what} end it with `journey auth settle {name}`",
            code="auth.unsettled",
        )


def _setting(settings: Mapping[str, Any], name: str) -> object:
    """What a dotted name leads to; None for nothing."""
    found: object = settings
    for each in name.split("."):
        found = found.get(each) if isinstance(found, dict) else None
    return found


def _is_kept(source: SecretSource) -> bool:
    return not isinstance(source, FromEnv | FromFile)


def _value(source: SecretSource, references: References) -> str | None:
    if isinstance(source, Given):
        return source.value
    if isinstance(source, SealFromEnv):
        # Compose files pass what is unset as empty.
        return references.variable(source.name) or None
    return None


def _unset(source: SecretSource) -> str:
    return f"the variable {source.name} isn't set and " if isinstance(source, SealFromEnv) else ""


def _decide(
    field_name: str,
    source: SecretSource,
    value: str,
    present: SealedSecret | None,
    inputs: SecretInputs,
    changes: SecretChanges,
) -> None:
    fingerprint = inputs.vault.fingerprint(value)
    if present is not None and present.fingerprint == fingerprint:
        changes.known.add(field_name)
        return
    from_file = isinstance(source, SealFromEnv)
    held = from_file and present is not None and inputs.was_held(field_name, fingerprint)
    if present is not None and held and not inputs.take_secrets:
        changes.notes.append(
            f"{field_name}: kept, rotated {ago(inputs.now - present.set_at)};"
            " --take-secrets to overwrite"
        )
        changes.kept_rotated = True
        return
    changes.put[field_name] = value


def ago(microseconds: int) -> str:
    """A length of time in one rough word: ``2 h ago``."""
    seconds = max(0, microseconds) // SECOND
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now"
