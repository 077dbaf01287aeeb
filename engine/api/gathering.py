"""Facts of many requests become durable by one commit, before any of the requests is answered.

Whatever comes while a commit is under way goes into the next one: alone, a fact waits for nobody;
under load a commit has thousands. SQLite and PostgreSQL take each about as long as a single row's.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.api.problems import Refused
from engine.clock import rest, stopwatch
from engine.db.ids import IdMaker, entropy
from engine.errors import DatabaseUnavailable, EngineError
from engine.operations.store import Finding
from engine.users.incoming import inbox_row
from engine.users.ingest import append

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.api.metrics import Metrics
    from engine.db.connect import Database
    from engine.users.incoming import InboxRow, Incoming

_log = logging.getLogger(__name__)

MOST_WAITING = 50_000
"""Facts that may wait for a commit; beyond that requests are told to come again."""
MOST_AT_ONCE = 5_000
"""Facts in one commit: larger ones keep others from the database for longer."""
BREATH_S = 0.002
"""Between two commits: who writes a single row gets his turn."""


@dataclass(slots=True, eq=False)
class _Waiting:
    rows: list[InboxRow]
    done: asyncio.Future[None]


class Gathering:
    """Appends facts to the inbox for the requests of one event loop. ``now`` tells journey time."""

    def __init__(self, database: Database, metrics: Metrics, now: Callable[[], int]) -> None:
        self._database = database
        self._metrics = metrics
        self._now = now
        self._new_id = IdMaker(entropy)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ingest")
        self._waiting: list[_Waiting] = []
        self._count = 0
        self._work: asyncio.Task[None] | None = None
        self._trouble = ""

    def row(self, fact: Incoming) -> InboxRow:
        """The row that a fact is. Raises BadRow for one that can't be taken."""
        now = self._now()
        return inbox_row(fact, self._new_id(now), now)

    async def append(self, rows: list[InboxRow]) -> None:
        """Return when ``rows`` are durable: all of them, and at the latest with the next commit.

        Raises DatabaseUnavailable, and :class:`Refused` (503) where too many wait already; then
        none of them are in.
        """
        if self._count + len(rows) > MOST_WAITING:
            headers = (("retry-after", "1"),)
            raise Refused(503, "server.busy", "too many facts wait; send it again", headers)
        waiting = _Waiting(rows, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._count += len(rows)
        if self._work is None:
            self._work = asyncio.create_task(self._commit_all())
        await waiting.done

    async def close(self) -> None:
        """Return when nothing waits any more."""
        if self._work is not None:
            await self._work
        self._thread.shutdown()

    def findings(self) -> list[Finding]:
        """How it is; for another thread."""
        trouble = self._trouble
        return [Finding("events in", "odd" if trouble else "ok", trouble or "taken")]

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._group())
        finally:
            self._work = None

    def _group(self) -> list[_Waiting]:
        """Who goes into the next commit, in the order in which they came."""
        size = taken = 0
        for each in self._waiting:
            if taken and size + len(each.rows) > MOST_AT_ONCE:
                break
            size += len(each.rows)
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._count -= size
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        run = asyncio.get_running_loop().run_in_executor
        try:
            await run(self._thread, self._write, group)
        except DatabaseUnavailable as error:
            self._trouble = error.message
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - a bug fails the one request that meets it
            if len(group) > 1:
                for each in group:
                    await self._commit([each])
                return
            if not isinstance(error, EngineError):
                _log.exception("facts can't be appended")
            _fail(group, error)
        else:
            self._trouble = ""
            for each in group:
                if not each.done.done():
                    each.done.set_result(None)
            if self._waiting:
                await run(self._thread, rest, BREATH_S)

    def _write(self, group: list[_Waiting]) -> None:
        began = stopwatch()
        rows = [row for each in group for row in each.rows]
        with self._database.write(waits=1) as connection:
            added = append(connection, rows)
        self._metrics.committed(added, stopwatch() - began)


def _fail(group: list[_Waiting], error: Exception) -> None:
    for each in group:
        if not each.done.done():
            each.done.set_exception(error)
