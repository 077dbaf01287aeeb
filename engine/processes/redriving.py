"""Sending failed calls again where no worker runs that would."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.clock import RealClock, VirtualClock
from engine.endpoints.live import LiveEndpoints
from engine.enrollments import buckets, redrive
from engine.enrollments.backlog import Backlog
from engine.enrollments.decide import Decider
from engine.enrollments.ids import IdMaker, entropy
from engine.enrollments.receive import Receiver
from engine.enrollments.send import Outbox
from engine.enrollments.store import runs
from engine.enrollments.users_held import UsersHeld
from engine.processes.limits import raise_open_files
from engine.processes.sending import open_sending
from engine.processes.worker import Source, Worker
from engine.versions.store import Versions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from engine.clock import Clock
    from engine.core.steps.base import Result
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection, Database
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.rows import Held, Lane
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
    with ExitStack() as stack:
        owned = buckets.acquire(database.path)
        stack.callback(owned.release)
        with database.read() as connection:
            marked = redrive.waiting(connection)
            clock = _clock(connection, marked)
        done = Redriven()
        if marked:
            with asyncio.Runner() as runner:
                runner.run(_work(database, vault, settings, clock, done))
        return done


def _clock(connection: Connection, marked: Mapping[Lane, int]) -> Clock:
    if runs.installation(connection).clock != "virtual":
        return RealClock()
    return VirtualClock(max(marked.values(), default=0))


async def _work(
    database: Database, vault: Vault, settings: Settings, clock: Clock, done: Redriven
) -> None:
    async with open_sending(database, vault, clock, settings) as sender:
        worker = _worker(database, settings, clock, sender.deliver, done)
        loop = asyncio.get_running_loop()

        def interrupt(number: int) -> None:
            done.interrupted = number
            worker.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt, number)
        await worker.work()


def _worker(
    database: Database,
    settings: Settings,
    clock: Clock,
    deliver: Callable[[Held], Awaitable[Result]],
    done: Redriven,
) -> Worker:
    versions, users = Versions(), UsersHeld()
    with database.read() as connection:
        installation = runs.installation(connection).key
        some = connection.exec_driver_sql("SELECT min(id) FROM versions").scalar_one()
        published = versions.get(connection, some)
    receiver = Receiver(0, published, versions, users, IdMaker(entropy))
    live = LiveEndpoints(database, clock)
    return Worker(
        database,
        Decider(0, receiver, installation, settings.timezone),
        _Marked(0, versions, users),
        Outbox(deliver, live, raise_open_files(settings.calls_in_flight)),
        live,
        clock,
        Source(iter(()), 0, done=True),
        done,
        horizon=None,
        linger=0,
    )


class _Marked(Backlog):
    """The calls that are marked to be sent again, and nothing else: nobody is woken."""

    def open(self, connection: Connection) -> None:
        """Read when what is there is due."""
        self._calls = redrive.waiting(connection)

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
            read = redrive.due(connection, lane, now, limit, self._versions, self._users)
            taken = [one for one in read if one.place not in mine]
            if len(read) < limit:
                later = redrive.waiting(connection, after=now).get(lane)
                self._note(lane, later)
            found += taken[:most]
        return found
