"""The worker: receive, decide and send for one run, as a pipeline.

A thread of its own decides and commits, turn after turn, while the event loop has calls on the
wire, which hold no transaction; neither waits for the other as long as both have work. A turn takes
what is there (answers, sleepers, new users), so sets are small when little happens and grow only
under load.
"""

from __future__ import annotations

import asyncio
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from engine.clock import VirtualClock, rest, stopwatch
from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.enrollments import store
from engine.enrollments.decide import Answered, Turn
from engine.enrollments.receive import Arrivals
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.clock import Clock
    from engine.core.interpreter.state import Passage
    from engine.core.steps.call_api import Terms
    from engine.db.connect import Connection, Database
    from engine.enrollments.backlog import Backlog
    from engine.enrollments.decide import Decider
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.rows import Held, Lane
    from engine.enrollments.send import Outbox
    from engine.users.row import UserRow

ARRIVALS_PER_TURN = 256
ANSWERS_PER_TURN = 1024
SLEEPERS_PER_TURN = 512
REST_S = 0.002
"""After a commit the worker rests: other processes' writes wait for such a gap."""
PATIENCE_S = 60.0
"""How long a database that can't be written is waited for."""


class Endpoints(Protocol):
    """Endpoints' live settings, read again wherever they changed."""

    def terms(self, connection: Connection) -> Mapping[str, Terms]:
        """The terms of every endpoint as they stand in the transaction of ``connection``."""
        ...


class Observer(Protocol):
    """Who listens to a run."""

    def turned(self, ledger: Ledger) -> None:
        """A turn was committed."""
        ...

    def paused(self, reason: str) -> None:
        """The database can't be written; everybody stays due."""
        ...

    def resumed(self) -> None:
        """It can again."""
        ...


@dataclass(slots=True)
class Source:
    """Where a run's users come from: the rows not admitted yet, and how many were before them."""

    rows: Iterator[UserRow]
    position: int
    done: bool = False
    targets: set[Lane] = field(default_factory=set)


@dataclass(slots=True)
class _Loading:
    """What a turn is to bring from the database besides what is in memory."""

    room: dict[Lane, int] = field(default_factory=dict)
    sleepers: bool = False
    arrivals: int = 0

    @property
    def empty(self) -> bool:
        return not (self.room or self.sleepers or self.arrivals)


