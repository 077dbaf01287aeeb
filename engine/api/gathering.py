"""Facts of many requests become durable by one commit, before any of the requests is answered.

Whatever comes while a commit waits for its turn to write goes into it, and what comes later into
the next one: alone, a fact waits for nobody; under load a commit has thousands. SQLite and
PostgreSQL take each about as long as a single row's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
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
PATIENCE_S = 10.0
"""How long a database that somebody else has locked is waited for; then whoever waits is told, and
to come again: SDKs give up after a while, and some send anew what they think is lost."""
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
        self._waiting: deque[_Waiting] = deque()
        self._count = 0
        self._work: asyncio.Future[None] | None = None
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
        loop = asyncio.get_running_loop()
        waiting = _Waiting(rows, loop.create_future())
        self._waiting.append(waiting)
        self._count += len(rows)
        if self._work is None:
            self._begin(loop)
        await waiting.done

    async def close(self) -> None:
        """Return when nothing waits any more."""
        while self._work is not None:
            await self._work
            await asyncio.sleep(0)  # for what is done when it ends
        self._thread.shutdown()

    def findings(self) -> list[Finding]:
        """How it is; for another thread."""
        trouble = self._trouble
        return [Finding("events in", "odd" if trouble else "ok", trouble or "taken")]

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._work = loop.run_in_executor(self._thread, self._commit_all, loop)
        self._work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Future[None]) -> None:
        """The thread saw nobody waiting. Whoever came just then hasn't begun it anew."""
        self._work = None
        if self._waiting:
            self._begin(work.get_loop())

    def _commit_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Commit until nobody waits; on the thread."""
        while self._waiting:
            group: list[_Waiting] = []
            self._take(group)
            error = self._write(group, more=True)
            answers = [(group, error)]
            if error is not None and not isinstance(error, DatabaseUnavailable) and len(group) > 1:
                # A bug fails the one request that meets it.
                answers = [([each], self._write([each])) for each in group]
            for some, trouble in answers:
                loop.call_soon_threadsafe(self._answer, some, trouble)
            if self._waiting:
                rest(BREATH_S)

    def _take(self, group: list[_Waiting]) -> None:
        """Who waits joins ``group`` in the order in which they came, as long as there is room."""
        size = sum(len(each.rows) for each in group)
        while self._waiting and (not group or size + len(self._waiting[0].rows) <= MOST_AT_ONCE):
            each = self._waiting.popleft()
            size += len(each.rows)
            group.append(each)

    def _write(self, group: list[_Waiting], *, more: bool = False) -> Exception | None:
        """Why what ``group`` brings couldn't be appended. With ``more`` whoever came while it
        waited for its turn to write joins it.
        """
        since = stopwatch()
        try:
            with self._database.write(within_s=PATIENCE_S) as connection:
                began = stopwatch()
                if more:
                    self._take(group)
                added = append(connection, [row for each in group for row in each.rows])
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits
            if more and isinstance(error, DatabaseUnavailable) and stopwatch() - since > PATIENCE_S:
                # Nobody waits for as long once more.
                group += [self._waiting.popleft() for _ in range(len(self._waiting))]
            return error
        self._metrics.committed(added, stopwatch() - began)
        return None

    def _answer(self, group: list[_Waiting], error: Exception | None) -> None:
        """Tell who waits; on the loop."""
        if error is not None and not isinstance(error, EngineError):
            _log.error("facts can't be appended", exc_info=error)
        self._trouble = error.message if isinstance(error, DatabaseUnavailable) else ""
        for each in group:
            self._count -= len(each.rows)
            if each.done.done():
                continue
            if error is None:
                each.done.set_result(None)
            else:
                each.done.set_exception(error)
