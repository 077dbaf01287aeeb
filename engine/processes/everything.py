"""The worker of a process that runs until it is stopped: it works everything, and what comes."""

from __future__ import annotations

import math
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.endpoints.live import LiveEndpoints
from engine.enrollments.backlog import Backlog
from engine.enrollments.decide import Decider
from engine.enrollments.ids import IdMaker, entropy
from engine.enrollments.listening import Listening
from engine.enrollments.present import Surroundings
from engine.enrollments.send import Outbox
from engine.enrollments.store import runs
from engine.enrollments.users_held import UsersHeld
from engine.processes.limits import raise_open_files
from engine.processes.sending import open_sending
from engine.processes.worker import Worker
from engine.versions.live import LiveJourneys
from engine.versions.store import Versions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.core.steps.base import Result
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.rows import Held
    from engine.processes.health import Loop
    from engine.processes.work import Opened, Work


class _Everything(Worker):
    """A worker that says when it comes by, and why it doesn't."""

    back_by = math.inf
    _thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread that decides runs, from its first turn to its last."""
        thread = self._thread
        return thread is None or thread.is_alive()

    @property
    def loop(self) -> Loop:
        """Itself."""
        return self

    def open(self) -> None:
        """Read what is there to do."""
        self._thread = threading.current_thread()
        super().open()

    def turn(self) -> float | None:
        """One turn."""
        self.back_by = stopwatch()
        pause = super().turn()
        if pause is None:
            self._thread = None
        self.back_by = math.inf if pause is None else stopwatch() + pause
        return pause


class _Told:
    """Hears what the worker tells: that it waits for the database, and that it goes on."""

    worker: _Everything

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._reason = ""

    def turned(self, _ledger: Ledger) -> None:
        """Nobody watches each turn of a worker that runs for ever."""

    def paused(self, reason: str) -> None:
        """Say why, once."""
        self.worker.back_by = stopwatch()  # it does come by
        if reason != self._reason:
            self._say(f"waiting: {reason}")
        self._reason = reason

    def resumed(self) -> None:
        """Say it."""
        self._reason = ""
        self._say("going on")


@asynccontextmanager
async def open_work(opened: Opened) -> AsyncIterator[Work]:
    """The worker that works everything that is there, and what comes."""
    async with open_sending(
        opened.database, opened.vault, opened.clock, opened.settings
    ) as sending:
        yield _worker(opened, sending.deliver)


def _worker(opened: Opened, deliver: Callable[[Held], Awaitable[Result]]) -> _Everything:
    with opened.database.read() as connection:
        installation = runs.installation(connection).key
    versions, users, live, told = Versions(), UsersHeld(), LiveEndpoints(), _Told(opened.say)
    outbox = Outbox(deliver, live, raise_open_files(opened.settings.calls_in_flight))
    decider = Decider(
        None,
        Surroundings(versions, users, outbox, Listening(versions)),
        LiveJourneys(versions),
        IdMaker(entropy),
        installation,
        opened.settings.timezone,
    )
    backlog = Backlog(None, versions, users)
    worker = _Everything(opened.database, decider, backlog, outbox, live, opened.clock, None, told)
    told.worker = worker
    return worker
