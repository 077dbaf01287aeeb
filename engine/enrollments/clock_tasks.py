"""What there is to do by the clock in one bucket, and when: users to read for a schedule's fire,
users whose dates are to be looked at, dates that are due.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from engine.core.interpreter.clock_triggers import LATEST
from engine.enrollments.clocks import Candidate, group_of
from engine.enrollments.store import clocks as store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.interpreter.state import User
    from engine.enrollments.clocks import Clock, DateClock, Rank, Turn
    from engine.enrollments.store.clocks import ClockRows, Far

_COST_OF_A_READ = 4
"""What reading costs, in users, even if it finds nobody."""


class Agenda:
    """What is to be done, in the order of its time. Of a task that is put forward the later place
    doesn't count any more.
    """

    __slots__ = ("_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[tuple[int, Rank, int, int, Task]] = []
        self._numbers = count()

    def add(self, task: Task) -> None:
        """Plan a task for when it is due, if it ever is."""
        task.planned = next(self._numbers)
        if task.at is not None:
            entry = task.at, task.rank, task.bucket, task.planned, task
            heappush(self._heap, entry)

    @property
    def next_at(self) -> int | None:
        """When the first task is due."""
        while self._heap and self._heap[0][-2] != self._heap[0][-1].planned:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: int) -> Iterator[Task]:
        """What is due, one after another; whoever takes it adds it again."""
        while (at := self.next_at) is not None and at <= now:
            yield heappop(self._heap)[-1]


@dataclass(slots=True)
class Pages:
    """The users of one bucket, in one zone or (None) in any, read in pages when a clock says so.
    Zone '' is those who have none of their own. ``cursor`` is None between two fires.
    """

    clock: Clock
    bucket: int
    zone: str | None
    fire_at: int
    at: int | None
    cursor: str | None = None
    planned: int = -1

    @property
    def rank(self) -> Rank:
        """Its place among those at one moment."""
        return self.clock.rank

    @classmethod
    def open(cls, clock: Clock, bucket: int, zone: str | None, far: Far | None, now: int) -> Pages:
        """Where they were left off; ``far`` is None if they never were read."""
        if far is None:
            return cls(clock, bucket, zone, *clock.begin(zone, now))
        if far.cursor is not None and now < far.fire_at + LATEST:
            return cls(clock, bucket, zone, far.fire_at, far.fire_at, far.cursor)
        return cls(clock, bucket, zone, far.fire_at, clock.after(far.fire_at, zone))

    def run(self, turn: Turn) -> None:
        """Read a page."""
        if self.cursor is None:
            fire = self.clock.latest(self.fire_at, self.zone, turn.now)
            if fire is None:
                self.at = self.clock.after(turn.now, self.zone)
                return
            self.fire_at, self.at, self.cursor = fire, fire, ""
        most = turn.unread
        place = self.bucket, self.cursor, self.zone or None, most
        users = store.users_after(turn.connection, *place, turn.held)
        turn.unread -= max(len(users), _COST_OF_A_READ)
        names = self.clock.recalls
        turn.recall((user, names) for user in users)
        for user in users:
            self.cursor = user.id
            if self.zone is None or group_of(user.timezone) == self.zone:
                self.clock.read(user, turn)
            if len(turn.entering) >= turn.most:
                break
        all_read = not users or self.cursor == users[-1].id
        if all_read and len(users) < most:
            self.cursor, self.at = None, self.clock.after(self.fire_at, self.zone)
            self.clock.done(turn, self.bucket)
        self.note(turn.rows)

    def note(self, rows: ClockRows) -> None:
        """Have it written down how far they were read."""
        clock = self.bucket, self.clock.published.journey, self.clock.key
        rows.read(clock, self.zone or "", self.fire_at, self.cursor)


@dataclass(slots=True)
class DueDates:
    """The dates of one bucket that are near; where one comes nearer, ``agenda`` is told."""

    clock: DateClock
    bucket: int
    at: int | None
    agenda: Agenda
    planned: int = -1

    @property
    def rank(self) -> Rank:
        """Its place among those at one moment."""
        return 1, self.clock.dated.number

    def put_forward(self, at: int) -> None:
        """A date is due ``at``."""
        if self.at is None or at < self.at:
            self.at = at
            self.agenda.add(self)

    def run(self, turn: Turn) -> None:
        """Let those in whose date is due, if it still is what it was."""
        clock = self.bucket, self.clock.published.journey, self.clock.key
        turn.rows.write(turn.connection)
        most = min(turn.unread, turn.most - len(turn.entering))
        found = store.due_dates(turn.connection, clock, turn.now, most, turn.held)
        turn.unread -= max(len(found), _COST_OF_A_READ)
        names = self.clock.recalls
        turn.recall((user, names) for user, _, _ in found)
        for user, value, due_at in found:
            self._take(user, value, due_at, turn)
        turn.rows.write(turn.connection)
        self.at = store.next_date(turn.connection, clock)

    def _take(self, user: User, value: int, due_at: int, turn: Turn) -> None:
        dated, published = self.clock.dated, self.clock.published
        ones = user.bucket, user.id, published.journey, dated.key
        scope = self.clock.scope(user, turn.now)
        # One that looks at the clock is what it was when it was looked at.
        stands = (value, due_at) if self.clock.by_zone else dated.due(scope)
        if stands != (value, due_at):
            self.clock.look(user, turn.now, turn.rows)
        elif dated.is_over(due_at, turn.now):
            turn.rows.stands(ones, None)
        else:
            turn.rows.date(ones, value, due_at, turn.now)
            inputs = dated.inputs(published.program.journey, scope)
            turn.entering.append(Candidate(user, published, dated.number, inputs))


Task = Pages | DueDates
