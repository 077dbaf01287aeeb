"""A worker in a world where everything is drawn by lot and repeats itself: one thread, a clock that
only moves when told, a wire that answers as scripted, and a database that fails and crashes.

What is real: the worker, the outbox, the backlog, decide, receive, the statements, and SQLite.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import selectors
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.clock import VirtualClock
from engine.core.expressions.assignment import bucket_of
from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.db.connect import Connection, Database
from engine.db.ids import IdMaker
from engine.endpoints.live import LiveEndpoints
from engine.enrollments.backlog import Backlog
from engine.enrollments.buckets import WholeFile
from engine.enrollments.decide import Decider
from engine.enrollments.ledger import Ledger
from engine.enrollments.listening import Listening
from engine.enrollments.pausing import Holding
from engine.enrollments.pending import Held
from engine.enrollments.present import Surroundings
from engine.enrollments.send import Outbox
from engine.enrollments.store import runs
from engine.enrollments.users_held import UsersHeld
from engine.errors import DatabaseUnavailable
from engine.processes import committing, worker
from engine.processes.supply import Source
from engine.processes.worker import Worker
from engine.users.row import UserRow
from engine.versions.live import LiveJourneys
from engine.versions.store import Versions

DAY = 86_400_000_000


@contextmanager
def restless() -> Iterator[None]:
    """Inside, no worker rests: neither between turns nor for a database that fails."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (worker, committing):
            patch.setattr(module, "rest", lambda seconds: None)
        yield


class Crash(BaseException):
    """The process is gone, with all it had in memory."""


class Clock(VirtualClock):
    """Moves a millisecond each time it is read, and when told."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        self._now += 1_000
        return self._now

    moment = now

    def move_to(self, instant: int) -> None:
        self._now = max(self._now, instant)


class _Skipping(selectors.PollSelector):
    """Nobody is ever waited for: what would be slept is added to the loop's time."""

    slept = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found:
            assert timeout is not None, "nothing will ever happen any more"
            self.slept += max(0.0, timeout)
        return found


