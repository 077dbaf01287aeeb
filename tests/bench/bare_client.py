"""The bare limit: the engine's HTTP client in a loop of its own, with nothing around it.

Prints calls a second of it, and of fixed bytes over kept connections:
``python -m tests.bench.bare_client URL CALLS``.
"""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop

from engine.core.message import Request
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from engine.wire.transport import Transport
from tests.bench.fixed_bytes import call_all

CONCURRENCY = 100
HEADERS = (
    ("content-type", "application/json"),
    ("idempotency-key", "mfrggzdfmztwq2lknnwg23tpobyxe43u"),
)
BODY = b'{"to":"u1@example.com","tier":"gold"}'


async def send_all(transport: Transport, request: Request, calls: int, concurrency: int) -> None:
    """Send ``request`` so often, ``concurrency`` at a time."""
    left = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            answer = await transport.send(request, 10.0)
            assert answer.status == 200

    await asyncio.gather(*(caller() for _ in range(concurrency)))


async def rate(url: str, calls: int) -> float:
    """Calls a second."""
    transport = HttpTransport(Egress.parse("127.0.0.0/8,[::1]"))
    since = time.perf_counter()
    await send_all(transport, Request("POST", url, HEADERS, BODY), calls, CONCURRENCY)
    took = time.perf_counter() - since
    await transport.close()
    return calls / took


async def rates(url: str, calls: int) -> tuple[float, float]:
    """Calls a second of the client, and of fixed bytes."""
    return await rate(url, calls), await call_all(url, calls)


if __name__ == "__main__":
    print(*uvloop.run(rates(f"{sys.argv[1]}/send", int(sys.argv[2]))))
