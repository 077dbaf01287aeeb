"""A loopback HTTP/1.1 server that notes when the first byte of each request came.

Run as a program it prints its port, serves until its standard input closes, and then prints a JSON
object: what was told as ``"n"`` in the body → the stopwatch in nanoseconds, which all processes of
a machine share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import ClassVar, cast

import httptools

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Stamping(asyncio.Protocol):
    """One connection."""

    came: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._first = 0
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Note the time of the first bytes, and feed the parser."""
        self._first = self._first or time.monotonic_ns()
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer; only the first request about a thing counts."""
        Stamping.came.setdefault(str(json.loads(self._body)["n"]), self._first)
        self._first, self._body = 0, b""
        self._transport.write(ANSWER)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stamping, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    print(json.dumps(Stamping.came))


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())
