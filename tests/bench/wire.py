"""Calls per second through the transport, beside a bare loop of the same HTTP client.

Rounds of both alternate in one process against one loopback server, so that a busy machine is
unfair to neither::

    python tests/bench/wire.py [--concurrency 64] [--calls 10000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import uvloop
from pyreqwest.client import ClientBuilder

from engine.core.message import Request
from engine.wire.egress import Egress
from engine.wire.reqwest_transport import ReqwestTransport

HEADERS = (
    ("content-type", "application/json"),
    ("idempotency-key", "mfrggzdfmztwq2lknnwg23tpobyxe43u"),
    ("authorization", "Bearer a-token-of-usual-length-0123456789"),
)
BODY = b'{"user_id": "user-000001", "score": 4711, "note": "as long as such bodies usually are"}'


@contextlib.contextmanager
def loopback() -> Iterator[int]:
    """The answering server in a process of its own; gives its port."""
    program = Path(__file__).with_name("loopback.py")
    server = subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.stdin.close()
        server.wait()


async def timed(
    call: Callable[[], Awaitable[None]], calls: int, concurrency: int
) -> tuple[float, float]:
    """Wall and CPU microseconds per call."""
    left = calls

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return (
        (time.perf_counter() - wall) / calls * 1e6,
        (time.process_time() - cpu) / calls * 1e6,
    )


async def compare(port: int, calls: int, concurrency: int, rounds: int) -> None:
    """Print the medians of both."""
    url = f"http://127.0.0.1:{port}/v1/score"
    bare = ClientBuilder().no_proxy().build()
    transport = ReqwestTransport(Egress.parse("127.0.0.0/8"))
    request = Request("POST", url, HEADERS, BODY)
    within = timedelta(seconds=10)

    async def bare_call() -> None:
        sending = bare.request("POST", url).headers(HEADERS).body_bytes(BODY).timeout(within)
        response = await sending.build().send()
        assert bytes(await response.bytes())
        assert response.status == 200

    async def our_call() -> None:
        answer = await transport.send(request, 10.0)
        assert answer.status == 200

    measured: dict[str, list[tuple[float, float]]] = {"bare": [], "transport": []}
    for _ in range(rounds + 1):
        measured["bare"].append(await timed(bare_call, calls, concurrency))
        measured["transport"].append(await timed(our_call, calls, concurrency))
    for name, figures in measured.items():
        wall, cpu = (statistics.median(each) for each in zip(*figures[1:], strict=True))
        print(f"{name:>10}  {1e6 / wall:8,.0f} calls/s  {cpu:6.1f} µs of CPU a call")
    await transport.close()
    await bare.close()


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    with loopback() as port:
        uvloop.run(compare(port, wanted.calls, wanted.concurrency, wanted.rounds))


if __name__ == "__main__":
    main()
