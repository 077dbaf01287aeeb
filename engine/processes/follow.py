"""A live run beside a worker: its users are handed to the worker, and what becomes of them is told.

Whoever works takes them in as facts are taken in; the rest is looking. When nobody works any more,
this process takes the users over.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from engine.clock import rest, stopwatch, wall
from engine.enrollments import buckets
from engine.enrollments.buckets import AnotherWorker
from engine.enrollments.following import StepsTaken, look
from engine.enrollments.ledger import Ledger
from engine.enrollments.store import Changes, runs
from engine.errors import DatabaseUnavailable
from engine.processes.committing import PATIENCE_S
from engine.processes.handing_over import HandingOver
from engine.processes.opening import LINGER_US, tell_opened
from engine.processes.supply import Stay
from engine.versions.store import Versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from engine.clock import Clock
    from engine.db.connect import Database
    from engine.enrollments.buckets import Owned
    from engine.enrollments.following import Standings
    from engine.enrollments.store.runs import Run
    from engine.processes.model import RunObserver, RunOptions
    from engine.processes.opening import Todo

GAP_S = 0.01
"""After a set others write: on SQLite the worker waits for such a gap."""
LOOK_EACH_S = 0.1
MOST_PAUSE_S = 2.0
RESTART_S = 10.0
"""A worker that ends is waited for so long: perhaps it is only started anew."""
DEAREST = 20
"""A look is followed by a pause of at least so many times what it took."""


@dataclass(slots=True)
class Followed:
    """How following ended: everything is over; or by a signal; or the users are ours (``owned``),
    and ``left`` is to be worked, with sleepers waited for ``stay_us`` longer.
    """

    interrupted: int | None = None
    owned: Owned | None = None
    left: list[Todo] = field(default_factory=list)
    stay_us: int | None = None


def require_followable(options: RunOptions, database: Database, holder: str) -> None:
    """Raise AnotherWorker for what a run can't do beside ``holder``, who works."""
    beside = f"{holder} works on {database.name}"
    if options.feed is not None:
        refused = "it takes events from `journey events send`, and --events goes without a worker"
    elif options.now is not None:
        refused = "--now needs a clock of its own: name another database with --database"
    elif options.listening is not None:
        refused = "it makes the calls, and --record can't hear them: name another --database"
    else:
        return
    raise AnotherWorker(f"{beside}; {refused}", holder)


def follow(
    database: Database,
    todo: Sequence[Todo],
    clock: Clock,
    options: RunOptions,
    observer: RunObserver,
    holder: str,
) -> Followed:
    """Hand the users of each run in ``todo`` to ``holder`` and follow it to its end.

    Raises DatabaseUnavailable where the database stays away for a minute, and what the observer's
    ``turned`` raises of OSError; the worker goes on whatever is raised.
    """
    follower = _Follower(database, clock, options, observer, holder)
    with follower.hearing_signals():
        return follower.follow(todo)


