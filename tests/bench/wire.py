"""Calls per second through the transport, beside the bare loop of fixed bytes.

Rounds of both alternate in one process against one loopback server, so that a busy machine is
unfair to neither::

    python -m tests.bench.wire [--concurrency 100] [--calls 10000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable

import uvloop

from engine.core.message import Request
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from tests.bench.bare_client import send_all
from tests.bench.fixed_bytes import call_all
from tests.bench.ingest_http import bare_server

HEADERS = (
    ("content-type", "application/json"),
    ("idempotency-key", "mfrggzdfmztwq2lknnwg23tpobyxe43u"),
    ("authorization", "Bearer a-token-of-usual-length-0123456789"),
)
BODY = b'{"user_id": "user-000001", "score": 4711, "note": "as long as such bodies usually are"}'


async def timed(work: Awaitable[object], calls: int) -> tuple[float, float]:
    """Wall and CPU microseconds per call, of this process alone."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return (
        (time.perf_counter() - wall) / calls * 1e6,
        (time.process_time() - cpu) / calls * 1e6,
    )


async def compare(port: int, calls: int, concurrency: int, rounds: int) -> None:
    """Print the best round of both: noise only ever adds."""
    url = f"http://127.0.0.1:{port}/v1/score"
    transport = HttpTransport(Egress.parse("127.0.0.0/8"))
    request = Request("POST", url, HEADERS, BODY)
    measured: dict[str, list[tuple[float, float]]] = {"bare": [], "transport": []}
    for _ in range(rounds + 1):
        measured["bare"].append(await timed(call_all(url, calls, concurrency), calls))
        sending = send_all(transport, request, calls, concurrency)
        measured["transport"].append(await timed(sending, calls))
    for name, figures in measured.items():
        wall, cpu = (min(each) for each in zip(*figures[1:], strict=True))
        print(f"{name:>10}  {1e6 / wall:8,.0f} calls/s  {cpu:6.1f} µs of CPU a call")
    await transport.close()


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    with bare_server() as port:
        uvloop.run(compare(port, wanted.calls, wanted.concurrency, wanted.rounds))


if __name__ == "__main__":
    main()
