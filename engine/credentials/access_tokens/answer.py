"""What a token server answered: a token, or a failure with its cure. Pure, and tolerant.

Servers answer JSON under any content type, or a form; count lives in text, floats or not at all;
and say errors with status 200. What can't be sent as a token is refused here, before any header is
built of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from engine.core import guarded_json
from engine.core.expressions.durations import SECOND
from engine.core.message import Answer
from engine.core.steps.answers import pause_asked
from engine.credentials.kinds.oauth2 import OAuth2
from engine.credentials.kinds.token_expired import value_at

LARGEST_ANSWER = 256 * 1024

_LONGEST_TOKEN = 32 * 1024
_LONGEST_SAID = 4_000
_LONGEST_LIFE_S = 10 * 365 * 86_400
_SECONDS_IN = {"seconds": 1.0, "milliseconds": 0.001, "minutes": 60.0}
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_SENDABLE = re.compile(r"[\x21-\x7e]+")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_OTHER_TYPES = frozenset({"mac", "dpop", "pop", "hmac", "n_a"})
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_TRANSIENT_CODES = frozenset({"server_error", "temporarily_unavailable", "slow_down"})
_HINTS = {
    "invalid_client": (
        "check client_id and client_secret"
        " (if the server wants them raw in Basic, set basic_encoding: raw)"
    ),
    "invalid_grant": "check username and password, or the refresh token was withdrawn",
    "unauthorized_client": "the server doesn't let this client use this grant",
    "unsupported_grant_type": "the server doesn't know this grant",
    "invalid_scope": "check scope",
    "invalid_request": "check client_auth, body and parameters",
    "invalid_target": "check the resource or audience parameter",
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and its life in microseconds; ``warning`` where the life had to be guessed."""

    access_token: str = field(repr=False)
    life: int
    refresh_token: str | None = field(default=None, repr=False)
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """No token. ``permanent`` failures need a person; ``error`` is the OAuth code, '' without one;
    ``retry_after`` is in microseconds. ``said`` are the server's own words, not yet redacted.
    ``of_secret`` where another secret might be taken.
    """

    text: str
    permanent: bool
    error: str = ""
    retry_after: int | None = None
    said: str = field(default="", repr=False)
    of_secret: bool = False


def read_answer(answer: Answer, profile: OAuth2, now: int) -> Grant | Refused:
    """What the token server said; ``now`` is wall time."""
    if answer.failure is not None:
        permanent = answer.failure in ("call.blocked", "call.unfillable")
        return Refused(f"the token server gave no answer: {answer.text}", permanent)
    if 300 <= answer.status < 400:
        return Refused(
            f"the token server redirects ({answer.status}), and a secret follows no redirect:"
            " correct the token server's URL",
            permanent=True,
        )
    document = _document(answer)
    error = _error_code(document)
    if answer.status >= 400 or error:
        said = document.get("error_description") if isinstance(document, dict) else None
        return _refused(answer, error, said, profile, now)
    if not isinstance(document, dict):
        return Refused("the token server's answer is neither JSON nor a form", permanent=False)
    return _grant(document, profile)


def _refused(answer: Answer, error: str, said: object, profile: OAuth2, now: int) -> Refused:
    transient = (
        answer.status >= 500
        or answer.status in _TRANSIENT_STATUSES
        or (error in _TRANSIENT_CODES and answer.status != 401)
    )
    hint = _HINTS.get(error, "")
    if not hint and answer.status == 401:
        hint = _HINTS["invalid_client"]
    elif not hint and answer.status in (404, 405):
        hint = "check token_url"
    answered = f"{answer.status} {error}".strip()
    of_password = error == "invalid_grant" and profile.grant == "password"
    return Refused(
        f"the token server answered {answered}" + (f": {hint}" if hint else ""),
        not transient,
        error,
        pause_asked(answer, now),
        # Cut before it is redacted, it could end in half a secret.
        said if isinstance(said, str) and len(said) <= _LONGEST_SAID else "",
        not transient and (error == "invalid_client" or answer.status == 401 or of_password),
    )


def _document(answer: Answer) -> object:
    try:
        return guarded_json.parse(answer.body)
    except guarded_json.NotGuardedJSON:
        pass
    try:
        pairs = parse_qsl(answer.body.decode("ascii"), strict_parsing=True, max_num_fields=200)
    except ValueError:
        return None
    # JSON with a slip in it may pass for a form, but for its names.
    plain = all(_CODE.fullmatch(name) for name, _ in pairs)
    return dict(pairs) if pairs and plain else None


def _error_code(document: object) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        error = error.get("code") or error.get("type")
    if error is None or error == "":
        return ""
    return error if isinstance(error, str) and _CODE.fullmatch(error) else "an unreadable error"


def _grant(document: dict[str, object], profile: OAuth2) -> Grant | Refused:
    token = value_at(document, profile.token_path)
    if token is None or token == "":
        return _malformed(f"no {profile.token_path}")
    if not isinstance(token, str):
        return _malformed(f"{profile.token_path} is no text")
    if not _SENDABLE.fullmatch(token) or len(token) > _LONGEST_TOKEN:
        return _malformed(f"{profile.token_path} can't be sent in a header")
    kind = value_at(document, "token_type")
    if isinstance(kind, str) and kind.strip().lower() in _OTHER_TYPES:
        return _malformed("a token of another type than Bearer")
    life = _life(value_at(document, profile.expiry_path), profile.expiry_unit)
    refresh = value_at(document, "refresh_token")
    usable = isinstance(refresh, str) and bool(_SENDABLE.fullmatch(refresh))
    return Grant(
        access_token=token,
        life=profile.default_ttl if life is None else life,
        refresh_token=str(refresh) if usable else None,
        warning="" if life is not None else f"no usable {profile.expiry_path}: default_ttl is used",
    )


def _malformed(what: str) -> Refused:
    return Refused(f"malformed answer of the token server: {what}", permanent=True)


def _life(written: object, unit: str) -> int | None:
    """Microseconds; None where the answer doesn't say, or says what can't be."""
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    if isinstance(written, str) and not _NUMBER.fullmatch(written.strip()):
        return None  # Python would read more into it: `1_000`, other scripts' digits
    try:
        seconds = float(written) * _SECONDS_IN[unit]
    except (ValueError, OverflowError):
        return None
    return int(seconds * SECOND) if 0 < seconds <= _LONGEST_LIFE_S else None