class Worker:
    """Works one run until nobody can move: all ended, or asleep beyond the horizon.

    ``horizon`` is the instant of journey time up to which sleepers are waited for (with a virtual
    clock, jumped to); None stands for ``linger`` microseconds from whenever nothing else is left.
    """

    def __init__(
        self,
        database: Database,
        decider: Decider,
        backlog: Backlog,
        outbox: Outbox,
        endpoints: Endpoints,
        clock: Clock,
        source: Source,
        observer: Observer,
        *,
        horizon: int | None,
        linger: int,
    ) -> None:
        self._database = database
        self._decider = decider
        self._backlog = backlog
        self.outbox = outbox
        outbox.wake = self.wake
        self._endpoints = endpoints
        self._clock = clock
        self._source = source
        self._observer = observer
        self._horizon = horizon
        self._linger = linger
        self.woken = threading.Event()
        self._stopping = False
        self._name = decider.installation[:8]

    def wake(self) -> None:
        """Something came in: look again."""
        self.woken.set()

    def stop(self) -> None:
        """Begin nothing new; the work ends when the calls on the wire are answered."""
        self._stopping = True
        self.outbox.close()
        self.wake()

    async def work(self) -> bool:
        """Work until nobody can move, or until stopped; True if it was not stopped.

        Raises DatabaseUnavailable where the database stays unwritable for a minute.
        """
        loop = asyncio.get_running_loop()
        self.outbox.notify = partial(loop.call_soon_threadsafe, self.outbox.pump)
        with ThreadPoolExecutor(1, thread_name_prefix="decide") as thread:
            await loop.run_in_executor(thread, self._decide_all)
        return not self._stopping

    def _decide_all(self) -> None:
        self.open()
        while (pause := self.turn()) is not None:
            self.woken.wait(min(pause, threading.TIMEOUT_MAX))

    def open(self) -> None:
        """Read what is there to do; once, before the first turn."""
        with self._database.read() as connection:
            self._backlog.open(connection)

    def turn(self) -> float | None:
        """Take in what is there, decide, and commit. For how many seconds there is nothing more to
        do unless woken; None if there is nothing to do at all any more.
        """
        turn, loading = self._gather()
        if turn.empty and loading.empty:
            return self._pause()
        ledger, calls = self._take(turn, loading)
        self._after(turn, ledger, calls)
        if self.outbox.in_flight:  # let answers gather and other processes write
            rest(REST_S)
        return 0.0

    def _gather(self) -> tuple[Turn, _Loading]:
        """What the next turn takes in."""
        self.woken.clear()
        turn = Turn(
            answered=self.outbox.take_answers(ANSWERS_PER_TURN),
            starting=self.outbox.take_starting(),
        )
        for held in turn.starting:
            held.call.started_by = self._name
        if self._stopping:
            return turn, _Loading()
        now = self._clock.now()
        room = {lane: self.outbox.room(lane) for lane in self._backlog.due_lanes(now)}
        loading = _Loading(
            room={lane: free for lane, free in room.items() if free and self.outbox.hungry(lane)},
            sleepers=self._backlog.sleeper_due(now),
            arrivals=ARRIVALS_PER_TURN if self._may_admit() else 0,
        )
        return turn, loading

    def _may_admit(self) -> bool:
        """New users are taken in while some endpoint that the last ones went to could take more."""
        targets = self._source.targets
        return not self._source.done and (not targets or any(map(self.outbox.hungry, targets)))

    def _take(self, turn: Turn, loading: _Loading) -> tuple[Ledger, list[Held]]:
        """One turn: load, decide, commit."""
        rows = list(islice(self._source.rows, loading.arrivals)) if loading.arrivals else []
        if loading.arrivals:
            self._source.position += len(rows)
            self._source.done = len(rows) < loading.arrivals
        if rows:
            turn.arrivals = Arrivals(rows, self._source.position)
        decided: tuple[Ledger, list[Held]] | None = None
        since, waited = stopwatch(), False
        while True:
            try:
                with self._database.write(waits=1) as connection:
                    if decided is None:
                        decided = self._decide(connection, turn, loading)
                    store.write(connection, decided[0].changes)
            except DatabaseUnavailable as error:
                self._hold_out(error, since)
                waited = True
            else:
                if waited:
                    self._observer.resumed()
                return decided

    def _decide(
        self, connection: Connection, turn: Turn, loading: _Loading
    ) -> tuple[Ledger, list[Held]]:
        now = self._clock.now()
        due: list[Passage] = []
        calls: list[Held] = []
        if loading.sleepers:
            due = self._backlog.load_due(connection, now, SLEEPERS_PER_TURN)
        if loading.room:
            calls = self._backlog.load_calls(connection, now, loading.room, self.outbox.held)
        begun = [Answered(held, _unknown(held)) for held in calls if held.call.started_by]
        # The turn itself stays as it is: if the database fails here, it is loaded for once more.
        loaded = replace(turn, due=due, answered=[*turn.answered, *begun])
        terms = self._endpoints.terms(connection)
        ledger = self._decider.decide(connection, loaded, terms, now)
        return ledger, [held for held in calls if not held.call.started_by]

    def _hold_out(self, error: DatabaseUnavailable, since: float) -> None:
        """Wait a moment for a database that can't be written; raise when patience is over."""
        if stopwatch() - since > PATIENCE_S or self._stopping:
            raise error
        self._observer.paused(error.message)
        rest(0.5)

    def _after(self, turn: Turn, ledger: Ledger, loaded: list[Held]) -> None:
        """What follows from a committed turn."""
        self.outbox.committed(turn.answered)
        for held in turn.starting:
            self.outbox.launch(held)
        for held in (*loaded, *ledger.calls):
            if not self.outbox.offer(held):
                self._backlog.add_call(held.lane, self._clock.now())
        for lane, at in ledger.retries:
            self._backlog.add_call(lane, at)
        if ledger.next_wake is not None:
            self._backlog.add_sleeper(ledger.next_wake)
        if turn.arrivals is not None:
            self._source.targets = {held.lane for held in ledger.calls}
        self.outbox.notify()
        self._observer.turned(ledger)

    def _pause(self) -> float | None:
        """For how long there is nothing to do; None if nobody can move any more."""
        outbox, backlog = self.outbox, self._backlog
        if self._stopping:
            return math.inf if outbox.busy else None
        next_call, wake = backlog.next_call(outbox.hungry), backlog.next_wake
        idle, parked = outbox.standing()
        if idle and next_call is None and parked is None and not self._within_horizon(wake):
            return None
        at = min((t for t in (next_call, wake, parked) if t is not None), default=None)
        if idle and at is not None and isinstance(self._clock, VirtualClock):
            self._clock.move_to(at)
            outbox.notify()
            return 0.0
        return math.inf if at is None else max(0.0, (at - self._clock.now()) / 1_000_000)

    def _within_horizon(self, wake: int | None) -> bool:
        if wake is None:
            return False
        horizon = self._horizon
        return wake <= (self._clock.now() + self._linger if horizon is None else horizon)


def _unknown(held: Held) -> Result:
    """A call that may be made at most once, was begun, and whose answer nobody has."""
    return Result(
        answer=Answer(failure="call.unknown"),
        failure="call.unknown",
        text="begun before a restart; it may be made at most once",
        attempts=held.call.attempts + 1,
        tries=held.call.tries + 1,
        first_at=held.call.first_at or 0,
    )
