"""Processes that run until they are stopped: worker, scheduler, HTTP server, or all in one.

They never end by themselves: a database that is locked or gone is waited for. A signal drains
(calls on the wire are waited for), a second one stops at once. A thread that died ends them, so
that whoever started them starts them anew.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.clock import RealClock, wall
from engine.credentials.open_vault import open_vault, require_key
from engine.db.schema import open_database
from engine.enrollments import buckets
from engine.enrollments.store import runs
from engine.errors import DatabaseUnavailable, EngineError, OperatorError
from engine.operations.readable import require_readable
from engine.operations.store import Finding
from engine.operations.zone import installation_zone
from engine.processes.duties import DUTIES, SCHEDULING, Post
from engine.processes.event_loop import listening, loop_factory, switch_threads_soon
from engine.processes.health import DEAD, Beat, Watch, look_at, this_process
from engine.processes.limits import spare_the_collector
from engine.processes.patience import Patience, Stopped
from engine.processes.scheduler import Scheduler
from engine.processes.work import Opened
from engine.versions.store import triggered
from engine.wire.egress import Egress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.enrollments.buckets import Owned
    from engine.operations.watch import JourneysFolder
    from engine.processes.duties import Duty, Kind
    from engine.processes.work import OpenDoors, Work
    from engine.settings import Settings

_log = logging.getLogger(__name__)

WORKING: frozenset[Kind] = frozenset({"up", "worker"})
LAST_PATIENCE_S = 10.0
"""How long duties that were begun are waited for at the end, and a worker that lost a thread."""
BROKEN = 70
"""The exit code of a process that can't go on: a bug."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a process is told: which one it is, the settings, a folder of journeys to keep published
    (or None), how it works, where its few lines for people go, and how others reach it, if they do.
    """

    kind: Kind
    settings: Settings
    opening: Callable[[Opened, Owned], AbstractAsyncContextManager[Work]]
    say: Callable[[str], None]
    journeys: JourneysFolder | None = None
    doors: OpenDoors | None = None


def run(orders: Orders) -> int:
    """Run until a signal ends it; the exit code: 128 and the signal's number, 70 for a bug.

    Raises SettingsError (exit 78), AnotherWorker and OperatorError (2), before anything was begun.
    """
    settings = orders.settings
    require_readable(settings, doors=orders.doors is not None)
    Egress.parse(settings.egress_allow)
    installation_zone(settings)
    daemon = _Daemon(orders)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(daemon.run())
    return daemon.code


class _Daemon:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._working: Work | None = None
        self._owned: Owned | None = None
        self._signal = 0
        self._broken = ""
        self._process = this_process(orders.kind)

    @property
    def code(self) -> int:
        """The exit code."""
        return BROKEN if self._broken else 128 + self._signal

    async def run(self) -> None:
        """Do the work until a signal ends it, or a part breaks; see :attr:`code`."""
        self._ended, self._broke = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._patience = Patience(self._ended, self._orders.say)
        with listening(self._loop, self._interrupt), suppress(Stopped):
            async with AsyncExitStack() as stack:
                await self._live(stack)

    async def _live(self, stack: AsyncExitStack) -> None:
        """Open everything, in order, and be at it until something ends it."""
        orders = self._orders
        database = await self._patience.until_done(partial(open_database, orders.settings.database))
        stack.callback(database.close)
        await self._patience.until_done(partial(_require_real_clock, database))
        opened: Opened | None = None
        if orders.kind in WORKING:
            stack.callback(self._release)
            await self._own(database)
            vault = await self._patience.until_done(partial(self._vault, database))
            opened = Opened(database, vault, orders.settings, RealClock(), orders.say)
        else:
            check = partial(require_key, database, orders.settings)
            await self._patience.until_done(check)
        probes: list[Callable[[], list[Finding]]] = []
        watch = Watch(database, self._process, probes, self._died)
        beat = Beat(self._loop)
        stack.callback(beat.stop)
        probes.append(beat.findings)
        if opened is not None:
            probes.append(self._worker_findings)
        duties: list[Duty] = []
        post = self._post(database, opened)
        if orders.kind in SCHEDULING:
            duties = [duty for duty in DUTIES if orders.kind in duty.on and duty.wanted(post)]
            scheduler = Scheduler(duties, post, self._process.id)
            await self._patience.until_done(scheduler.start)
            stack.push_async_callback(asyncio.to_thread, scheduler.stop, LAST_PATIENCE_S)
            probes.append(scheduler.findings)
        if orders.doors is not None:
            switch_threads_soon()
            opening = orders.doors(post, lambda: watch.process.health)
            probes.append((await stack.enter_async_context(opening)).findings)
        await self._patience.until_done(partial(self._introduce, database, duties))
        spare_the_collector()
        watch.start()
        stack.push_async_exit(partial(self._leave, watch))
        await (self._ended.wait() if opened is None else self._work(opened))

    async def _leave(self, watch: Watch, _: object, error: object, *__: object) -> None:
        """Say that this process ends, and for which bug if it does for one."""
        bug = f"{self._broken}: {DEAD}" if self._broken else ""
        if isinstance(error, Exception) and not isinstance(error, EngineError | Stopped):
            bug = bug or type(error).__name__
        await asyncio.to_thread(watch.stop, bug)

    async def _own(self, database: Database) -> None:
        """Take the users. Raises AnotherWorker."""
        lease_s = self._orders.settings.lease_s
        acquire = partial(buckets.acquire, database, shared=True, lease_s=lease_s)
        self._owned = await self._patience.until_done(acquire)

    def _release(self) -> None:
        if self._owned is not None:
            self._owned.release()
        self._owned = None

    def _vault(self, database: Database) -> Vault:
        opened = open_vault(database, self._orders.settings)
        if opened.notice:
            self._orders.say(opened.notice)
        return opened.vault

    def _post(self, database: Database, opened: Opened | None) -> Post:
        return Post(
            database=database,
            settings=self._orders.settings,
            now=wall,
            stopping=self._ended.is_set,
            vault=partial(self._vault, database) if opened is None else lambda: opened.vault,
            say=self._orders.say,
            journeys=self._orders.journeys,
        )

    def _introduce(self, database: Database, duties: Sequence[Duty]) -> None:
        """Say what runs."""
        orders = self._orders
        orders.say(f"journey {orders.kind}: process {self._process.pid} on {database.name}")
        if orders.kind in WORKING:
            with database.read() as connection:
                known = triggered(connection)
            shown = [
                f"{journey} version {number}{'' if state == 'active' else f' ({state})'}"
                for journey, number, state in known
            ]
            orders.say(f"published journeys: {', '.join(shown) or 'none yet'}")
        if duties:
            orders.say(f"duties: {', '.join(f'{duty.name} {duty.when}' for duty in duties)}")

    async def _work(self, opened: Opened) -> None:
        """Work; where the database fails the worker, open it anew as soon as it is there."""
        while not self._ended.is_set():
            if self._owned is None:
                await self._own(opened.database)
            assert self._owned is not None  # noqa: S101 - they were taken just now
            try:
                async with self._orders.opening(opened, self._owned) as work:
                    self._working = work
                    await self._to_its_end(work)
            except DatabaseUnavailable as error:
                await self._patience.pause(error)
            except buckets.BucketsLost as error:
                self._orders.say(error.message)
                self._release()
            except Exception:
                _log.critical("the worker can't go on", exc_info=True)
                raise
            finally:
                self._working = None

    async def _to_its_end(self, work: Work) -> None:
        """Until it was stopped, or its thread died."""
        self._patience.over()
        working = self._loop.create_task(work.work())
        broke = self._loop.create_task(self._broke.wait())
        if self._ended.is_set():
            work.stop()
        try:
            await asyncio.wait({working, broke}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                await asyncio.wait({working}, timeout=LAST_PATIENCE_S)
            if working.done():
                working.result()
            if not self._ended.is_set():
                self._died("worker")
        finally:
            work.stop()  # its calls that wait for a lease or the database wait no longer
            working.cancel()
            broke.cancel()

    def _worker_findings(self) -> list[Finding]:
        work, owned = self._working, self._owned
        if work is None or owned is None:
            reason = self._patience.waits_for
            return [Finding("worker", "odd" if reason else "ok", reason or "begins")]
        if not owned.mine:
            return [Finding("worker", "wrong", "its lease on the users is over")]
        return look_at("worker", work.loop)

    def _died(self, part: str) -> None:
        """A thread of ours is gone (from any thread): end, so that somebody starts us anew."""
        self._broken = part
        _log.critical("%s: its thread died; the process ends", part)
        self._orders.say(f"error: {part}: its thread died; the process ends")
        self._loop.call_soon_threadsafe(self._end)
        self._loop.call_soon_threadsafe(self._broke.set)

    def _end(self) -> None:
        self._ended.set()
        if self._working is not None:
            self._working.stop()

    def _interrupt(self, number: int) -> None:
        if self._signal:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._signal = number
        self._orders.say("stopping: calls on their way are waited for; again to stop at once")
        self._end()


def _require_real_clock(database: Database) -> None:
    """Raise OperatorError for a database of another clock; a new one is of the real one."""
    with database.read() as connection:
        stands = runs.installation(connection).clock
    if stands is None:
        with database.write() as connection:
            runs.set_clock(connection, "real")
    elif stands != "real":
        raise OperatorError(
            f"this database runs on the {stands} clock since its first run; name another one",
            code="operator.clock",
        )
