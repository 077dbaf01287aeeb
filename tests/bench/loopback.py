"""A loopback HTTP/1.1 server that answers at once: the other end of the benches.

Run as a program it prints its port and serves until its standard input closes::

    python tests/bench/loopback.py
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools

ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n"
    b'{"score": 4711}'
)


class Loopback(asyncio.Protocol):
    """One connection: counts the requests and answers each as soon as it is complete."""

    requests = 0

    def __init__(self, answer: bytes = ANSWER) -> None:
        self._answer = answer
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls :meth:`on_message_complete`."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Answer."""
        Loopback.requests += 1
        self._transport.write(self._answer)


async def serve(host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Start listening; ``server.sockets[0].getsockname()[1]`` is the port."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(Loopback, host, port, backlog=1024)


async def _main() -> None:
    server = await serve()
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())
