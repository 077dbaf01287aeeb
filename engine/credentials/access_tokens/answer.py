"""What a token server answered: a token, or a failure with its cure. Pure, and tolerant.

Servers answer JSON under any content type, or a form; count lives in text, floats or not at all;
and say errors with status 200. What can't be sent as a token is refused here, before any header is
built of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

from engine.core import guarded_json
from engine.core.message import Answer
from engine.credentials.kinds.oauth2 import OAuth2

SECOND = 1_000_000
LARGEST_ANSWER = 256 * 1024

_LONGEST_TOKEN = 32 * 1024
_LONGEST_LIFE_S = 10 * 365 * 86_400
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
    ``retry_after`` is in microseconds.
    """

    text: str
    permanent: bool
    error: str = ""
    retry_after: int | None = None


def read_answer(answer: Answer, profile: OAuth2) -> Grant | Refused:
    """What the token server said."""
    if answer.failure is not None:
        permanent = answer.failure in ("call.blocked", "call.unfillable")
        return Refused(f"the token server gave no answer: {answer.text}", permanent)
    if 300 <= answer.status < 400:
        return Refused(
            f"the token server redirects ({answer.status}), and a secret follows no redirect:"
            " correct token_url",
            permanent=True,
        )
    document = _document(answer)
    error = _error_code(document)
    if answer.status >= 400 or error:
        return _refused(answer, error)
    if not isinstance(document, dict):
        return Refused("the token server's answer is neither JSON nor a form", permanent=False)
    return _grant(document, profile)


def _refused(answer: Answer, error: str) -> Refused:
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
    said = f"{answer.status} {error}".strip()
    text = f"the token server answered {said}" + (f": {hint}" if hint else "")
    return Refused(text, not transient, error, _retry_after(answer))


def _document(answer: Answer) -> object:
    try:
        return guarded_json.parse(answer.body)
    except guarded_json.NotGuardedJSON:
        pass
    try:
        pairs = parse_qsl(answer.body.decode("ascii"), strict_parsing=True, max_num_fields=200)
    except ValueError:
        return None
    return dict(pairs) or None


def _error_code(document: object) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        error = error.get("code") or error.get("type")
    if error is None or error == "":
        return ""
    return error if isinstance(error, str) and _CODE.fullmatch(error) else "an unreadable error"


def _grant(document: dict[str, object], profile: OAuth2) -> Grant | Refused:
    token = _at(document, profile.token_path)
    if token is None or token == "":
        return _malformed(f"no {profile.token_path}")
    if not isinstance(token, str):
        return _malformed(f"{profile.token_path} is no text")
    if not _SENDABLE.fullmatch(token) or len(token) > _LONGEST_TOKEN:
        return _malformed(f"{profile.token_path} can't be sent in a header")
    kind = _at(document, "token_type")
    if isinstance(kind, str) and kind.strip().lower() in _OTHER_TYPES:
        return _malformed("a token of another type than Bearer")
    life = _life(_at(document, profile.expiry_path))
    refresh = _at(document, "refresh_token")
    usable = isinstance(refresh, str) and bool(_SENDABLE.fullmatch(refresh))
    return Grant(
        access_token=token,
        life=profile.default_ttl if life is None else life,
        refresh_token=str(refresh) if usable else None,
        warning="" if life is not None else f"no usable {profile.expiry_path}: default_ttl is used",
    )


def _malformed(what: str) -> Refused:
    return Refused(f"malformed answer of the token server: {what}", permanent=True)


def _life(written: object) -> int | None:
    """Microseconds; None where the answer doesn't say, or says what can't be."""
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    try:
        seconds = float(written)
    except (ValueError, OverflowError):
        return None
    return int(seconds * SECOND) if 0 < seconds <= _LONGEST_LIFE_S else None


def _at(document: object, path: str) -> object:
    """What stands at a dotted path; a name with dots in it is tried first."""
    if isinstance(document, Mapping) and path in document:
        return document[path]
    found: object = document
    for name in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isascii() and name.isdigit():
            found = found[int(name)] if int(name) < len(found) else None
        else:
            return None
    return found


def _retry_after(answer: Answer) -> int | None:
    written = answer.headers.get("retry-after", "").strip()
    if written.isascii() and written.isdigit():
        return int(written[:9]) * SECOND
    try:
        # Against the server's own clock, which is the one the date was made by.
        until = parsedate_to_datetime(written)
        pause = until - parsedate_to_datetime(answer.headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0, int(pause.total_seconds() * SECOND))