class Loop(asyncio.SelectorEventLoop):
    """An event loop in one thread, with a time of its own."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        self._skipping.slept += 1e-6
        return self._skipping.slept


class Wire:
    """The world outside: it outlives every crash. ``log`` has (key, body) of each request, ``sent``
    how often each key came; ``answer`` says what the n-th request with a path gets.
    """

    def __init__(
        self,
        lots: random.Random,
        clock: Clock,
        answer: Callable[[str, int], tuple[int, object]],
    ) -> None:
        self._lots = lots
        self._clock = clock
        self._answer = answer
        self.log: list[tuple[str, str, bytes]] = []
        self.sent: Counter[str] = Counter()

    async def deliver(self, held: Held) -> Result:
        call = held.call
        self.log.append((call.key, call.target, call.body))
        self.sent[call.key] += 1
        status, said = self._answer(call.target, self.sent[call.key])
        for _ in range(self._lots.randrange(4)):
            await asyncio.sleep(self._lots.choice([0, 0, 0.001, 0.1]))
        body = json.dumps(said).encode()
        answer = Answer(status, {"content-type": "application/json"}, body)
        first = call.first_at or self._clock.now()
        return Result(answer, None, "", call.attempts + 1, call.tries + 1, first)


class FailingDatabase(Database):
    """Its writes fail, or take the process with them, as often as ``faults`` says."""

    def __init__(self, url: str, lots: random.Random, faults: Faults) -> None:
        super().__init__(url)
        self._lots = lots
        self._faults = faults

    @contextmanager
    def write(
        self, *, waits: int = 1, alone: bool = True, within_s: float | None = None
    ) -> Iterator[Connection]:
        fault = self._faults.draw(self._lots)
        if fault == "locked":
            raise DatabaseUnavailable("locked")
        with super().write(waits=waits, alone=alone, within_s=within_s) as connection:
            yield connection
            if fault == "full":
                raise DatabaseUnavailable("full")
            if fault == "crash before":
                raise Crash
        if fault == "crash after":
            raise Crash


@dataclass
class Faults:
    """How often a write goes wrong, and for how long anything does at all."""

    rate: float
    left: int

    def draw(self, lots: random.Random) -> str:
        """What goes wrong this time; '' for nothing."""
        if self.left == 0 or lots.random() >= self.rate:
            return ""
        self.left -= 1
        return lots.choice(["locked", "full", "crash before", "crash after"])


@dataclass
class Told:
    """What a worker told before it was gone: how many answers it had committed."""

    settled: int = 0
    paused_times: int = 0
    crash: Callable[[], bool] = field(default=lambda: False)

    def turned(self, ledger: Ledger) -> None:
        changes = ledger.changes
        self.settled += len(changes.answered_calls) + len(changes.retried_calls)
        # An unknown one was sent by a process that is gone.
        self.settled += sum(row[8] != "call.unknown" for row in changes.failed_calls)
        if self.crash():
            raise Crash

    def paused(self, reason: str) -> None:
        self.paused_times += 1

    def resumed(self) -> None:
        pass


class Life:
    """Lives of one process after another, on one database, until the run is over."""

    def __init__(self, seed: int, path: Path, users: list[UserRow], wire_answer: Any) -> None:
        self._lots = random.Random(seed)
        self._url = f"sqlite:///{path}"
        self._users = [(bucket_of(row.id), row) for row in users]
        self.clock = Clock(1_790_000_000_000_000)
        self.wire = Wire(self._lots, self.clock, wire_answer)
        self.faults = Faults(self._lots.choice([0.05, 0.2, 0.5]), self._lots.randrange(40))
        self.lives = 0
        self.may_repeat = 0
        self.run_id = 0

    def live(self) -> None:
        """Until everybody has ended."""
        while not self._one():
            self.lives += 1
            assert self.lives < 200, "it never ends"

    def _one(self) -> bool:
        """One life of the process; whether the run was over then."""
        sent, told = len(self.wire.log), Told(crash=self._crashes)
        database = FailingDatabase(self._url, self._lots, self.faults)
        try:
            with asyncio.Runner(loop_factory=Loop) as runner:
                runner.run(self._work(self._worker(database, told)))
        except Crash:
            self.may_repeat += len(self.wire.log) - sent - told.settled
            return False
        finally:
            database.close()
        assert len(self.wire.log) - sent == told.settled, "who isn't killed repeats nothing"
        with Database(self._url).read() as connection:
            return runs.everybody_ended(connection, self.run_id)

    async def _work(self, worker: Worker) -> None:
        """What the deciding thread does, between what the event loop does."""
        loop = asyncio.get_running_loop()
        worker.outbox.notify = partial(loop.call_soon, worker.outbox.pump)
        worker.open()
        while (pause := worker.turn()) is not None:
            for _ in range(self._lots.randrange(4)):
                await asyncio.sleep(0)
            over = loop.time() + min(pause, 10.0)
            while not worker.woken.is_set() and loop.time() < over:  # noqa: ASYNC110 (a thread's)
                await asyncio.sleep(0.05)
            assert pause < math.inf or worker.woken.is_set(), "nothing will ever happen any more"

    def _crashes(self) -> bool:
        if self.faults.left and self._lots.random() < self.faults.rate / 4:
            self.faults.left -= 1
            return True
        return False

    def _worker(self, database: Database, told: Told) -> Worker:
        versions, held, live = Versions(), UsersHeld(), LiveEndpoints()
        with database.read() as connection:
            run = runs.newest_run(connection, "j", "users")
            assert run is not None
            key = runs.installation(connection).key
            published = versions.get(connection, run.version_id)
        self.run_id = run.id
        outbox = Outbox(self.wire.deliver, live, 5)
        around = Surroundings(versions, held, outbox, Listening(versions))
        journeys = LiveJourneys(versions)
        ids = IdMaker(lambda: self._lots.getrandbits(22))
        return Worker(
            database,
            Decider(
                (run.id, published),
                around,
                journeys,
                Holding(journeys, versions),
                lambda: tuple(range(256)),
                ids,
                key,
                "UTC",
            ),
            Backlog(run.id, versions, held),
            outbox,
            live,
            self.clock,
            Source(iter(self._users[run.position :]), run.position),
            told,
            horizon=self.clock.now() + 400 * DAY,
            linger=0,
            owned=WholeFile(0),
        )