class _Follower:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        options: RunOptions,
        observer: RunObserver,
        holder: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._options = options
        self._observer = observer
        self._holder = holder
        self._versions = Versions()
        self._owned: Owned | None = None
        self._signal: int | None = None
        self._told_of: tuple[str, bool] | None = None
        self._gone_since: float | None = None
        self._ask_at = 0.0

    def follow(self, todo: Sequence[Todo]) -> Followed:
        """Until nothing of these runs is left to follow, a signal, or until the users are ours."""
        for number, item in enumerate(todo):
            horizon = self._horizon()
            if self._follow_to_its_end(item, horizon):
                continue
            if self._owned is not None:
                self._observer.notice(f"{self._holder} works no more: its users are taken over")
                left = self._left(todo[number:])
                stay = None if horizon is None else max(0, horizon - self._clock.now())
                return Followed(owned=self._owned, left=left, stay_us=stay)
            self._observer.notice(
                f"no longer following: {self._holder} goes on with those who were handed over, the"
                " same command with the others"
            )
            return Followed(interrupted=self._signal)
        return Followed()

    @contextmanager
    def hearing_signals(self) -> Iterator[None]:
        """The first signal ends it, a second one at once."""
        before = {n: signal.signal(n, self._interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        if self._signal is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._signal = number

    def _horizon(self) -> int | None:
        stay = self._options.stay_us
        return None if stay is None else self._clock.now() + stay

    def _left(self, todo: Sequence[Todo]) -> list[Todo]:
        """What is still to be worked, as it stands now that nobody else may change it."""
        with self._database.write() as connection:
            stands = [replace(item, run=runs.stands(connection, item.run)) for item in todo]
        return [item for item in stands if item.run.state != runs.FINISHED]

    # --- one run ----------------------------------------------------------------------------------

    def _follow_to_its_end(self, item: Todo, horizon: int | None) -> bool:
        """Follow a run until it is over; False: a signal came, or the users are ours."""
        tell_opened(self._database, item, self._observer)
        since = self._clock.now() if item.continued else 0
        seen = _Seen(item, self._clock, self._observer, Stay(horizon, LINGER_US))
        over = self._watch(item.run, seen)
        if self._options.telling:
            self._tell(item.run, since)
        if over:
            self._finish(item.run)
        return over

    def _watch(self, run: Run, seen: _Seen) -> bool:
        handing = HandingOver(self._database, run, self._options.users)
        failing: float | None = None
        while self._signal is None:
            began = stopwatch()
            try:
                if self._acquired():
                    return False
                handed = handing.append()
                pause = self._look(run, seen, handed=handed)
            except DatabaseUnavailable as error:
                failing = began if failing is None else failing
                if stopwatch() - failing > PATIENCE_S:
                    raise
                self._observer.paused(error.message)
                pause = 0.5
            else:
                if failing is not None:
                    self._observer.resumed()
                failing = None
            if pause is None:
                return True
            rest(pause)
        return False

    def _acquired(self) -> bool:
        """Whether nobody works any more, and the users are ours now."""
        if stopwatch() < self._ask_at or self._may_come_back():
            return False
        self._ask_at = stopwatch() + LOOK_EACH_S
        try:
            lease_s = self._options.settings.lease_s
            self._owned = buckets.acquire(self._database, lease_s=lease_s)
        except AnotherWorker as another:
            self._holder = another.holder
        else:
            return True
        with self._database.read() as connection:
            alone = buckets.works_alone(self._database, connection)
        if self._told_of != (self._holder, alone):
            self._told_of = (self._holder, alone)
            at, what = f"{self._holder} works on {self._database.name}", "takes the users through"
            self._observer.notice(
                f"{at}, alone: these users are taken through when it is done"
                if alone
                else f"{at}: it {what}, and is followed here"
            )
        return False

    def _may_come_back(self) -> bool:
        """Whether who worked is gone just now and may only be started anew: then it isn't to find
        the users taken. Another run that is done doesn't come back.
        """
        if buckets.is_worked(self._database) or (self._told_of is not None and self._told_of[1]):
            self._gone_since = None
            return False
        if self._gone_since is None:
            self._gone_since = stopwatch()
        return stopwatch() - self._gone_since < RESTART_S

    def _look(self, run: Run, seen: _Seen, *, handed: bool) -> float | None:
        """How long to rest after a look; None: it is over."""
        began = stopwatch()
        if not handed or began >= seen.next_at:
            with self._database.read() as connection:
                standing = look(connection, run, self._versions)
            if seen.tell(standing):
                return None
            took = stopwatch() - began
            pause = min(MOST_PAUSE_S, max(LOOK_EACH_S, DEAREST * took))
            seen.next_at = stopwatch() + pause
            return GAP_S if handed else pause
        return GAP_S

    def _tell(self, run: Run, since: int) -> None:
        """Tell of the steps that were taken while it was followed."""
        with self._database.read() as connection:
            told = StepsTaken(connection, run, since, self._versions).told()
            while some := list(islice(told, 1024)):
                ledger = Ledger(Changes(run.id), self._clock.now(), "", told=some)
                self._observer.turned(ledger)

    def _finish(self, run: Run) -> None:
        with self._database.write() as connection:
            stands = runs.stands(connection, run)
            if stands.state == runs.OPEN and runs.everybody_ended(connection, run.id):
                runs.finish_run(connection, run.id, now=wall())


@dataclass(slots=True)
class _Seen:
    """What was seen of a run so far, told on as the progress between one look and the next."""

    item: Todo
    clock: Clock
    observer: RunObserver
    stay: Stay
    last: Standings | None = None
    next_at: float = 0.0

    def tell(self, now: Standings) -> bool:
        """Tell what is new; whether nobody will move any more."""
        before = now.counts if self.item.continued else {}
        settled = self.item.run.position
        if self.last is not None:
            before, settled = self.last.counts, self.last.settled
        self.last = now
        changes = Changes(self.item.run.id)
        for key, (n, attempts) in now.counts.items():
            was = before.get(key, (0, 0))
            if was != (n, attempts):
                changes.counts[key] = [n - was[0], attempts - was[1]]
        if changes.counts or now.settled != settled:
            at = self.clock.now()
            self.observer.turned(Ledger(changes, at, "", settled=now.settled - settled))
        if now.over or now.waiting or now.calling or now.run.position < now.run.total:
            return now.over
        return not self.stay.waited_for(self.clock.now(), now.wake_at, None)
