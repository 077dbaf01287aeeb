"""What the form of an auth profile says, as an edit; and a stored profile as its form shows it.

A secret is read from the form, learned so that nothing ever prints it, and sealed. None goes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.console.kind_forms import KIND_FORMS, OF_ALL_KINDS
from engine.credentials.changes import MISSING
from engine.credentials.references import Given, read_source
from engine.errors import OperatorError
from engine.operations.edit_profile import Edit
from engine.telemetry.redact import known_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.console.visit import Fields
    from engine.credentials.references import SecretSource
    from engine.credentials.store.profiles import StoredProfile

WAYS = (
    ("value", "Typed here, sealed in the database"),
    ("env", "Environment variable, read by each process"),
    ("file", "File below JOURNEY_SECRET_DIRS, read as it changes"),
)
"""Where a secret may come from, and what the form says of it."""


def edit_of(kind: str, form: Fields) -> Edit:
    """The edit that a form asks for; what isn't in it stays as it is.

    Raises OperatorError for a reference that can't be one.
    """
    fields: dict[str, Any] = {}
    secrets: dict[str, SecretSource] = {}
    dropped: set[str] = set()
    for field in (*KIND_FORMS[kind].fields, *OF_ALL_KINDS):
        if field.name == "title":
            continue
        if field.secret:
            source = _source(field.name, form)
            if source is not None:
                secrets[field.name] = source
        elif field.name not in form:
            continue
        elif form[field.name] or field.kept_empty:
            fields[field.name] = form[field.name]
        else:
            dropped.add(field.name)
    _leave_out(kind, fields, secrets, dropped)
    title = form["title"] if "title" in form else None  # noqa: SIM401 - it is no dict
    return Edit(kind, title, fields, secrets, _missing, frozenset(dropped))


def _leave_out(
    kind: str, fields: dict[str, Any], secrets: dict[str, SecretSource], dropped: set[str]
) -> None:
    """What the choices of the form leave no room for: without JavaScript it stands there all the
    same.
    """
    if kind != "oauth2":
        return
    gone = {"username", "password"} if fields.get("grant") != "password" else set()
    if fields.get("client_auth") == "none":
        gone.add("client_secret")
    for name in gone:
        fields.pop(name, None)
        secrets.pop(name, None)
    dropped |= gone


def _source(name: str, form: Fields) -> SecretSource | None:
    """Where a secret is to come from; None: it stays as it is."""
    way = form[f"{name}.way"] or "value"
    if way == "value":
        value = form.exact(name)
        if not value and form[f"{name}.empty"] != "yes":
            return None
        known_secrets.learn((value,))
        return Given(value)
    reference = form[f"{name}.reference"]
    if not reference:
        return None
    try:
        return read_source({way: reference})
    except ValueError as error:
        raise OperatorError(f"{name}: {error}", code="auth.invalid") from None


def _missing(name: str) -> str:
    raise OperatorError(f"{name.replace('_', ' ')} is missing: give it", code=MISSING)


def written_of(stored: StoredProfile) -> dict[str, str]:
    """A stored profile as the fields of its form. Secrets are no part of it, except where a
    reference says they come from.
    """
    columns = stored.columns
    settings: Mapping[str, Any] = columns.settings
    if columns.kind == "api_key":
        settings = {**settings, **settings["pairs"][0]}
    written = {"title": columns.title}
    for field in (*KIND_FORMS[columns.kind].fields, *OF_ALL_KINDS):
        value = settings.get(field.name)
        if isinstance(value, dict):
            written |= _reference(field.name, value)
        elif field.name == "default_ttl" and isinstance(value, int):
            written[field.name] = f"PT{value // 1_000_000}S"
        elif value is not None and not field.secret and field.name != "title":
            written[field.name] = str(value)
    return written


def _reference(name: str, value: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: text
        for way in ("env", "file")
        if way in value
        for key, text in ((f"{name}.way", way), (f"{name}.reference", str(value[way])))
    }


def safe_to_show(kind: str, form: Fields) -> dict[str, str]:
    """What a form said that is shown again beside what is wrong with it: no secret."""
    secret = {field.name for field in KIND_FORMS[kind].fields if field.secret}
    return {name: text for name, text in form.pairs if name not in secret and name != "csrf"}
