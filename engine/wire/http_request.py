"""A request as bytes: its head, written so that nothing in it can become another request."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from engine.core.message import Request
from engine.errors import CallFailure
from engine.wire.origin import Origin, prefix_of
from engine.wire.transport import check_request

USER_AGENT = "journey-engine"

_ALWAYS_SIZED = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say ``content-length: 0`` where there is no body (RFC 9110, 8.6)."""

_OURS_UNLESS_GIVEN = (("accept", "*/*"), ("user-agent", USER_AGENT))
_DEFAULT_PORTS = {"http": 80, "https": 443}

_KEPT = "!$%&'()*+,-./:;=?@[]_~|"
_PLAIN_TARGET = re.compile(rf"/[A-Za-z0-9{re.escape(_KEPT)}]*")
"""What needs no escaping; all of it is also what :mod:`engine.wire.origin` lets pass."""


def authority_of(origin: Origin) -> str:
    """What the Host header says: the host, with its port where that isn't the scheme's own."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if origin.port == _DEFAULT_PORTS[origin.scheme]:
        return host
    return f"{host}:{origin.port}"


def write_head(request: Request, prefix: str, authority: str) -> bytes:
    """The request line and the header section of ``request``, to its empty line (RFC 9112).

    ``prefix`` is the part of the URL before its path. Raises ``CallFailure``
    (``call.unfillable``) where :func:`~engine.wire.transport.check_request` does, and
    (``call.blocked``) where :func:`~engine.wire.origin.prefix_of` does.
    """
    names, values = check_request(request)
    method, body, target = request.method, request.body, request.url[len(prefix) :]
    if _PLAIN_TARGET.fullmatch(target) is None:
        target = _escape(request.url, prefix)
    sized = f"content-length: {len(body)}\r\n" if body or method in _ALWAYS_SIZED else ""
    head = (
        f"{method} {target} HTTP/1.1\r\nhost: {authority}\r\n{_fields(names) % values}{sized}\r\n"
    )
    return head.encode("ascii")


@lru_cache(maxsize=512)
def _fields(names: tuple[str, ...]) -> str:
    """The lines of headers of these names, ``%s`` for each value, and those that we always send."""
    given = [f"{name.replace('%', '%%')}: %s\r\n" for name in names]
    ours = [f"{name}: {value}\r\n" for name, value in _OURS_UNLESS_GIVEN if name not in names]
    return "".join([*given, *ours, "accept-encoding: identity\r\n"])


def _escape(url: str, prefix: str) -> str:
    """The target of ``url``, with what it can't hold as percent-encoded UTF-8 (RFC 3986, 2.1)."""
    if prefix_of(url) != prefix:
        raise CallFailure("the URL's host and port can't be read", code="call.blocked")
    target = url[len(prefix) :]
    try:
        return quote(target if target.startswith("/") else "/" + target, safe=_KEPT)
    except UnicodeEncodeError:
        raise CallFailure("the URL can't be written as HTTP", code="call.unfillable") from None
