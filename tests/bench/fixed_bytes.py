"""The limit of any client: fixed bytes over kept connections, as fast as this event loop does it.

Nothing is written anew and nothing is read but where an answer ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

import httptools

CONCURRENCY = 100
BODY = b'{"to":"u1@example.com","tier":"gold"}'


class BareCaller(asyncio.Protocol):
    """One connection, one request after another, until ``left`` is empty."""

    def __init__(self, request: bytes, left: Iterator[int], over: asyncio.Future[None]) -> None:
        self._request = request
        self._left = left
        self._over = over
        self._feed = httptools.HttpResponseParser(self).feed_data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first one."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Let the parser find the end."""
        self._feed(data)

    def on_message_complete(self) -> None:
        """Send the next one."""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        """A figure with calls missing would be a wrong one."""
        if not self._over.done():
            self._over.set_exception(error or ConnectionResetError("the server closed"))

    def _send(self) -> None:
        if next(self._left, None) is not None:
            self._transport.write(self._request)
        elif not self._over.done():
            self._over.set_result(None)
            self._transport.close()


async def call_all(url: str, calls: int, concurrency: int = CONCURRENCY) -> float:
    """Make so many POSTs, ``concurrency`` at a time; calls a second."""
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-length: {len(BODY)}"
    request = head.encode() + b"\r\n\r\n" + BODY
    left = iter(range(calls))
    loop = asyncio.get_running_loop()
    since = time.perf_counter()
    ends = [loop.create_future() for _ in range(concurrency)]
    for end in ends:
        await loop.create_connection(
            lambda end=end: BareCaller(request, left, end),  # type: ignore[misc]
            parts.hostname or "",
            parts.port or 80,
        )
    await asyncio.gather(*ends)
    return calls / (time.perf_counter() - since)
