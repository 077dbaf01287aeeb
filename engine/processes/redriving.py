"""Sending failed calls again where no worker runs that would."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.clock import RealClock, VirtualClock
from engine.enrollments import buckets, redrive, store
from engine.enrollments.backlog import Backlog
from engine.enrollments.store import runs
from engine.processes.assemble import Task, assemble
from engine.processes.heartbeat import beating, while_mine
from engine.processes.sending import open_sending
from engine.processes.supply import Source
from engine.versions.store import Versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.clock import Clock
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection, Database
    from engine.enrollments.buckets import Owned
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.pending import Held, Lane
    from engine.enrollments.store.facts import Told
    from engine.settings import Settings


@dataclass(slots=True)
class Redriven:
    """What came of calls that were sent again; ``interrupted`` is the signal that ended it."""

    succeeded: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    interrupted: int | None = None

    def turned(self, ledger: Ledger) -> None:
        """A turn was committed."""
        self.succeeded += len(ledger.changes.answered_calls)
        for row in ledger.changes.failed_calls:
            code = str(row[8])
            self.failures[code] = self.failures.get(code, 0) + 1

    def paused(self, reason: str) -> None:
        """The database can't be written: it is waited for."""

    def resumed(self) -> None:
        """It can again."""


def work_redriven(database: Database, vault: Vault, settings: Settings) -> Redriven:
    """Send the calls that are marked to be sent again, until each has succeeded or failed.

    Raises AnotherWorker where a worker runs: it sends them.
    """
    done = Redriven()
    with ExitStack() as stack:
        owned = buckets.acquire(database, lease_s=settings.lease_s)
        stack.callback(owned.release)
        with database.read() as connection:
            marked = redrive.waiting(connection)
            clock = _clock(connection, marked)
            newest = connection.exec_driver_sql("SELECT max(id) FROM versions").scalar_one()
        if marked:
            with asyncio.Runner() as runner:
                runner.run(_Sending(database, owned, vault, settings, clock, newest).work(done))
    return done


def _clock(connection: Connection, marked: Mapping[Lane, int]) -> Clock:
    if runs.installation(connection).clock != "virtual":
        return RealClock()
    return VirtualClock(max(marked.values(), default=0))


@dataclass(frozen=True, slots=True)
class _Sending:
    """What the calls are sent with."""

    database: Database
    owned: Owned
    vault: Vault
    settings: Settings
    clock: Clock
    version_id: int

    async def work(self, done: Redriven) -> None:
        """Send them."""
        database, versions = self.database, Versions()
        with database.read() as connection:
            published = versions.get(connection, self.version_id)
        nobody = Task(
            0, published, Source(iter(()), 0, done=True), horizon=0, linger=0, backlog=_Marked
        )
        sending = open_sending(database, self.vault, self.clock, self.settings)
        async with sending as sender, beating(self.owned):
            deliver = while_mine(self.owned, sender.deliver)
            set_up = (database, self.owned, deliver, versions, self.clock, self.settings, done)
            worker = assemble(*set_up, nobody)
            loop = asyncio.get_running_loop()

            def interrupt(number: int) -> None:
                done.interrupted = number
                worker.stop()

            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, interrupt, number)
            await worker.work()


class _Marked(Backlog):
    """The calls that are marked to be sent again, and nothing else: nobody is woken."""

    def open(self, connection: Connection) -> None:
        """Read when what is there is due."""
        self._calls = redrive.waiting(connection)

    def load_told(self, connection: Connection, most: int) -> list[Told]:
        """What was told waits for a worker."""
        return []

    def add_sleeper(self, at: int) -> None:
        """Whoever wakes is his worker's business."""

    def load_calls(
        self,
        connection: Connection,
        now: int,
        room: Mapping[Lane, int],
        held: Mapping[Lane, set[tuple[object, ...]]],
    ) -> list[Held]:
        """Calls that may be tried, for each lane as many as there is ``room`` for in memory."""
        found: list[Held] = []
        for lane, most in room.items():
            mine = held.get(lane, set())
            limit = most + len(mine)
            read = store.due_redriven(connection, (*lane, now, limit), self._versions, self._users)
            taken = [one for one in read if one.place not in mine]
            if len(read) < limit:
                later = redrive.waiting(connection, after=now).get(lane)
                self._note(lane, later)
            found += taken[:most]
        return found
