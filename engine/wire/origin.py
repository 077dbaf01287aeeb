r"""Who a URL would dial: read strictly, so that what is checked is what is dialled.

URL parsers differ on hosts written oddly (``2130706433``, ``0x7f.1``, ``good\@evil``, a trailing
dot, letters outside ASCII), and each difference is a way around a check. Such URLs are refused
here; what is accepted means the same to every parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from engine.errors import CallFailure

_NEVER = r"\x00-\x20\x7f\\#"
_ORIGIN = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?"
    rf"(?=[/?][^{_NEVER}]*\Z|\Z)",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL (RFC 6454): lower-case, the port always there.

    ``host`` is an ASCII name, four decimal numbers, or an IPv6 address without brackets.
    """

    scheme: str
    host: str
    port: int


def prefix_of(url: str) -> str:
    """The part of ``url`` that decides who is dialled, as written: scheme, host, port.

    Raises ``CallFailure`` (``call.blocked``) for a URL that is not plainly one of http or https.
    """
    return _match(url).group()


def origin_of(url: str) -> Origin:
    """Who ``url`` would dial. Raises ``CallFailure`` (``call.blocked``) for what can't be safe."""
    found = _match(url)
    scheme = found[1].lower()
    port = int(found[3]) if found[3] else _DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise _refused("the URL's port is not between 1 and 65535")
    return Origin(scheme, read_host(found[2]), port)


def read_host(written: str) -> str:
    """The one spelling of a host. Raises ``CallFailure`` (``call.blocked``) for a dubious one."""
    if written.startswith("["):
        try:
            return str(IPv6Address(written[1:-1]))
        except ValueError:
            raise _refused("the URL's host is not an IPv6 address") from None
    host = written.lower()
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _four_numbers(host)
    if labels[-1] == "":
        raise _refused("the URL's host ends in a dot: write it without")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("the URL's host is not a valid name")
    return host


def _four_numbers(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise _refused("the URL's host is a number: write four decimal numbers") from None


def _match(url: str) -> re.Match[str]:
    found = _ORIGIN.match(url)
    if found is None:
        raise _refused(_what_is_wrong(url))
    return found


def _what_is_wrong(url: str) -> str:
    if re.search(f"[{_NEVER}]", url) is not None:
        return "the URL holds a space, control character, backslash or '#'"
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in _DEFAULT_PORTS:
        return "the URL is not absolute with http or https"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return "the URL carries a user or password before its host"
    if not authority.isascii():
        return "the URL's host is not ASCII: write it in its xn-- form"
    return "the URL's host and port can't be read"


def _refused(why: str) -> CallFailure:
    return CallFailure(why, code="call.blocked")
