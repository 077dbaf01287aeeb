"""A process of ``resolve``: resolves a credential over and over, and tells what it saw.

``python -m tests.bench.resolving COUNT FILE``: says that it is there, waits for a line, resolves,
and prints a JSON object. FILE holds the newest version that was committed, as eight bytes.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import uvloop

from engine.clock import RealClock
from engine.credentials.open_vault import open_vault
from engine.credentials.references import References
from engine.credentials.resolver import Resolver
from engine.db.schema import open_database
from engine.errors import EngineError
from engine.settings import load_settings
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from tests.bench.spending import memory_mib

CONCURRENCY = 100
ENDPOINT = "api"


class Resolving:
    """Resolutions, counted. ``newest`` tells which version was committed at least."""

    def __init__(self, resolver: Resolver, newest: Callable[[], int]) -> None:
        self._resolver = resolver
        self._newest = newest
        self.stale = self.exceptions = self.resolved = 0

    async def once(self) -> None:
        """One resolution, as a call makes it."""
        least = self._newest()
        try:
            live = await self._resolver.current(ENDPOINT)
            assert live is not None
            assert live.profile_id is not None
            credential = await self._resolver.credential(live.profile_id, live.profile_version)
        except EngineError:
            self.exceptions += 1
        else:
            self.stale += credential.version < least
        self.resolved += 1


async def _bare() -> None:
    """A task that waits for the next round of its loop, and looks something up."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[dict[str, int]] = loop.create_future()
    loop.call_soon(future.set_result, {ENDPOINT: 1})
    assert (await future).get(ENDPOINT)


async def _rate(once: Callable[[], Awaitable[None]], count: int) -> float:
    """So many, some at a time; how many a second."""
    left = iter(range(count))

    async def caller() -> None:
        for _ in left:
            await once()

    since = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))
    return count / (time.perf_counter() - since)


async def _main(count: int, committed: Path) -> dict[str, float]:
    settings = load_settings(os.environ)
    with (
        closing(open_database(os.environ["JOURNEY_DATABASE_URL"])) as database,
        committed.open("rb") as file,
        mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ) as told,
    ):
        transport = HttpTransport(Egress.parse(""))
        vault = open_vault(database, settings).vault
        resolver = Resolver(database, vault, transport, RealClock(), References({}, ()))
        resolving = Resolving(resolver, lambda: int.from_bytes(told[:8], "little"))
        await _rate(resolving.once, 1_000)
        print("there", flush=True)
        sys.stdin.readline()
        bare = await _rate(_bare, min(count, 100_000))
        resolving.resolved, before = 0, time.process_time()
        rate = await _rate(resolving.once, count)
        spent = time.process_time() - before
        await resolver.close()
        await transport.close()
    return {
        "per_s": rate,
        "of_bare": rate / bare,
        "cpu_s": spent,
        "memory_mib": memory_mib(os.getpid(), peak=True),
        "resolved": resolving.resolved,
        "stale": resolving.stale,
        "exceptions": resolving.exceptions,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_main(int(sys.argv[1]), Path(sys.argv[2])))))
