"""Two pure functions per kind: putting a credential into a request, and knowing its rejection."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode

from engine.core import guarded_json
from engine.core.message import Answer, Request
from engine.credentials.credential import Credential, Pairs
from engine.credentials.kinds.registry import KINDS
from engine.errors import CallFailure, CredentialFailure
from engine.wire.origin import origin_of, prefix_of

_SENDABLE = re.compile(r"[\x20-\x7e\t]*")
_FORM = "application/x-www-form-urlencoded"
_JSON = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")


def attach(request: Request, credential: Credential) -> Request:
    """``request`` with ``credential`` in it; what the profile sets wins over the same name.

    Raises ``credential.host_not_allowed`` for a host the profile isn't bound to (nothing secret
    goes there), ``credential.unreadable`` for a value no header can carry, and ``call.unfillable``
    where the profile sets a body field and the body is neither a JSON object nor a form.
    """
    placement = credential.placement
    puts_something = placement.headers or placement.query or placement.body
    if not puts_something and credential.client_certificate is None:
        return request
    _require_bound(request.url, credential)
    headers, url, body = request.headers, request.url, request.body
    if placement.headers:
        headers = _with_headers(headers, placement.headers, credential)
    if placement.query:
        url = _with_query(url, placement.query)
    if placement.body:
        headers, body = _with_body(request, headers, placement.body)
    return Request(request.method, url, headers, body)


def rejected(answer: Answer, credential: Credential) -> bool:
    """Whether ``answer`` says that ``credential`` isn't good: worth one try with a fresh one."""
    if answer.status in (401, 403) and KINDS[credential.kind].rejected(answer):
        return True
    return credential.expired_when is not None and credential.expired_when(answer)


def origin_text(url: str) -> str:
    """Who ``url`` would dial, as ``https://host:port``. Raises ``call.blocked`` (CallFailure)."""
    return _origin_text(prefix_of(url))


@lru_cache(maxsize=4096)
def _origin_text(prefix: str) -> str:
    origin = origin_of(prefix)
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{origin.scheme}://{host}:{origin.port}"


def _require_bound(url: str, credential: Credential) -> None:
    origin = origin_text(url)
    if origin not in credential.origins:
        raise CredentialFailure(
            f"auth profile {credential.profile} may not be sent to {origin}:"
            " an admin allows it by applying the endpoint with this profile",
            code="credential.host_not_allowed",
        )


def _with_headers(headers: Pairs, pairs: Pairs, credential: Credential) -> Pairs:
    for name, value in pairs:
        if not _SENDABLE.fullmatch(value):
            raise CredentialFailure(
                f"auth profile {credential.profile}: the value for {name} holds a character that"
                " can't be sent in a header",
                code="credential.unreadable",
            )
    names = {name for name, _ in pairs}
    return (*(pair for pair in headers if pair[0] not in names), *pairs)


def _with_query(url: str, pairs: Pairs) -> str:
    bare, _, query = url.partition("?")
    names = {name for name, _ in pairs}
    kept = [
        piece
        for piece in query.split("&")
        if piece and unquote_plus(piece.partition("=")[0]) not in names
    ]
    added = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs]
    return f"{bare}?{'&'.join(kept + added)}"


def _with_body(request: Request, headers: Pairs, pairs: Pairs) -> tuple[Pairs, bytes]:
    if not request.body and request.method in ("GET", "HEAD"):
        raise _unfillable(f"{request.method} has no body")
    content_type = next((value for name, value in headers if name == "content-type"), "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == _FORM:
        return headers, _form_with(request.body, pairs)
    if media_type and not _JSON.fullmatch(media_type):
        raise _unfillable(f"the body is {media_type}")
    if not media_type:
        headers = (*headers, ("content-type", "application/json"))
    return headers, _json_with(request.body, pairs)


def _form_with(body: bytes, pairs: Pairs) -> bytes:
    names = {name for name, _ in pairs}
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=10_000)
    except ValueError:
        raise _unfillable("the body isn't a form") from None
    return urlencode([*(each for each in fields if each[0] not in names), *pairs]).encode()


def _json_with(body: bytes, pairs: Pairs) -> bytes:
    try:
        document = guarded_json.parse(body) if body else {}
    except guarded_json.NotGuardedJSON:
        raise _unfillable("the body isn't JSON") from None
    if not isinstance(document, dict):
        raise _unfillable("the body isn't a JSON object")
    return guarded_json.dumps({**document, **dict(pairs)})


def _unfillable(why: str) -> CallFailure:
    return CallFailure(
        f"the auth profile puts its key into the body, but {why}", code="call.unfillable"
    )
