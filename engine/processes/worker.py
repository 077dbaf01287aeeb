"""The worker: receive, decide and send, as a pipeline.

A thread of its own decides and commits, turn after turn, while the event loop has calls on the
wire, which hold no transaction; neither waits for the other as long as both have work. Sets are
small when little happens and grow only under load.
"""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from engine.clock import VirtualClock, rest, stopwatch
from engine.db.watch import watch
from engine.enrollments.receive import Arrivals
from engine.enrollments.turn import Answered, Turn
from engine.errors import DatabaseUnavailable, DecidedByHalf
from engine.processes.bell import Bell
from engine.processes.committing import Committing
from engine.processes.crowds import Crowds
from engine.processes.pace import REST_S, Pace, rest_after
from engine.processes.sharing import Share
from engine.processes.supply import Loading, Source, Stay, Tellings, has_come, unknown

if TYPE_CHECKING:
    from engine.clock import Clock
    from engine.db.connect import Connection, Database
    from engine.enrollments.backlog import Backlog
    from engine.enrollments.buckets import Owned
    from engine.enrollments.decide import Decider
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.pending import Held
    from engine.enrollments.send import Outbox
    from engine.processes.supply import Endpoints, Feed, Observer

TOLD_PER_TURN = 1024
ANSWERS_PER_TURN = 1024
SLEEPERS_PER_TURN = 512
LONGEST_REST_S = 1.0  # the clock may be set, or the machine have slept


