"""``ingest-http``: events in over HTTP, into SQLite; the server in a process of its own.

Single events and batches as fast as 64 and eight connections can send them, each waiting for
its answer; then single events at a fixed rate, timed from when each was meant to be sent.
``of_bare`` is beside a server that reads such requests and answers, and does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from engine.access import issuing
from engine.clock import wall
from tests.bench import spending
from tests.bench.installation import Installation, installations
from tests.bench.shape import Bench, Case, Figures, Option, percentiles
from tests.bench.spending import cpu_s, memory_mib

BATCH = 100
SINGLES, BATCHES = 64, 8
_EVENT = {"type": "track", "event": "cart_updated", "properties": {"total": 129.9, "items": [1, 2]}}


def measure(given: Namespace) -> Iterator[Case]:
    """Single events, batches, and single events at a rate."""
    cases = {name: Case(name) for name in ("singles", "batches", f"{given.rate} a second")}
    with installations() as place, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(given.runs):
            for case, figures in zip(cases.values(), _once(place(), runner, given), strict=True):
                case.add(figures)
    yield from cases.values()


def _once(
    installation: Installation, runner: asyncio.Runner, given: Namespace
) -> tuple[Figures, Figures, Figures]:
    with _served(installation, given.serve) as (port, token, pid), bare_server() as bare:

        def fast(lines: int, size: int) -> tuple[float, Figures]:
            used, seconds = cpu_s(pid), given.seconds
            alone, _ = runner.run(_as_fast_as_it_goes(bare, "", lines, size, seconds / 4))
            rate, sent = runner.run(_as_fast_as_it_goes(port, token, lines, size, seconds))
            figures = {
                "events_per_s": rate,
                "cpu_us_an_event": (cpu_s(pid) - used) / sent * 1e6,
                "of_bare": rate / alone,
            }
            return sent, figures

        singles, single = fast(SINGLES, 1)
        batches, batched = fast(BATCHES, BATCH)
        time.sleep(given.seconds / 8)
        late = runner.run(_paced(port, token, given.rate, given.seconds))
        paced = dict(percentiles("took_*_ms", [each * 1e3 for each in late]))
        paced["memory_mib"] = memory_mib(pid, peak=True)
    durable = installation.count(
        "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM facts)"
    )
    paced["lost"] = singles + batches + len(late) - durable
    return single, batched, paced


class _Line:
    """A connection that sends requests one after another."""

    count = 0

    def __init__(self, port: int, token: str, size: int) -> None:
        self._port, self._size = port, size
        self._path = "/v1/track" if size == 1 else "/v1/batch"
        self._head = (
            f"POST {self._path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
            "content-type: application/json\r\ncontent-length: "
        )

    async def open(self) -> None:
        """Connect."""
        self._reads, self._writes = await asyncio.open_connection("127.0.0.1", self._port)

    async def close(self) -> None:
        """Disconnect."""
        self._writes.close()
        await self._writes.wait_closed()

    async def send(self) -> None:
        """Send one request and wait for its answer."""
        events = []
        for _ in range(self._size):
            _Line.count += 1
            own = {"userId": f"u{_Line.count % 50_000}", "messageId": f"m{_Line.count}"}
            events.append({**_EVENT, **own})
        body = json.dumps(events[0] if self._size == 1 else {"batch": events}).encode()
        self._writes.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = await self._reads.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        await self._reads.readexactly(int(length[1]))


async def _as_fast_as_it_goes(
    port: int, token: str, lines: int, size: int, seconds: float
) -> tuple[float, int]:
    """Events a second, and how many."""
    end = time.monotonic() + seconds

    async def work() -> int:
        line = _Line(port, token, size)
        await line.open()
        sent = 0
        while not sent or time.monotonic() < end:
            await line.send()
            sent += size
        await line.close()
        return sent

    began = time.monotonic()
    sent = sum(await asyncio.gather(*(work() for _ in range(lines))))
    return sent / (time.monotonic() - began), sent


async def _paced(port: int, token: str, rate: int, seconds: float) -> list[float]:
    """How long each event took, from when it was meant to be sent."""
    took: list[float] = []
    free: asyncio.Queue[_Line] = asyncio.Queue()
    for _ in range(64):
        line = _Line(port, token, 1)
        await line.open()
        free.put_nowait(line)
    begin = time.monotonic()

    async def one(at: float) -> None:
        line = await free.get()
        await line.send()
        free.put_nowait(line)
        took.append(time.monotonic() - at)

    async with asyncio.TaskGroup() as group:
        for n in range(int(rate * seconds)):
            at = begin + n / rate
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            group.create_task(one(at))
    while not free.empty():
        await free.get_nowait().close()
    return took


@contextmanager
def _served(installation: Installation, command: str) -> Iterator[tuple[int, str, int]]:
    """A server's port, a token for it, and its process."""
    with installation.process(command) as server:
        found = re.search(r"HTTP API: http://.*:(\d+)", installation.said(command))
        assert found is not None
        with installation.opened() as database, database.write() as connection:
            new = issuing.create(connection, "bench", "user_data", actor="bench", now=wall())
        yield int(found[1]), new.text, server.pid


@contextmanager
def bare_server() -> Iterator[int]:
    """A server that reads requests and answers, with nothing behind; its port."""
    command = [sys.executable, "-m", "tests.bench.loopback"]
    with spending.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()


BENCH = Bench(
    "ingest-http",
    "events in over HTTP, singly and in batches\n\n" + (__doc__ or ""),
    (
        Option("serve", "api", "which process serves", ("api", "up")),
        Option("seconds", 8.0, "for how long each"),
        Option("rate", 500, "events a second, where it is fixed"),
        Option("runs", 1, "how often"),
    ),
    measure,
)
