"""What keeps others out of an operator's browser: cookies, headers, where a form came from.

Sessions and their CSRF tokens are :mod:`engine.access.sessions`'; here they meet HTTP.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

SAID = "journey_said"
_SESSION = "journey_session"
_SAID_S = 60
_LONGEST_SAID = 1_500

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""https://www.w3.org/TR/CSP3/: nothing runs that isn't a file of ours, nothing stands in a line."""

HEADERS = {
    "content-security-policy": POLICY,
    # With no-referrer browsers send `Origin: null` with forms, and nobody knew where they are from.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
"""Headers of every page."""

_HSTS = "max-age=31536000"


def is_secure(request: Request) -> bool:
    """Whether the browser came over TLS, as a trusted proxy tells."""
    return request.url.scheme == "https"


def session_of(request: Request) -> str:
    """The session's id in the cookie; '' for none."""
    return request.cookies.get(_cookie(request), "")


def keep_session(request: Request, response: Response, session: str) -> None:
    """Give the browser a session's id, or take it away for ''. It ends with the browser."""
    if not session:
        response.delete_cookie(_cookie(request), path="/", secure=is_secure(request), httponly=True)
        return
    response.set_cookie(
        _cookie(request),
        session,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def is_of_another_site(request: Request) -> bool:
    """Whether a browser says that another site's page sent this. What says neither is no browser.

    https://www.w3.org/TR/fetch-metadata/
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def protect(request: Request, response: Response) -> None:
    """Put the headers on that the answer hasn't got yet."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if is_secure(request):
        response.headers.setdefault("strict-transport-security", _HSTS)


def keep_said(request: Request, response: Response, session: str, said: str, *, bad: bool) -> None:
    """Let the next page say something, once. It is signed: nobody else makes our pages talk."""
    text = ("!" if bad else " ") + said[:_LONGEST_SAID]
    body = urlsafe_b64encode(text.encode("utf-8", "replace")).decode()
    response.set_cookie(
        SAID,
        f"{body}.{_mac(session, body)}",
        max_age=_SAID_S,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def take_said(request: Request, session: str) -> tuple[str, bool] | None:
    """What the page before wanted said, and whether it is bad; None for nothing."""
    body, _, mac = request.cookies.get(SAID, "").partition(".")
    if not body or not hmac.compare_digest(mac.encode(), _mac(session, body).encode()):
        return None
    try:
        text = urlsafe_b64decode(body.encode()).decode()
    except (Error, ValueError):
        return None
    return text[1:], text[:1] == "!"


def _mac(session: str, body: str) -> str:
    key = session.encode("utf-8", "surrogatepass")
    return hmac.digest(key, b"said:" + body.encode("utf-8", "surrogatepass"), "sha256").hex()


def _cookie(request: Request) -> str:
    # The prefix makes browsers refuse one that was set without TLS, or for more than this host.
    return f"__Host-{_SESSION}" if is_secure(request) else _SESSION