class Worker:
    """Works until nobody can move; without a ``source`` of users until it is stopped.

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
        source: Source | None,
        observer: Observer,
        owned: Owned,
        *,
        horizon: int | None = None,
        linger: int = 0,
        feed: Feed | None = None,
    ) -> None:
        self._database = database
        self._decider = decider
        self._backlog = backlog
        self.outbox = outbox
        self.woken = Bell()
        outbox.wake = self.woken.set
        self._endpoints = endpoints
        self._clock = clock
        self._source = source or Source(iter(()), 0, done=True)
        self._lasts = source is None
        self._observer = observer
        self._stay = Stay(horizon, linger)
        self._committing = Committing(database, owned, observer, lasts=source is None)
        # A run of its own is over soon, and who writes beside it may wait; a service isn't.
        self._pace = Pace() if source is None else Pace(math.inf)
        self._size = 0
        self._share = Share(database, owned, outbox, backlog, self._read)
        self._crowds = Crowds(database, decider, backlog, self._share)
        self._tellings = Tellings(backlog, feed)
        self._watch = watch(database)
        self._stale = True
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new; the work ends when the calls on the wire are answered."""
        self._stopping = self._committing.stopping = True
        self.outbox.close()
        self.woken.set()

    async def work(self) -> bool:
        """Work until nobody can move, or until stopped; True if it was not stopped.

        Raises DatabaseUnavailable where the database stays unwritable for a minute, DecidedByHalf
        where the work is to be opened anew.
        """
        loop = asyncio.get_running_loop()
        self.outbox.notify = partial(loop.call_soon_threadsafe, self.outbox.pump)
        with ThreadPoolExecutor(1, thread_name_prefix="decide") as thread:
            await loop.run_in_executor(thread, self._decide_all)
        return not self._stopping

    def _decide_all(self) -> None:
        self.open()
        try:
            while (pause := self.turn()) is not None:
                self._rest(pause)
        finally:
            self._committing.close()
            self._watch.close()

    def _rest(self, pause: float) -> None:
        """Wait until it is time, something came in, or another process has written."""
        until = stopwatch() + min(pause, LONGEST_REST_S)
        files = () if self._watch.file is None else (self._watch.file,)
        while (left := until - stopwatch()) > 0:
            self.woken.wait(min(left, self._watch.each_s), files)
            if self.woken.is_set() or self._look():
                return

    def _look(self) -> bool:
        """Whether another process told of something, changed a journey, or marked failed calls."""
        marked = False
        if self._watch.changed():
            self._tellings.expect()  # also where it can't be read: the turn meets the reason
            with suppress(DatabaseUnavailable), self._database.read() as connection:
                self._tellings.look(connection)
                self._stale = self._decider.journeys.stale(connection)
            marked = bool(self._backlog.due_lanes(self._clock.moment()))
        told = self._tellings.are_wanted(self.outbox.hungry)
        return told or self._stale or marked or self._share.is_another

    def open(self) -> None:
        """Read what is there to do; once, before the first turn."""
        with self._database.read() as connection:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        self._backlog.open(connection)
        self._decider.open(connection)

    def turn(self) -> float | None:
        """One turn: for how many seconds nothing is to be done unless woken; None: for ever."""
        began = stopwatch()
        if self._share.is_another and self._share.settle():
            self._tellings.expect()
        if self._decider.holding.outstanding and not self._stopping:
            self._share.obey(self._decider.holding)
        turn, loading = self._gather()
        turn, loading = (behind := self._wake_crowd(turn, loading)) or (turn, loading)
        if turn.empty and loading.empty:
            now, ahead = self._clock.moment(), not self._stopping
            ahead = ahead and not behind and self._backlog.load_ahead(self._database, now)
            return 0.0 if behind or ahead else self._pause()
        ledger, calls = self._take(turn, loading)
        self._pace.took(self._committing.held_s, self._size)
        self._after(turn, ledger, calls)
        if self.outbox.in_flight:  # let answers gather and other processes write
            rest(rest_after(stopwatch() - began))
        return 0.0

    def _wake_crowd(self, turn: Turn, loading: Loading) -> tuple[Turn, Loading] | None:
        """Wake a crowd: what there is to take in behind it. None: there is no crowd."""
        behind, some = None, self._pace.at_most(SLEEPERS_PER_TURN)
        while self._crowds.is_one(turn, loading, some):
            ledger = self._crowds.decided(partial(self._decide, turn, loading, [], False))
            if ledger is None:
                break
            lags = self._committing.is_writing
            self._finish()
            if lags:  # else others write while the next turn is decided
                rest(REST_S)
            self._committing.begin(ledger)
            behind = turn, loading = self._gather()
        self._finish()
        return behind

    def _finish(self) -> None:
        """Wait until what was begun is written, and go on from it."""
        if (ledger := self._committing.finish()) is not None:
            self._after(Turn(), ledger, [])

    def _gather(self) -> tuple[Turn, Loading]:
        """What the next turn takes in."""
        self.woken.clear()
        self._look()
        self._pace.at(stopwatch(), others=self._tellings.are_wanted(self.outbox.hungry))
        turn = Turn(
            answered=self.outbox.take_answers(self._pace.at_most(ANSWERS_PER_TURN)),
            starting=self.outbox.take_starting(),
        )
        if self._stopping:
            return turn, Loading()
        now = self._clock.moment()
        for held in self.outbox.take_outlived():
            self._backlog.add_call(held.lane, now)
        room = {lane: self.outbox.room(lane) for lane in self._backlog.due_lanes(now)}
        known = self._source.done or not self._decider.triggered
        loading = Loading(
            at=now,
            room={lane: free for lane, free in room.items() if free and self.outbox.hungry(lane)},
            sleepers=self._backlog.sleeper_due(now),
            arrivals=self._source.some(self.outbox.hungry, alone=self._pace.is_alone),
            known=known,
            told=known and self._tellings.are_due(now, self.outbox.hungry),
            journeys=self._stale,
            clocks=known and has_come(self._decider.or_entry(None), now),
        )
        return turn, loading

    def _take(self, turn: Turn, loading: Loading) -> tuple[Ledger, list[Held]]:
        """One turn: load, decide, commit."""
        if rows := self._source.take(loading.arrivals):
            turn.arrivals = Arrivals(rows, self._source.position)
        calls: list[Held] = []
        # Whoever enters by the clock is written page by page as he is decided.
        apart = self._database.is_file and not (loading.clocks or loading.journeys)
        decide = partial(self._decide, turn, loading, calls, loading.known and not apart)
        return self._committing.commit(decide, apart=apart), calls

    def _decide(
        self, turn: Turn, loading: Loading, calls: list[Held], clocks: bool, connection: Connection
    ) -> Ledger:
        """Decide for a turn; the ``calls`` that were read for it are added to these."""
        now = max(loading.at, self._clock.moment())
        # The turn itself stays as it is: if the database fails here, it is loaded for once more.
        loaded = replace(turn)
        if loading.told:
            most = self._pace.at_most(TOLD_PER_TURN)
            loaded.told = self._tellings.load(connection, now, most)
        behind = loading.told and self._tellings.come_first  # facts come before clocks
        if loading.sleepers and not behind:
            some = self._pace.at_most(SLEEPERS_PER_TURN)
            loaded.due = self._backlog.load_due(connection, now, some)
        if loading.room:
            held_here = self.outbox.places(loading.room)
            found = self._backlog.load_calls(connection, now, loading.room, held_here)
            begun = [Answered(held, unknown(held)) for held in found if held.call.started_by]
            loaded.answered = [*turn.answered, *begun]
            loaded.calls = [held for held in found if not held.call.started_by]
        self._stale = False
        self._size = len(loaded.told) + len(loaded.answered) + len(loaded.due)
        terms = self._endpoints.terms(connection)
        try:
            with self._database.translated():
                ledger = self._decider.decide(connection, loaded, terms, now, clocks=clocks)
        except DatabaseUnavailable as error:
            raise DecidedByHalf(error.message) from error
        self._backlog.turned(ledger)
        calls += loaded.calls
        return ledger

    def _after(self, turn: Turn, ledger: Ledger, loaded: list[Held]) -> None:
        """What follows from a committed turn."""
        self.outbox.committed(turn.answered)
        self._decider.committed()
        self._tellings.received(ledger)
        for held in turn.starting:
            self.outbox.launch(held)
        now = self._clock.moment()
        line = self._backlog.in_line(loaded, ledger.calls, self._share.giving, now)
        self.outbox.offer(line, partial(self._backlog.put_off, at=now))
        for lane, at in ledger.retries:
            self._backlog.add_call(lane, at)
        if turn.arrivals is not None:
            self._source.came(ledger, turn.arrivals.rows)
        if ledger.look_again:
            self._tellings.expect()
        self.outbox.notify()
        self._observer.turned(ledger)

    def _pause(self) -> float | None:
        """For how long there is nothing to do; None if nobody can move any more."""
        outbox, backlog = self.outbox, self._backlog
        if self._stopping:
            return math.inf if outbox.busy else None
        next_call = backlog.next_call(outbox.hungry)
        known = self._source.done or not self._decider.triggered
        wake = self._decider.or_entry(backlog.next_wake) if known else backlog.next_wake
        fed = self._tellings.next_at if known else None
        idle, parked = outbox.standing()
        sleeping = [t for t in (wake, fed) if t is not None]
        if idle and next_call is None and parked is None and not self._lasts:
            sleeping = self._stay.waited_for(self._clock.moment(), wake, fed)
            if not sleeping:
                return None
        at = min((t for t in (next_call, parked, *sleeping) if t is not None), default=None)
        if idle and at is not None and isinstance(self._clock, VirtualClock):
            self._clock.move_to(at)
            outbox.notify()
            return 0.0
        return math.inf if at is None else max(0.0, (at - self._clock.moment()) / 1_000_000)
