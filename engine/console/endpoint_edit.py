"""What an endpoint's form says, as fields of its model; and an endpoint as its form shows it.

Where an endpoint moves with its auth profile the form demands the profile's secrets. They are
compared, and never shown again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.endpoints import store
from engine.errors import OperatorError
from engine.telemetry.redact import known_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.console.visit import Fields
    from engine.endpoints.store import Stored
    from engine.operations.moving import Move

_TEXTS = ("title", "description", "base_url", "delivery", "idempotency_header")
_SECRET = "secret."
"""What the names of demanded secrets begin with in the form."""


def written_of(stored: Stored) -> dict[str, str]:
    """An endpoint as the fields of its form."""
    endpoint = stored.endpoint
    settings = store.settings_of(endpoint)
    rate, breaker = settings.get("rate_limit") or {}, settings.get("circuit_breaker") or {}
    return {
        **{name: str(settings.get(name) or "") for name in _TEXTS},
        "name": endpoint.name,
        "auth": endpoint.auth if stored.auth_lost is None else "",
        "timeout": endpoint.timeout.total.text,
        "concurrency": str(endpoint.concurrency),
        "rate_count": str(rate.get("count", "")),
        "rate_per": str(rate.get("per", "")),
        "breaker_failures": str(breaker.get("failures", "")),
        "breaker_per": str(breaker.get("per", "")),
        "breaker_open_for": str(breaker.get("open_for", "")),
        "hold": endpoint.on_auth_failure.hold.max.text if endpoint.on_auth_failure.hold else "",
        "headers": "\n".join(f"{name}: {value}" for name, value in endpoint.headers.items()),
        "allow": "\n".join(endpoint.allow),
        "contact": "yes" if endpoint.contact else "",
    }


def fields_of(form: Fields) -> dict[str, Any]:
    """The model's fields that a form gives; None takes one back to its default.

    Raises OperatorError for what is no number where one stands, and no header.
    """
    fields: dict[str, Any] = {name: form[name] or None for name in _TEXTS}
    fields["base_url"] = form["base_url"]
    fields["timeout"] = {"total": form["timeout"]} if form["timeout"] else None
    fields["concurrency"] = _whole(form, "concurrency")
    fields["rate_limit"] = _parts(form, "rate", ("count",), ("per",))
    fields["circuit_breaker"] = _parts(form, "breaker", ("failures",), ("per", "open_for"))
    fields["on_auth_failure"] = {"hold": {"max": form["hold"]}} if form["hold"] else None
    fields["headers"] = _headers(form["headers"])
    fields["allow"] = [line.strip() for line in form["allow"].splitlines() if line.strip()]
    fields["contact"] = form["contact"] == "yes"
    return fields


def shown_secrets(form: Fields, move: Move, fingerprint: Callable[[str], str]) -> dict[str, str]:
    """The keyed fingerprints of the secrets that a move demands, of those that the form gives."""
    given = {name: form.exact(_SECRET + name) for name in move.secrets}
    known_secrets.learn(given.values())
    return {name: fingerprint(value) for name, value in given.items() if value}


def safe_to_show(form: Fields) -> dict[str, str]:
    """What a form said that is shown again beside what is wrong with it: no secret."""
    return {
        name: text for name, text in form.pairs if not name.startswith(_SECRET) and name != "csrf"
    }


def _whole(form: Fields, name: str) -> int | None:
    text = form[name]
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise OperatorError(f"{name.replace('_', ' ')}: give a whole number")
    return int(text)


def _parts(
    form: Fields, prefix: str, numbers: Sequence[str], texts: Sequence[str]
) -> dict[str, object] | None:
    """A field that is made of several; None where nothing of it is given."""
    found: dict[str, object] = {name: _whole(form, f"{prefix}_{name}") for name in numbers}
    found |= {name: form[f"{prefix}_{name}"] or None for name in texts}
    given = {name: value for name, value in found.items() if value is not None}
    return given or None


def _headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in text.splitlines():
        name, sign, value = line.partition(":")
        if not line.strip():
            continue
        if not sign:
            raise OperatorError("headers: write one `Name: value` on each line")
        headers[name.strip()] = value.strip()
    return headers
