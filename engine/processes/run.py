"""A live run: publish the journey, open or continue the run, and work it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.clock import stopwatch, wall
from engine.core.dsl.check import load_and_check
from engine.credentials.open_vault import open_vault
from engine.db.schema import open_database
from engine.enrollments import buckets
from engine.enrollments.arriving import in_order
from engine.enrollments.buckets import AnotherWorker
from engine.enrollments.store import runs
from engine.errors import DatabaseUnavailable, DecidedByHalf
from engine.processes.assemble import Task, assemble
from engine.processes.committing import PATIENCE_S
from engine.processes.event_loop import listening, loop_factory
from engine.processes.follow import follow, require_followable
from engine.processes.heartbeat import beating, while_mine
from engine.processes.limits import spare_the_collector
from engine.processes.model import RunResult
from engine.processes.opening import LINGER_US, clock_of, plan, tell_opened
from engine.processes.sending import open_sending
from engine.processes.supply import Source
from engine.versions.publish import require_endpoints
from engine.versions.store import Versions
from engine.wire.egress import Egress

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from engine.clock import Clock
    from engine.core.steps.base import Result
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.enrollments.buckets import Owned
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.pending import Held
    from engine.enrollments.store.runs import Run
    from engine.processes.model import RunObserver, RunOptions
    from engine.processes.opening import Todo
    from engine.processes.worker import Worker
    from engine.settings import Settings

_PAUSE_S = 0.5


def run_live(options: RunOptions, observer: RunObserver) -> RunResult:
    """Take everybody through the journey, durably; the same call again goes on where it stopped.

    Raises DefinitionError (exit 3), OperatorError (2; 4 for endpoints that don't exist),
    SettingsError (78), DatabaseUnavailable (5), and what the observer's ``turned`` raises of
    OSError: then as after a signal.
    """
    loaded = load_and_check(options.source, options.file)
    _require_usable(options.settings)
    with ExitStack() as stack:
        database = open_database(options.settings.database)
        stack.callback(database.close)
        with database.read() as connection:  # before keys are made for nothing
            require_endpoints(connection, loaded.journey.journey, loaded.checked.endpoints)
        opened = open_vault(database, options.settings)
        if opened.notice:
            observer.notice(opened.notice)
        owned, holder = _acquire(database, options)
        if owned is not None:
            stack.callback(owned.release)
        with database.write() as connection:
            clock = clock_of(connection, options.now)
            todo = plan(connection, loaded, options, observer)
        ids = tuple(item.run.id for item in todo)
        if todo[0].run.state == runs.FINISHED:
            tell_opened(database, todo[0], observer)
            return RunResult(ids, already_ran=True)
        if owned is None:
            followed = follow(database, todo, clock, options, observer, holder)
            if followed.owned is None:
                return RunResult(ids, interrupted=followed.interrupted)
            owned, todo = followed.owned, followed.left
            stack.callback(owned.release)
            options = replace(options, stay_us=followed.stay_us)
        launch = _Launch(database, owned, opened.vault, clock, options, observer)
        return replace(launch.work(todo), run_ids=ids)


def _acquire(database: Database, options: RunOptions) -> tuple[Owned | None, str]:
    """The users; or else None, and who has them."""
    try:
        return buckets.acquire(database, lease_s=options.settings.lease_s), ""
    except AnotherWorker as another:
        require_followable(options, database, another.holder)
        return None, another.holder


def _require_usable(settings: Settings) -> None:
    """Raise SettingsError for settings the work can't be done with, before anything is stored."""
    _ = settings.calls_in_flight, settings.lease_s
    Egress.parse(settings.egress_allow)


class _Launch:
    """Works runs one after another."""

    def __init__(
        self,
        database: Database,
        owned: Owned,
        vault: Vault,
        clock: Clock,
        options: RunOptions,
        observer: RunObserver,
    ) -> None:
        self._database = database
        self._owned = owned
        self._vault = vault
        self._clock = clock
        self._options = options
        self._observer = observer
        self._versions = Versions()
        self._worker: Worker | None = None
        self._signal: int | None = None
        self._untold: OSError | None = None
        self._moved_at = 0.0

    def work(self, todo: Sequence[Todo]) -> RunResult:
        """Work them all. Raises the observer's OSError, once answers aren't waited for any more."""
        ids = tuple(item.run.id for item in todo)
        spare_the_collector()
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self._work(todo))
        if self._untold is not None:
            raise self._untold
        return RunResult(ids, interrupted=self._signal)

    async def _work(self, todo: Sequence[Todo]) -> None:
        options = self._options
        sending = open_sending(
            self._database, self._vault, self._clock, options.settings, options.listening
        )
        with listening(asyncio.get_running_loop(), self._interrupt):
            async with sending as sender, beating(self._owned):
                deliver = while_mine(self._owned, sender.deliver)
                for item in todo:
                    tell_opened(self._database, item, self._observer)
                    await self._to_its_end(item.run, deliver)

    async def _to_its_end(self, run: Run, deliver: Callable[[Held], Awaitable[Result]]) -> None:
        """Work a run, anew from what is stored wherever the database fails amid a decision. Raises
        DatabaseUnavailable where nothing but that happens for a minute.
        """
        worker = self._worker_of(run, deliver)
        self._moved_at = stopwatch()
        while self._goes_on:
            try:
                if await worker.work():
                    self._finish(run)
            except DecidedByHalf as error:
                worker.stop()
                self.paused(error.message)
                worker = await self._worker_again(run, deliver, error)
                self.resumed()
            else:
                return

    async def _worker_again(
        self, run: Run, deliver: Callable[[Held], Awaitable[Result]], error: DatabaseUnavailable
    ) -> Worker:
        while self._goes_on and stopwatch() - self._moved_at < PATIENCE_S:
            await asyncio.sleep(_PAUSE_S)
            try:
                with self._database.read() as connection:
                    stands = runs.stands(connection, run)
                return self._worker_of(stands, deliver)
            except DatabaseUnavailable as again:
                error = again
        raise error

    @property
    def _goes_on(self) -> bool:
        return self._signal is None and self._untold is None

    def turned(self, ledger: Ledger) -> None:
        """Hand it on; where nobody can be told any more, begin nothing new."""
        self._moved_at = stopwatch()
        try:
            self._observer.turned(ledger)
        except OSError as error:
            self._untold = error
            if self._worker is not None:
                self._worker.stop()

    def paused(self, reason: str) -> None:
        """Hand it on."""
        self._observer.paused(reason)

    def resumed(self) -> None:
        """Hand it on."""
        self._observer.resumed()

    def _worker_of(self, run: Run, deliver: Callable[[Held], Awaitable[Result]]) -> Worker:
        # The users' position of a run that another process killed half-way is its own.
        options = self._options
        with self._database.read() as connection:
            published = self._versions.get(connection, run.version_id)
        stay = options.stay_us
        task = Task(
            run.id,
            published,
            Source(in_order(options.users.rows, run.position, run.order), run.position),
            horizon=None if stay is None else self._clock.moment() + stay,
            linger=LINGER_US if options.now is None else 0,
            feed=options.feed,
            triggered=options.triggered,
        )
        worker = assemble(
            self._database,
            self._owned,
            deliver,
            self._versions,
            self._clock,
            options.settings,
            self,
            task,
            telling=options.telling,
        )
        self._worker = worker
        return worker

    def _finish(self, run: Run) -> None:
        with self._database.write() as connection:
            feed = self._options.feed
            if runs.everybody_ended(connection, run.id) and (feed is None or feed.next_at is None):
                runs.finish_run(connection, run.id, now=wall())

    def _interrupt(self, number: int) -> None:
        if self._signal is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._signal = number
        self._observer.notice("stopping: calls on their way are waited for; again to stop at once")
        if self._worker is not None:
            self._worker.stop()
