"""Raw servers on loopback that misbehave on purpose, and what every failed answer must hold to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop

from engine.core.message import Answer, Request
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from engine.wire.lookup import Lookup
from engine.wire.transport import Transport


@dataclass(frozen=True)
class Kind:
    """A real transport, and the event loop it runs on."""

    transport: type[HttpTransport]
    loop: Callable[[], asyncio.AbstractEventLoop]


TRANSPORTS = [
    pytest.param(Kind(HttpTransport, asyncio.new_event_loop), id="asyncio"),
    pytest.param(Kind(HttpTransport, uvloop.new_event_loop), id="uvloop"),
]
"""Every real transport on every loop it is used on; the whole suite runs once per entry."""

LOOPBACK = "127.0.0.0/8,[::1]"
CANARY = "c4n4ry-7f3a"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Behaviour = Callable[["Connection"], Awaitable[None]]


class Connection:
    """One accepted connection; what it read goes into the server's ``seen``."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Read one whole request: head, and as much body as it declares."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        whole = head + (await self.reader.readexactly(length) if length else b"")
        self.server.seen.append(whole)
        self.server.arrived.set()
        return whole

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.writer.transport.abort()


class Server:
    """Where it listens, how many connected, and each request as its bytes."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.port = 0
        self.connections = 0
        self.seen: list[bytes] = []
        self.connected = asyncio.Event()
        self.arrived = asyncio.Event()

    def url(self, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}/path-{CANARY}?key={CANARY}"


@contextlib.asynccontextmanager
async def serving(
    behave: Behaviour,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Server]:
    """Run ``behave`` for every connection on a free port (or ``port``); all is over at the end."""
    server = Server("https" if tls else "http")
    running: set[asyncio.Task[Any]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        server.connections += 1
        server.connected.set()
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
        ):
            await behave(Connection(server, reader, writer))
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
            writer.close()
            await writer.wait_closed()
        # A client that is gone leaves bytes that no flush gets rid of.
        writer.transport.abort()
        running.discard(task)

    listening = await asyncio.start_server(accept, host, port, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def answering(data: bytes, *, then_reset: bool = False) -> Behaviour:
    """Read a request, write ``data`` whatever it is, and close."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.write(data)
        if then_reset:
            connection.reset()

    return behave


def keeping_alive(data: bytes = OK) -> Behaviour:
    """Answer every request of a connection with ``data``."""

    async def behave(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.write(data)

    return behave


async def hanging(connection: Connection) -> None:
    """Read a request and never answer."""
    await connection.request()
    await asyncio.Event().wait()


def resolving(**names: str) -> Lookup:
    """A lookup that knows these names only: ``service="127.0.0.1 127.0.0.2"`` is service.test."""

    async def query(host: str) -> list[str]:
        name, _, zone = host.rpartition(".")
        if zone != "test" or name not in names:
            raise OSError("no such name")
        return names[name].split()

    return Lookup(query)


@contextlib.asynccontextmanager
async def opened(
    kind: Kind, allow: str = LOOPBACK, lookup: Lookup | None = None
) -> AsyncIterator[Transport]:
    """A transport, closed at the end."""
    transport = kind.transport(Egress.parse(allow), lookup=lookup)
    try:
        yield transport
    finally:
        await transport.close()


def run(kind: Kind, scenario: Coroutine[Any, Any, None]) -> None:
    """Run to the end; a scenario that hangs is a failure, not a wait."""
    with asyncio.Runner(loop_factory=kind.loop) as runner:
        runner.run(asyncio.wait_for(scenario, 5.0))


def a_request(url: str, method: str = "POST", body: bytes = b"{}") -> Request:
    """A request with the canary at every place that must not come back in a text."""
    headers = (("content-type", "application/json"), ("authorization", f"Bearer {CANARY}"))
    return Request(method, url, headers, body)


def assert_failed(answer: Answer, code: str, text: str, *, sent: bool) -> None:
    """A failure says its code, its text and 'was it sent?', and neither URL nor secret."""
    assert (answer.failure, answer.text) == (code, text)
    assert answer.may_have_been_sent is sent
    assert (answer.status, answer.headers, answer.body) == (0, {}, b"")
    assert CANARY not in repr(answer)
    assert "://" not in answer.text
    assert answer.elapsed_us >= 0
