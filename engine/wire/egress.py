"""Which addresses may be dialled: public ones, and what JOURNEY_EGRESS_ALLOW opens.

Every address a name resolves to is checked, and only a checked address is dialled. The registries
are IANA's special-purpose ones (RFC 6890 and updates); ``ipaddress.is_global`` alone calls NAT64,
6to4, multicast and cloud metadata addresses global.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from engine.errors import SettingsError

SETTING = "JOURNEY_EGRESS_ALLOW"
LOOPBACK_ENTRIES: tuple[str, ...] = ("127.0.0.0/8", "[::1]")

Address = IPv4Address | IPv6Address
AddressRange = IPv4Network | IPv6Network

METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure, DigitalOcean, OpenStack, Oracle
        "169.254.170.2",  # AWS ECS task credentials
        "169.254.170.23",  # AWS EKS pod identity
        "169.254.42.42",  # Scaleway
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host
        "192.0.0.192",  # Oracle classic
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS pod identity
        "fd20:ce::254",  # Google
        "fd00:42::42",  # Scaleway
        "fe80::a9fe:a9fe",  # OpenStack
    )
)
"""Where clouds hand out credentials to whoever asks: only an exact entry opens one."""

_KINDS: tuple[tuple[str, tuple[AddressRange, ...]], ...] = tuple(
    (kind, tuple(ip_network(text) for text in ranges.split()))
    for kind, ranges in (
        ("unspecified", "0.0.0.0/8 ::/128"),
        ("loopback", "127.0.0.0/8 ::1/128"),
        ("IPv4-mapped", "::ffff:0:0/96"),
        ("IPv4-translated", "::ffff:0:0:0/96"),
        ("IPv4-compatible", "::/96"),
        ("NAT64", "64:ff9b::/96 64:ff9b:1::/48"),
        ("6to4", "2002::/16 192.88.99.0/24"),
        ("Teredo", "2001::/32"),
        ("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"),
        ("CGNAT", "100.64.0.0/10"),
        ("link-local", "169.254.0.0/16 fe80::/10"),
        ("site-local", "fec0::/10"),
        ("multicast", "224.0.0.0/4 ff00::/8"),
        ("documentation", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
        ("benchmarking", "198.18.0.0/15 2001:2::/48"),
        ("reserved", "192.0.0.0/24 240.0.0.0/4 100::/64 2001::/23 5f00::/16"),
    )
)
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


def kind_of(address: Address) -> str | None:
    """Why ``address`` is not a public one: ``loopback``, ``private``, ``metadata`` … or None."""
    inner = embedded(address)
    if address in METADATA or inner in METADATA:
        return "metadata"
    for kind, ranges in _KINDS:
        if any(address in each for each in ranges if each.version == address.version):
            return kind
    return None if address.is_global else "reserved"


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that a packet to ``address`` would reach in the end, if it carries one."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in each for each in _LAST_FOUR_BYTES):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


_LAST_FOUR_BYTES = tuple(
    ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96")
)


@dataclass(frozen=True, slots=True)
class Egress:
    """What may be dialled besides public addresses; made by :meth:`parse`.

    ``ranges`` open addresses on any port; ``pinned`` open one address on one port; ``names`` open
    whatever a name resolves to on one port, metadata addresses excepted. ``entries`` is the setting
    as written, for the line a refusal proposes.
    """

    ranges: tuple[AddressRange, ...] = ()
    pinned: frozenset[tuple[Address, int]] = frozenset()
    names: frozenset[tuple[str, int]] = frozenset()
    entries: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Egress:
        """Read the value of JOURNEY_EGRESS_ALLOW: comma-separated networks, addresses, host:port.

        ``127.0.0.0/8,[::1]``, ``10.0.0.5``, ``10.0.0.5:8080``, ``[fd00::7]:8080``, ``fd00::/8``,
        ``name.internal:443``. Empty opens nothing. Raises ``SettingsError`` naming the entry.
        """
        ranges: list[AddressRange] = []
        pinned: set[tuple[Address, int]] = set()
        names: set[tuple[str, int]] = set()
        entries = tuple(entry for part in text.split(",") if (entry := part.strip()))
        for entry in entries:
            host, port = _split(entry)
            if port is None:
                ranges.append(_range(entry, host))
            elif (address := _address(host)) is not None:
                pinned.add((address, port))
            elif _NAME.fullmatch(host.lower()):
                names.add((host.lower(), port))
            else:
                raise _malformed(entry)
        return cls(tuple(ranges), frozenset(pinned), frozenset(names), entries)

    def check(self, host: str, port: int, addresses: Iterable[str]) -> str | None:
        """None if every one of ``addresses`` may be dialled for ``host:port``; else why not.

        The refusal names the address, its kind, and the setting's line that would allow it.
        """
        for text in addresses:
            # fe80::1%eth0 is fe80::1, by one of the ways there are to it.
            address = ip_address(text.partition("%")[0])
            kind = kind_of(address)
            if kind is not None and not self._opened(host, port, address, kind):
                return self._refusal(address, kind)
        return None

    def _opened(self, host: str, port: int, address: Address, kind: str) -> bool:
        if (address, port) in self.pinned:
            return True
        holding = [
            each for each in self.ranges if each.version == address.version and address in each
        ]
        if any(each.num_addresses == 1 for each in holding):
            return True
        if kind == "metadata":
            return False
        if (host, port) in self.names:
            return True
        inner = embedded(address)
        if not holding or inner is None:
            return bool(holding)
        # A range over NAT64 or 6to4 opens the way there, not every IPv4 network behind it.
        inner_kind = kind_of(inner)
        return inner_kind is None or self._opened(host, port, inner, inner_kind)

    def _refusal(self, address: Address, kind: str) -> str:
        exact = (f"{address}/{address.max_prefixlen}",)
        new = LOOPBACK_ENTRIES if kind == "loopback" else exact
        line = ",".join(new + tuple(entry for entry in self.entries if entry not in new))
        what = "loopback" if kind == "loopback" else "it"
        return f"{address} is not a public address ({kind}): set {SETTING}={line} to allow {what}"


def _split(entry: str) -> tuple[str, int | None]:
    """An entry's host and port; the port is None where the entry is a network or an address."""
    host, colon, port = entry.rpartition(":")
    if "/" in entry or entry.endswith("]") or _address(entry) is not None or not colon:
        return entry, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _malformed(entry)
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise _malformed(entry)
    return host, int(port)


def _range(entry: str, text: str) -> AddressRange:
    bare = text.replace("[", "", 1).replace("]", "", 1) if text.startswith("[") else text
    try:
        return ip_network(bare)
    except ValueError as wrong:
        if "host bits" in str(wrong):
            right = ip_network(bare, strict=False)
            raise SettingsError(
                f"{SETTING}: {entry!r} is an address in a network: write {right} for the network"
            ) from None
        raise _malformed(entry) from None


def _address(text: str) -> Address | None:
    try:
        return ip_address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
    except ValueError:
        return None


def _malformed(entry: str) -> SettingsError:
    return SettingsError(
        f"{SETTING}: {entry!r} is not a network (10.0.0.0/8), an address ([::1]) "
        "or a host with its port (name.internal:443)"
    )
