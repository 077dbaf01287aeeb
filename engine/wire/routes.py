"""Which line a request takes: to one checked address of its origin, under its network."""

from __future__ import annotations

import asyncio

from engine.clock import stopwatch
from engine.errors import CallFailure
from engine.wire.egress import Egress
from engine.wire.http_request import authority_of
from engine.wire.line import Line
from engine.wire.lookup import Lookup
from engine.wire.origin import Origin, origin_of, prefix_of
from engine.wire.tls import Contexts
from engine.wire.transport import Network

MAX_ROUTES = 256

KEY_KEPT_S = 300.0
"""A client certificate, with its key, that no call has shown for so long is forgotten."""


class Route:
    """The way to one origin under one network: its checked addresses and the line now in use.

    ``prefix`` is how URLs that take it begin. A line stays for every address that was tried: where
    a service is down, changing over from one address to the other and back must not cost the
    connections each time.
    """

    __slots__ = (
        "addresses",
        "authority",
        "fresh_until",
        "line",
        "lines",
        "network",
        "origin",
        "prefix",
        "used",
    )

    def __init__(self, prefix: str, network: Network) -> None:
        self.prefix = prefix
        self.origin: Origin = origin_of(prefix)
        self.authority = authority_of(self.origin)
        self.network = network
        self.addresses: tuple[str, ...] = ()
        self.line: Line | None = None
        self.lines: dict[str, Line] = {}
        self.fresh_until = 0.0
        self.used = 0.0


class Routes:
    """Every route in use, the least recently used ones closed beyond ``MAX_ROUTES``."""

    def __init__(self, egress: Egress, lookup: Lookup) -> None:
        self._egress = egress
        self._lookup = lookup
        self._contexts = Contexts()
        self._routes: dict[tuple[str, Network], Route] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    def to(self, url: str, network: Network, now: float) -> Route:
        """The route ``url`` takes. Raises ``CallFailure`` for a URL no transport dials."""
        # Most calls take a known route: what stands before the path has been read strictly then.
        end = url.find("/", 8)
        route = self._routes.get((url[:end], network)) if end > 0 else None
        if route is None:
            route = self._make(prefix_of(url), network)
        route.used = now
        return route

    async def open(self, route: Route, within_s: float) -> Line:
        """Look the origin up, check every address, and return a line to one of them.

        Raises ``CallFailure``: ``call.blocked``, or ``call.unreachable`` without an address.
        """
        origin = route.origin
        addresses = await self._lookup.addresses(origin.host, within_s)
        refusal = self._egress.check(origin.host, origin.port, addresses)
        if refusal is not None:
            self._retire(route)
            raise CallFailure(refusal, code="call.blocked")
        self.check_open()
        route.addresses = addresses
        self._retire(route, keep=addresses)
        line = route.line or self._switch(route, addresses[0])
        route.fresh_until = stopwatch() + self._lookup.lifetime_s
        return line

    def after(self, route: Route, line: Line) -> Line | None:
        """``line`` can't be reached: the line to try next, None where there is one address only."""
        self._lookup.doubt(route.origin.host)
        route.fresh_until = 0.0
        if route.line is not line:
            return route.line
        if len(route.addresses) < 2 or line.address not in route.addresses:
            return None
        place = route.addresses.index(line.address) + 1
        return self._switch(route, route.addresses[place % len(route.addresses)])

    def check_open(self) -> None:
        """Raise ``CallFailure`` (``call.unreachable``) after :meth:`close`."""
        if self._closed:
            raise CallFailure("the transport is closed", code="call.unreachable")

    async def close(self) -> None:
        """Retire every line. Nothing can be opened afterwards."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for route in self._routes.values():
            self._retire(route)
        self._routes.clear()
        await self._lookup.close()

    def _make(self, prefix: str, network: Network) -> Route:
        """A route, a new one unless it is there; the one longest unused makes room for it."""
        route = self._routes.get((prefix, network))
        if route is None:
            route = Route(prefix, network)
            if len(self._routes) >= MAX_ROUTES:
                oldest = min(self._routes, key=lambda key: self._routes[key].used)
                self._retire(self._routes.pop(oldest))
            self._routes[prefix, network] = route
            if network.client_certificate is not None and self._sweep is None:
                self._forget_keys_later()
        return route

    def _forget_keys_later(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(KEY_KEPT_S, self._forget_keys)

    def _forget_keys(self) -> None:
        """Forget the client certificates that aren't used any more: changed, or of profiles that
        are gone.
        """
        since = stopwatch() - KEY_KEPT_S
        shown = {key: one for key, one in self._routes.items() if key[1].client_certificate}
        for key, route in shown.items():
            if route.used <= since:
                self._retire(self._routes.pop(key))
        left = {each.network.client_certificate or "" for each in self._routes.values()}
        self._contexts.keep(left)
        self._sweep = None
        if any(left):
            self._forget_keys_later()

    def _switch(self, route: Route, address: str) -> Line:
        line = route.lines.get(address)
        if line is None:
            network, secured = route.network, route.origin.scheme == "https"
            asked = network.ca is not None or network.client_certificate is not None
            # Also for http: a certificate that can't be read is told before it is needed.
            tls = self._contexts.of(network) if secured or asked else None
            line = Line(route.origin, address, network, tls if secured else None)
            route.lines[address] = line
        route.line = line
        return line

    def _retire(self, route: Route, *, keep: tuple[str, ...] = ()) -> None:
        """Take lines to other addresses out of use."""
        for address in [each for each in route.lines if each not in keep]:
            route.lines.pop(address).retire()
        if route.line is not None and route.line.address not in keep:
            route.line = None
            route.fresh_until = 0.0
