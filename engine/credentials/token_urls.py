"""Which token servers a secret may be sent to."""

from __future__ import annotations

from ipaddress import ip_address

from engine.errors import CallFailure
from engine.wire.egress import SETTING, Egress
from engine.wire.origin import Origin, origin_of


def check_token_url(url: str, egress: Egress) -> None:
    """Raise ValueError unless ``url`` is https, or http to loopback or to what egress opens."""
    try:
        origin = origin_of(url)
    except CallFailure as refusal:
        raise ValueError(refusal.message) from None
    if origin.scheme == "http" and not (_is_loopback(origin) or _is_opened(origin, egress)):
        raise ValueError(
            "must be https: a secret would travel in the clear"
            f" (for a server of your own, {SETTING} may name {origin.host}:{origin.port})"
        )


def check_issuer(url: str, egress: Egress) -> None:
    """Raise ValueError unless ``url`` may name an issuer: as a token URL, and without a query
    (RFC 8414, 2).
    """
    if "?" in url:
        raise ValueError("an issuer has no query")
    check_token_url(url, egress)


def discovered_url_problem(url: object, issuer: str) -> str | None:
    """Why a URL that ``issuer`` names can't be used; None if it can.

    Only the issuer's own origin, which was checked when it was written, may be plain http.
    """
    if not isinstance(url, str):
        return "is missing"
    try:
        origin, own = origin_of(url), origin_of(issuer)
    except CallFailure as refusal:
        return refusal.message
    if origin.scheme == "http" and origin != own:
        return "must be https"
    return None


def _is_loopback(origin: Origin) -> bool:
    if origin.host == "localhost":
        return True
    try:
        return ip_address(origin.host).is_loopback
    except ValueError:
        return False


def _is_opened(origin: Origin, egress: Egress) -> bool:
    if (origin.host, origin.port) in egress.names:
        return True
    try:
        address = ip_address(origin.host)
    except ValueError:
        return False
    in_range = any(address in each for each in egress.ranges if each.version == address.version)
    return in_range or (address, origin.port) in egress.pinned
