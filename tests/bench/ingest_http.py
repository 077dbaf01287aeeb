"""``ingest-http``: events in over HTTP, into SQLite; the server in a process of its own.

Single events and batches as fast as 64 and eight connections can send them, each waiting for
its answer; then single events at a fixed rate, timed from when each was meant to be sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from engine.access import issuing
from engine.clock import wall
from engine.db.connect import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
BATCH = 100
SINGLES, BATCHES = 64, 8
_EVENT = {"type": "track", "event": "cart_updated", "properties": {"total": 129.9, "items": [1, 2]}}


def measure(command: str, seconds: float, rate: int) -> None:
    """Print the figures as a table and one JSON line. ``command``: ``api`` alone, or ``up``."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _served(Path(folder), command) as (port, token, pid),
    ):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            used = [_cpu_s(pid)]
            single = runner.run(_as_fast_as_it_goes(port, token, SINGLES, 1, seconds))
            used.append(_cpu_s(pid))
            batched = runner.run(_as_fast_as_it_goes(port, token, BATCHES, BATCH, seconds))
            used.append(_cpu_s(pid))
            time.sleep(1)
            late = sorted(runner.run(_paced(port, token, rate, seconds)))
        file = Database(f"sqlite:///{folder}/engine.db")
        with closing(file) as database, database.read() as connection:
            rows = "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM facts)"
            durable = connection.exec_driver_sql(rows).scalar_one()
    sent = single[1] + batched[1] + len(late)
    figures = {
        "singles_per_s": round(single[0]),
        "in_batches_per_s": round(batched[0]),
        "cpu_us_a_single": round((used[1] - used[0]) / single[1] * 1e6, 1),
        "cpu_us_in_a_batch": round((used[2] - used[1]) / batched[1] * 1e6, 1),
        f"at_{rate}_per_s_p50_ms": round(late[len(late) // 2] * 1000, 1),
        f"at_{rate}_per_s_p99_ms": round(late[len(late) * 99 // 100] * 1000, 1),
        "lost": sent - durable,
    }
    for name, figure in figures.items():
        print(f"{name:>24} {figure:>10,}")
    print(json.dumps({"bench": "ingest-http", "command": command, **figures}))


def _cpu_s(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
        while time.monotonic() < end:
            await line.send()
            sent += size
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
    return took


@contextmanager
def _served(folder: Path, command: str) -> Iterator[tuple[int, str, int]]:
    """A server's port, a token for it, and its process."""
    environment = {**os.environ, "JOURNEY_HOME": str(folder), "JOURNEY_PORT": "0"}
    with subprocess.Popen(
        [BIN / "journey", command], env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        port = next(
            int(found[1])
            for line in server.stderr
            if (found := re.search(r"http://.*:(\d+)", line))
        )
        file = Database(f"sqlite:///{folder}/engine.db")
        with closing(file) as database, database.write() as connection:
            new = issuing.create(connection, "bench", "user_data", actor="bench", now=wall())
        time.sleep(1)
        try:
            yield port, new.text, server.pid
        finally:
            server.terminate()
            server.wait(60)
