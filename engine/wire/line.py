"""The connections to one address: the idle ones are kept a while, the last used goes first."""

from __future__ import annotations

import asyncio
import ssl

from engine.clock import stopwatch
from engine.wire.http_connection import Connection
from engine.wire.origin import Origin
from engine.wire.transport import Network

IDLE_S = 4.0
"""Idle connections close after this: before Node's and uvicorn's 5 s, where races come from."""

MAX_IDLE = 1024
"""Idle connections kept per line; how many are busy is for whoever calls to bound."""


class Line:
    """The way to one checked address of an origin, under one network.

    ``tls`` is None for http. A retired line keeps nothing: what comes back to it is closed.
    """

    __slots__ = ("_idle", "_retired", "_sweep", "address", "network", "origin", "tls")

    def __init__(
        self, origin: Origin, address: str, network: Network, tls: ssl.SSLContext | None
    ) -> None:
        self.origin = origin
        self.address = address
        self.network = network
        self.tls = tls
        self._idle: list[Connection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._retired = False

    def take(self, now: float) -> Connection | None:
        """The open connection that was used last; None where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if now < connection.idle_until and connection.is_usable():
                return connection
            connection.abort()
        return None

    def give_back(self, connection: Connection, now: float) -> None:
        """``connection`` can serve another request; ``now`` as the stopwatch has it."""
        if self._retired or len(self._idle) >= MAX_IDLE:
            connection.abort()
            return
        connection.idle_until = now + IDLE_S
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(IDLE_S, self._close_idle)

    def retire(self) -> None:
        """Close what is idle now, and what is busy as soon as it has its answer."""
        self._retired = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _close_idle(self) -> None:
        """Let go of what is closed or has been idle for too long."""
        now = stopwatch()
        kept = []
        for connection in self._idle:
            if now < connection.idle_until and connection.is_usable():
                kept.append(connection)
            else:
                connection.abort()
        self._idle = kept
        self._sweep = None
        if kept:
            wait = kept[0].idle_until - now
            self._sweep = asyncio.get_running_loop().call_later(wait, self._close_idle)
