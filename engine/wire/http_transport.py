"""The transport: HTTP/1.1 of our own on llhttp's parser, over checked and pinned addresses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.core.message import Answer, Request
from engine.errors import CallFailure
from engine.wire.dial import Dialler
from engine.wire.egress import Egress
from engine.wire.http_connection import Connection
from engine.wire.http_request import write_head
from engine.wire.lookup import Lookup
from engine.wire.routes import Route, Routes
from engine.wire.transport import DEFAULT_NETWORK, Network, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ADDRESSES = 4
"""So many addresses of a name are tried for one request, where none of them can be reached."""


class HttpTransport(Transport):
    """Sends through pooled connections to checked addresses; see :class:`Transport`.

    One per event loop. Close it before the loop ends. ``before_writing`` is called at the last
    moment before each request; where it raises, nothing was sent, and the caller gets that.
    """

    def __init__(
        self,
        egress: Egress,
        *,
        lookup: Lookup | None = None,
        before_writing: Callable[[], None] | None = None,
    ) -> None:
        self._before_writing = before_writing
        self._routes = Routes(egress, lookup or Lookup())
        self._dialler = Dialler()

    async def send(
        self,
        request: Request,
        deadline: float,
        *,
        network: Network = DEFAULT_NETWORK,
        anew: bool = False,
    ) -> Answer:
        """One attempt; see :meth:`Transport.send`."""
        started = stopwatch()
        try:
            route = self._routes.to(request.url, network, started)
            head = write_head(request, route.prefix, route.authority)
            line = route.line
            kept = line.take(started) if line and started < route.fresh_until and not anew else None
            connection = kept or await self._connect(route, started, deadline, anew=anew)
        except CallFailure as refusal:
            return Answer(
                failure=refusal.code,
                text=refusal.message,
                may_have_been_sent=False,
                elapsed_us=int((stopwatch() - started) * 1_000_000),
            )
        if self._before_writing is not None:
            try:
                self._before_writing()
            except BaseException:
                connection.abort()
                raise
        answer = connection.ask(
            head,
            request.body,
            bodyless=request.method == "HEAD",
            limit=network.max_response,
            started=started,
            deadline=deadline,
        )
        try:
            return await answer
        except asyncio.CancelledError:
            connection.give_up(answer)
            raise

    async def close(self) -> None:
        """Close every connection; requests in flight fail as ``call.unreachable``."""
        await self._routes.close()
        await self._dialler.close()

    async def _connect(
        self, route: Route, started: float, deadline: float, *, anew: bool
    ) -> Connection:
        """A connection to one of the addresses, a new one if need be. Raises ``CallFailure``."""
        line = route.line
        if line is None or started >= route.fresh_until:
            line = await self._routes.open(route, deadline)
        untried = min(len(route.addresses), MAX_ADDRESSES)
        while (left := deadline - (stopwatch() - started)) > 0:
            connection = None if anew else line.take(stopwatch())
            if connection is not None:
                return connection
            try:
                return await self._dialler.dial(line, left, deadline)
            except CallFailure:
                self._routes.check_open()
                following, untried = self._routes.after(route, line), untried - 1
                if following is None or untried <= 0:
                    raise
                line = following
        raise CallFailure(f"not sent within {deadline:g} s", code="call.timed_out")
