"""HTTP/1.1 on loopback: one asyncio protocol over httptools, fast enough to serve load tests."""

from __future__ import annotations

import asyncio
import ssl
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar, cast

import httptools

from tests.partners.partner import Partner
from tests.partners.plain import Answers
from tests.partners.traffic import Reply, Request

AnyPartner = TypeVar("AnyPartner", bound=Partner)


class Connection(asyncio.Protocol):
    """One connection: requests are answered one after another, in their order."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._busy = False
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)
        self._server.partner.counts["connections"] += 1
        shown = transport.get_extra_info("peercert")
        if shown:
            self._server.partner.counts[f"shown.{dict(shown['subject'][0])['commonName']}"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._server.partner.counts["not_http"] += 1
            self.transport.write(Reply(400, close=True).on_the_wire())
            self.transport.close()

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        request = Request(method, self._target, self._headers, self._body)
        keep_alive = self._parser.should_keep_alive()
        if self._busy:
            self._waiting.append((request, keep_alive))
        else:
            self._serve(request, keep_alive)

    def _serve(self, request: Request, keep_alive: bool) -> None:
        self._busy = True
        self._server.began()
        try:
            reply = self._server.partner.receive(request)
        except Exception:
            traceback.print_exc()
            self._server.partner.counts["crashed"] += 1
            reply = Reply(500)
        reply.close = reply.close or not keep_alive
        if reply.delay:
            asyncio.get_running_loop().call_later(reply.delay, self._send, request, reply)
        else:
            self._send(request, reply)

    def _send(self, request: Request, reply: Reply) -> None:
        if self.transport.is_closing():  # whoever asked was killed meanwhile
            return
        if reply.abort:
            self.transport.abort()
        elif reply.pieces is not None:
            self._drip(iter(reply.pieces), reply)
            return
        else:
            self.transport.write(reply.on_the_wire(body=request.method != "HEAD"))
        self._done(reply)

    def _drip(self, pieces: Iterator[tuple[float, bytes]], reply: Reply) -> None:
        pause, piece = next(pieces, (None, b""))
        if pause is None or self.transport.is_closing():
            self._done(reply)
            return

        def send() -> None:
            if not self.transport.is_closing():
                self.transport.write(piece)
            self._drip(pieces, reply)

        asyncio.get_running_loop().call_later(pause, send)

    def _done(self, reply: Reply) -> None:
        self._server.ended()
        self._busy = False
        if reply.close:
            self.transport.close()
        elif self._waiting and not self.transport.is_closing():
            self._serve(*self._waiting.popleft())


class LeanConnection(asyncio.Protocol):
    """For an :class:`Answers` that doesn't record: counts and answers, whatever is asked."""

    def __init__(self, server: Server, partner: Answers) -> None:
        self._server = server
        self._partner = partner
        self._target = b""
        self._counts = partner.counts
        self._answer = partner.reply().on_the_wire()
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)
        self._counts["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        with suppress(httptools.HttpParserError):
            self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._target = url

    def on_message_complete(self) -> None:
        if self._target.startswith(b"/__"):
            reply = self._partner.receive(Request("GET", self._target, [], b""))
            self.transport.write(reply.on_the_wire())
            return
        self._counts["requests"] += 1
        self.transport.write(self._answer)


class Server:
    """A partner and its connections."""

    def __init__(self, partner: Partner) -> None:
        self.partner = partner
        self.connections: set[Connection | LeanConnection] = set()
        self._at_once = 0

    async def listen(self, port: int = 0, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        """Serve on loopback; sets the partner's ``url``."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            self._connection, "127.0.0.1", port, backlog=1024, ssl=tls
        )
        origin = "https://localhost" if tls else "http://127.0.0.1"
        self.partner.url = f"{origin}:{server.sockets[0].getsockname()[1]}"
        return server

    def began(self) -> None:
        """A request is being answered."""
        self._at_once += 1
        if self._at_once > self.partner.counts["most_at_once"]:
            self.partner.counts["most_at_once"] = self._at_once

    def ended(self) -> None:
        """It has been."""
        self._at_once -= 1

    def hang_up(self) -> None:
        """End all connections."""
        for connection in tuple(self.connections):
            connection.transport.abort()

    def _connection(self) -> asyncio.Protocol:
        partner = self.partner
        if isinstance(partner, Answers) and not partner.record:
            return LeanConnection(self, partner)
        return Connection(self)


@contextmanager
def running(
    partner: AnyPartner, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[AnyPartner]:
    """Serve ``partner`` in a thread while the block lasts; on the way out connections are reset.

    ``port`` 0 takes a free one; give it to come back where a stopped one was. With ``tls`` it is
    https at localhost, and ``shown.NAME`` counts connections by their client certificate's name.
    """
    loop = new_loop()
    server = Server(partner)
    ready = threading.Event()
    stop = asyncio.Event()
    failed: list[BaseException] = []

    async def serve() -> None:
        try:
            listening = await server.listen(port, tls)
        except BaseException as error:
            failed.append(error)
            return
        finally:
            ready.set()
        await stop.wait()
        listening.close()
        server.hang_up()
        await asyncio.sleep(0)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name=type(partner).__name__, daemon=True)
    thread.start()
    ready.wait()
    if failed:
        thread.join()
        raise failed[0]
    try:
        yield partner
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def new_loop() -> asyncio.AbstractEventLoop:
    """The fast loop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
