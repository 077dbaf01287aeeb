"""``wire``: calls a second through the engine's HTTP client, beside fixed bytes (``of_bare``).

Both take turns in one process against one server, so that a busy machine is unfair to neither.
"""

from __future__ import annotations

import asyncio
import os
import time
from argparse import Namespace
from collections.abc import Awaitable, Iterator

import uvloop

from engine.core.message import Request
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from tests.bench.bare_client import send_all
from tests.bench.fixed_bytes import call_all
from tests.bench.ingest_http import bare_server
from tests.bench.shape import Bench, Case, Figures, Option, repeated
from tests.bench.spending import memory_mib

HEADERS = (
    ("content-type", "application/json"),
    ("idempotency-key", "mfrggzdfmztwq2lknnwg23tpobyxe43u"),
    ("authorization", "Bearer a-token-of-usual-length-0123456789"),
)
BODY = b'{"user_id": "user-000001", "score": 4711, "note": "as long as such bodies usually are"}'


def measure(given: Namespace) -> Iterator[Case]:
    """One case."""
    with bare_server() as port, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_round(port, 1_000, given.concurrency))

        def once() -> Figures:
            return runner.run(_round(port, given.calls, given.concurrency))

        yield repeated(f"{given.concurrency} at a time", given.runs, once)


async def _round(port: int, calls: int, concurrency: int) -> Figures:
    url = f"http://127.0.0.1:{port}/v1/score"
    transport = HttpTransport(Egress.parse("127.0.0.0/8"))
    request = Request("POST", url, HEADERS, BODY)
    bare, _ = await _timed(call_all(url, calls, concurrency))
    wall, cpu = await _timed(send_all(transport, request, calls, concurrency))
    await transport.close()
    return {
        "calls_per_s": calls / wall,
        "cpu_us_a_call": cpu / calls * 1e6,
        "of_bare": bare / wall,
        "memory_mib": memory_mib(os.getpid(), peak=True),
    }


async def _timed(work: Awaitable[object]) -> tuple[float, float]:
    """Seconds of wall and of CPU, of this process alone."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return time.perf_counter() - wall, time.process_time() - cpu


BENCH = Bench(
    "wire",
    "calls through the engine's HTTP client\n\n" + (__doc__ or ""),
    (
        Option("concurrency", 100, "calls at a time"),
        Option("calls", 10_000, "how many in each run"),
        Option("runs", 5, "how often"),
    ),
    measure,
)
