"""The bare limit: the same HTTP client in a loop of its own, with nothing around it.

Prints calls a second: ``python -m tests.bench.bare_client URL CALLS``.
"""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop
from pyreqwest.client import ClientBuilder

CONCURRENCY = 100
BODY = b'{"to":"u1@example.com","tier":"gold"}'


async def call_all(url: str, calls: int) -> float:
    """Make so many POSTs, ``CONCURRENCY`` at a time; calls a second."""
    left = iter(range(calls))
    async with ClientBuilder().no_proxy().build() as client:

        async def some() -> None:
            for _ in left:
                request = client.post(url).body_bytes(BODY).build()
                answer = await request.send()
                await answer.bytes()

        since = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(CONCURRENCY)))
        return calls / (time.perf_counter() - since)


if __name__ == "__main__":
    print(uvloop.run(call_all(f"{sys.argv[1]}/send", int(sys.argv[2]))))
