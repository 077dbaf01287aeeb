"""pyreqwest clients: one per origin and network, bound to one checked address, kept while used."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from engine.clock import stopwatch
from engine.errors import CallFailure
from engine.wire.egress import Egress
from engine.wire.lookup import Lookup
from engine.wire.origin import Origin, origin_of, prefix_of
from engine.wire.transport import Network

IDLE_S = 4.0
"""Idle connections close after this: before Node's and uvicorn's 5 s, where races come from."""

MAX_ROUTES = 256
CONNECT_STEPS = (3.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05)
USER_AGENT = "journey-engine"


class Line:
    """A client bound to one address, and how many of its connections should lie idle.

    reqwest doesn't tell whether a request went over a reused connection. It does so whenever one
    lies idle, so counting what comes back and what is taken says it as well.
    """

    __slots__ = (
        "_idle",
        "address",
        "busy",
        "client",
        "connect_timeout",
        "idle_until",
        "max_response",
    )

    def __init__(
        self, client: Client, address: str, connect_timeout: float, max_response: int
    ) -> None:
        self.client = client
        self.address = address
        self.connect_timeout = connect_timeout
        self.max_response = max_response
        self.busy = 0
        self._idle = 0
        self.idle_until = 0.0

    def take(self, now: float) -> bool:
        """A request begins; True if it will go over a connection used before."""
        self.busy += 1
        if now >= self.idle_until:
            self._idle = 0
        if self._idle == 0:
            return False
        self._idle -= 1
        return True

    def give_back(self, reusable: bool) -> None:
        """The request ended; ``reusable`` if its connection is open for the next one."""
        self.busy -= 1
        if reusable:
            self._idle += 1
            self.idle_until = stopwatch() + IDLE_S


class Route:
    """The way to one origin under one network: its checked addresses and the line now in use.

    A line stays for every address that was tried: where a service is down, changing over from one
    address to the other and back must not cost a client each time.
    """

    __slots__ = (
        "addresses",
        "connect_timeout",
        "fresh_until",
        "line",
        "lines",
        "network",
        "origin",
        "used",
    )

    def __init__(self, origin: Origin, network: Network, connect_timeout: float) -> None:
        self.origin = origin
        self.network = network
        self.connect_timeout = connect_timeout
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
        self._routes: dict[tuple[str, Network, float], Route] = {}
        self._open: set[Line] = set()
        self._draining: list[Line] = []
        self._closing: set[asyncio.Future[None]] = set()
        self._closed = False

    def to(self, url: str, network: Network, deadline: float, now: float) -> Route:
        """The route ``url`` takes. Raises ``CallFailure`` for a URL no transport dials."""
        key = (prefix_of(url), network, _connect_timeout(network, deadline))
        route = self._routes.get(key)
        if route is None:
            route = Route(origin_of(url), network, key[2])
            self._make_room()
            self._routes[key] = route
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
        if self._closed:
            raise CallFailure("the transport is closed", code="call.unreachable")
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

    async def close(self) -> None:
        """Close every client. Nothing can be opened afterwards."""
        self._closed = True
        self._routes.clear()
        self._draining.clear()
        await self._lookup.close()
        lines, self._open = self._open, set()
        await asyncio.gather(*self._closing, *(line.client.close() for line in lines))

    def _make_room(self) -> None:
        if len(self._routes) >= MAX_ROUTES:
            key = min(self._routes, key=lambda each: self._routes[each].used)
            self._retire(self._routes.pop(key))

    def _switch(self, route: Route, address: str) -> Line:
        line = route.lines.get(address)
        if line is None:
            network, connect_timeout = route.network, route.connect_timeout
            client = _build(route.origin, address, network, connect_timeout)
            line = Line(client, address, connect_timeout, network.max_response)
            route.lines[address] = line
            self._open.add(line)
        route.line = line
        return line

    def _retire(self, route: Route, *, keep: tuple[str, ...] = ()) -> None:
        """Take lines to other addresses out of use, and close all that have no request left."""
        for address in [each for each in route.lines if each not in keep]:
            self._draining.append(route.lines.pop(address))
        if route.line is not None and route.line.address not in keep:
            route.line = None
            route.fresh_until = 0.0
        idle = [line for line in self._draining if line.busy == 0]
        self._draining = [line for line in self._draining if line.busy > 0]
        for line in idle:
            self._open.discard(line)
            closing = asyncio.ensure_future(line.client.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _connect_timeout(network: Network, deadline: float) -> float:
    """Always shorter than the deadline: past it, 'never connected' can't be told from 'sent'."""
    wanted = network.connect_timeout_s
    if wanted < deadline:
        return wanted
    return next((step for step in CONNECT_STEPS if step < deadline), CONNECT_STEPS[-1])


def _build(origin: Origin, address: str, network: Network, connect_timeout: float) -> Client:
    builder = (
        ClientBuilder()
        .no_proxy()
        .follow_redirects(False)
        .referer(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .http1_only()
        .tcp_nodelay(True)
        .user_agent(USER_AGENT)
        .default_headers({"accept-encoding": "identity"})
        .connect_timeout(timedelta(seconds=connect_timeout))
        .pool_idle_timeout(timedelta(seconds=IDLE_S))
        .danger_accept_invalid_certs(not network.verify)
    )
    if origin.host != address:
        # The port given here is ignored in favour of the URL's.
        builder = builder.resolve(origin.host, address, origin.port)
    try:
        if network.ca is not None:
            builder = builder.add_root_certificate_pem(_certificates(network.ca))
        if network.client_certificate is not None:
            builder = builder.identity_pem(network.client_certificate.encode())
        return builder.build()
    except (PyreqwestError, ValueError):
        # Without its cause: that may quote the key.
        raise CallFailure(
            "the endpoint's CA or client certificate can't be read", code="call.unreachable"
        ) from None


def _certificates(pem: str) -> bytes:
    # The builder takes text without any certificate for 'no further ones'.
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise ValueError("no certificate")
    return pem.encode()
