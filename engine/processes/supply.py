"""What a worker is given: where its users and facts come from, what it asks, and whom it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.enrollments.store import facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from engine.core.steps.call_api import Terms
    from engine.db.connect import Connection
    from engine.enrollments.arriving import Comer
    from engine.enrollments.backlog import Backlog
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.pending import Held, Lane
    from engine.enrollments.store.facts import Told


ARRIVALS_PER_TURN = 256
LIGHT_ARRIVALS_PER_TURN = 1024
MOST_RUNS = 100
"""Of so many runs users may be held back at once: each is named in a statement."""
FEW_STEPS = 16
"""Of a user who is light: a turn of a thousand of them takes a tenth of a second."""


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
    """Where a run's users come from: the rows not admitted yet, and how many were before them.
    ``targets`` are where the calls go of those taken in last; they were ``is_light`` if they came
    to none and took few steps.
    """

    rows: Iterator[Comer]
    position: int
    done: bool = False
    targets: set[Lane] = field(default_factory=set)
    is_light: bool = False

    def some(self, hungry: Callable[[Lane], bool], *, alone: bool) -> int:
        """How many are to be taken in: none where no endpoint that the last ones went to could take
        more; more where they are light and nobody else writes.
        """
        if self.done or (self.targets and not any(map(hungry, self.targets))):
            return 0
        return LIGHT_ARRIVALS_PER_TURN if self.is_light and alone else ARRIVALS_PER_TURN

    def came(self, ledger: Ledger, rows: Sequence[Comer]) -> None:
        """These users were taken in; what was decided for them is committed."""
        users = {row.id for _, row in rows}
        self.targets = {held.lane for held in ledger.calls if held.passage.user.id in users}
        few = len(ledger.changes.executions) <= FEW_STEPS * len(rows)
        self.is_light = few and not self.targets

    def take(self, most: int) -> list[Comer]:
        """The next ``most`` rows; done where there are fewer."""
        if not most:
            return []
        rows = list(islice(self.rows, most))
        self.position += len(rows)
        self.done = len(rows) < most
        return rows


class Feed(Protocol):
    """Facts that come by a virtual clock, instead of through the inbox."""

    @property
    def next_at(self) -> int | None:
        """When the next is to be told; None: there is none."""
        ...

    def due(self, now: int, most: int) -> list[Told]:
        """Up to ``most`` of those whose time has come; the same again until they are taken."""
        ...

    def take(self, count: int) -> None:
        """The first ``count`` were received."""
        ...


class Tellings:
    """The facts that a worker is told: those in the inbox, and those that come by a virtual clock.
    ``waiting``: there may be some in the inbox.

    Users of runs wait there, too, whom other processes handed over. While nothing else is there to
    be taken in, they are as a run's own process takes them in: none while no endpoint that the last
    ones of each run went to could take more. Nobody else waits for that.
    """

    def __init__(self, backlog: Backlog, feed: Feed | None) -> None:
        self._backlog = backlog
        self._feed = feed
        self._fed = 0
        self._more: bool | None = None
        self._targets: dict[int, set[Lane]] = {}
        self._users: dict[str, int] = {}
        # Whether there may be facts among what waits, or users of a run of whom the last load had
        # none. Where neither is, whoever waits is of a run whose endpoints are known.
        self._facts = self._strangers = True
        self.come_first = False
        """Whether there may be more facts than were loaded, so that clocks have to wait."""
        self.waiting = True

    @property
    def next_at(self) -> int | None:
        """When the next comes by the clock; None: there is none."""
        return None if self._feed is None else self._feed.next_at

    def expect(self) -> None:
        """There may be anything, until somebody looks."""
        self.waiting = self._facts = self._strangers = True

    def look(self, connection: Connection) -> None:
        """See what another process may have written."""
        self.waiting = self._backlog.look(connection)
        self._facts = self.waiting and self._tells_facts(connection)
        self._strangers = self.waiting and (self._facts or self._tells_of_strangers(connection))

    def are_due(self, now: int, hungry: Callable[[Lane], bool]) -> bool:
        """Whether there may be some to load."""
        return self.are_wanted(hungry) or has_come(self.next_at, now)

    def are_wanted(self, hungry: Callable[[Lane], bool]) -> bool:
        """Whether there may be some in the inbox that are to be taken in now."""
        if not self.waiting or self._facts or self._strangers or not self._targets:
            return self.waiting
        return any(not lanes or any(map(hungry, lanes)) for lanes in self._targets.values())

    def load(self, connection: Connection, now: int, most: int) -> list[Told]:
        """Up to ``most``; the same again until they are received."""
        no_calls = self._targets and not any(self._targets.values())
        some = most if self._facts or no_calls else min(most, ARRIVALS_PER_TURN)
        told = self._backlog.load_told(connection, some) if self.waiting else []
        self._more = len(told) == some
        runs = [facts.run_of(one) for one in told]
        self._users = {
            one.user_id: run for one, run in zip(told, runs, strict=True) if run is not None
        }
        # Others may have told of something since the last look; what was loaded is there, too.
        self._facts = self._more and self._tells_facts(connection, runs.count(None))
        targets: dict[int, set[Lane]] = {run: set() for run in self._users.values()}
        self._strangers = self._strangers and self._more and targets.keys() <= self._targets.keys()
        self._targets = targets
        self.come_first = self._facts
        if not told and self._feed is not None:
            told = self._feed.due(now, most)
            self._fed = len(told)
            self.come_first = self._fed == most
        return told

    def _tells_facts(self, connection: Connection, most: int = 0) -> bool:
        return facts.more_than_entries(connection, self._backlog.buckets, most)

    def _tells_of_strangers(self, connection: Connection) -> bool:
        if len(self._targets) > MOST_RUNS:
            return True
        return facts.other_entries(connection, self._backlog.buckets, self._targets)

    def received(self, ledger: Ledger) -> None:
        """A turn with those loaded was committed, as it was decided."""
        if self._more is not None:
            self.waiting, self._more = self._more, None
            for held in ledger.calls:
                if (run := self._users.get(held.passage.user.id)) is not None:
                    self._targets[run].add(held.lane)
        if self._feed is not None and self._fed:
            self._feed.take(self._fed)
            self._fed = 0


@dataclass(slots=True, frozen=True)
class Stay:
    """How long a run stays for those who sleep: up to the instant ``horizon`` of journey time, or
    (None) for ``linger`` microseconds from whenever nothing else is left.
    """

    horizon: int | None
    linger: int

    def waited_for(self, now: int, wake: int | None, fed: int | None) -> list[int]:
        """Which of these times the run stays for, of those when somebody wakes and when a fact is
        told: facts are waited for without end, unless there is a horizon.
        """
        if fed is not None and self.horizon is not None and fed > self.horizon:
            fed = None
        latest = now + self.linger if self.horizon is None else self.horizon
        if wake is not None and wake > latest and (fed is None or wake > fed):
            wake = None
        return [at for at in (wake, fed) if at is not None]


@dataclass(slots=True)
class Loading:
    """What a turn is to bring from the database besides what is in memory, as of the instant ``at``
    of journey time: it is decided then or later, though the clock be put back meanwhile. ``known``:
    whoever is to be known before anything happens to him is.
    """

    at: int = 0
    room: dict[Lane, int] = field(default_factory=dict)
    sleepers: bool = False
    arrivals: int = 0
    known: bool = True
    told: bool = False
    journeys: bool = False
    clocks: bool = False

    @property
    def empty(self) -> bool:
        """Nothing."""
        return not self.sleepers and self._no_others

    @property
    def only_sleepers(self) -> bool:
        """Sleepers, and nothing else."""
        return self.sleepers and self._no_others

    @property
    def _no_others(self) -> bool:
        return not (self.told or self.journeys or self.clocks or self.room or self.arrivals)


def has_come(at: int | None, now: int) -> bool:
    """Whether an instant, if there is one, isn't ahead any more."""
    return at is not None and at <= now


def unknown(held: Held) -> Result:
    """A call that may be made at most once, was begun, and whose answer nobody has."""
    return Result(
        answer=Answer(failure="call.unknown"),
        failure="call.unknown",
        text="begun before a restart; it may be made at most once",
        attempts=held.call.attempts + 1,
        tries=held.call.tries + 1,
        first_at=held.call.first_at or 0,
    )
