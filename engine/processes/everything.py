"""The worker of a process that runs until it is stopped: it works everything, and what comes."""

from __future__ import annotations

import math
import threading
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.processes.assemble import assemble
from engine.processes.heartbeat import beating, require_mine, while_mine
from engine.processes.sending import open_sending
from engine.processes.worker import Worker
from engine.versions.store import Versions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from engine.enrollments.buckets import Owned
    from engine.enrollments.ledger import Ledger
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
async def open_work(opened: Opened, owned: Owned) -> AsyncIterator[Work]:
    """The worker that works everything that is there of its users, and what comes."""
    told = _Told(opened.say)
    surroundings = (opened.database, opened.vault, opened.clock, opened.settings)
    mine = partial(require_mine, owned)
    async with open_sending(*surroundings, before_writing=mine) as sending, beating(owned):
        worker = assemble(
            opened.database,
            owned,
            while_mine(owned, sending.deliver),
            Versions(),
            opened.clock,
            opened.settings,
            told,
            kind=_Everything,
        )
        assert isinstance(worker, _Everything)  # noqa: S101 - it is made of that kind
        told.worker = worker
        yield worker
