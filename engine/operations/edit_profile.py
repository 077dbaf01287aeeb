"""Changing single fields of an auth profile: what is stored, with what an operator gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.credentials.kinds.base import AuthKind
from engine.credentials.kinds.registry import read_profile
from engine.credentials.references import Given, Sealed, SecretSource
from engine.credentials.wording import CLIENT_CERTIFICATE
from engine.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.credentials.store.profiles import StoredProfile
    from engine.wire.egress import Egress

_SECRETS = {"basic": ("password",), "bearer": ("token",), "api_key": ("value",)}


@dataclass(slots=True, frozen=True)
class Edit:
    """What to change. ``fields`` are plain; ``secrets`` say where values come from, by field.

    Of an ``api_key`` with one pair the fields are ``name``, ``in`` and ``prefix``, its secret is
    ``value``. ``ask`` gives the value of a secret that is needed and not there yet. ``dropped``
    fields go back to their defaults.
    """

    kind: str | None
    title: str | None
    fields: Mapping[str, Any]
    secrets: Mapping[str, SecretSource]
    ask: Callable[[str], str] = field(repr=False)
    dropped: frozenset[str] = frozenset()


def edited(name: str, stored: StoredProfile | None, edit: Edit, egress: Egress) -> AuthKind:
    """The profile as it is to be. Raises OperatorError with everything that is wrong with it."""
    kind = edit.kind or (stored.columns.kind if stored is not None else None)
    if kind is None:
        raise OperatorError(
            f"there is no auth profile {name} yet: give its --kind"
            " (none, basic, bearer, api_key, oauth2)"
        )
    written: dict[str, Any] = {"kind": kind}
    if stored is not None:
        written["title"] = stored.columns.title
        if stored.columns.kind == kind:
            written.update(_editable(stored.columns.settings))
    if kind == "oauth2" and ("issuer" in edit.fields) != ("token_url" in edit.fields):
        written.pop("token_url" if "issuer" in edit.fields else "issuer", None)
    if edit.title is not None:
        written["title"] = edit.title
    _refuse_literals(kind, edit.fields)
    target = _pair(written) if kind == "api_key" else written
    for name_of_field in edit.dropped:
        target.pop(name_of_field, None)
    target.update(edit.fields)
    target.update(edit.secrets)
    for secret in _needed(kind, written):
        if secret not in target:
            target[secret] = Given(edit.ask(secret))
    profile = read_profile(written, egress=egress)
    if isinstance(profile, AuthKind):
        return profile
    raise OperatorError(
        f"auth profile {name}: {'; '.join(str(problem) for problem in profile)}",
        code="auth.invalid",
    )


def _needed(kind: str, written: Mapping[str, Any]) -> tuple[str, ...]:
    if kind != "oauth2":
        return _SECRETS.get(kind, ())
    without = written.get("client_auth") in ("none", "mtls")
    secrets = () if without else ("client_secret",)
    return (*secrets, "password") if written.get("grant") == "password" else secrets


def _pair(written: dict[str, Any]) -> dict[str, Any]:
    pairs = written.setdefault("pairs", [{}])
    if len(pairs) != 1:
        raise OperatorError("a profile with several pairs is changed by `journey apply`")
    pair: dict[str, Any] = pairs[0]
    return pair


def _refuse_literals(kind: str, fields: Mapping[str, str]) -> None:
    for secret in (*_SECRETS.get(kind, ()), "client_secret", "password", CLIENT_CERTIFICATE):
        if secret in fields:
            raise OperatorError(
                f"{secret} can't stand on the command line, where every process sees it: use"
                f" --from-env {secret}=VARIABLE or --from-file {secret}=PATH, or leave it out to"
                " be asked",
                code="auth.literal",
            )


def _editable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings as they may be written again: what is sealed stays as it is."""
    editable = {key: _kept(value) for key, value in settings.items()}
    if "default_ttl" in editable:
        editable["default_ttl"] = f"PT{editable['default_ttl'] // 1_000_000}S"
    return editable


def _kept(value: Any) -> Any:
    if value == {"sealed": True}:
        return Sealed()
    if isinstance(value, dict):
        return {key: _kept(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_kept(inner) for inner in value]
    return value
