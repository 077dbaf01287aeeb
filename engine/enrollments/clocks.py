"""The schedules and dates of versions, as one turn of a worker sees them: when users are to be read
for them, and what becomes of each user read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from engine.core.expressions.calendar import DAY, find_zone
from engine.core.interpreter.clock_triggers import (
    clock_scope,
    first_zone,
    latest_fire,
    midnight_after,
    next_fire,
)
from engine.core.interpreter.state import Passage

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.core.expressions.scope import Scope
    from engine.core.interpreter.clock_triggers import Dated, Scheduled
    from engine.core.interpreter.state import User
    from engine.db.connect import Connection
    from engine.enrollments.store.clocks import ClockRows
    from engine.enrollments.users_held import UsersHeld
    from engine.versions.store import Published

PAGE = 1_000
"""Users read in one turn of the worker."""
HORIZON = 2 * DAY
"""How far ahead dates are looked at; each user's at least once in half of it."""
KEPT = 366 * DAY
"""How long after its grace a date is remembered, so that it lets nobody in twice."""

Recall = Callable[[Iterable[tuple["User", frozenset[str]]]], None]
"""Makes known of users' pasts the events of these names."""
Rank = tuple[int, int]
"""What comes first of what is due at one moment: schedules, dates, looks; each by number."""


@dataclass(slots=True, frozen=True)
class Candidate:
    """Somebody whom trigger number ``trigger`` of a version lets in, if admission does."""

    user: User
    published: Published
    trigger: int
    inputs: dict[str, object]


@dataclass(slots=True)
class Turn:
    """One turn's look at the clock, at ``now``: up to ``most`` are ``entering``, and up to
    ``unread`` users more are read. What is to be written goes to ``rows``; ``recall`` is asked for
    what triggers count.
    """

    connection: Connection
    now: int
    most: int
    rows: ClockRows
    held: UsersHeld
    recall: Recall
    entering: list[Candidate] = field(default_factory=list)
    unread: int = PAGE

    @property
    def over(self) -> bool:
        """Whether the rest is for another turn."""
        return self.unread <= 0 or len(self.entering) >= self.most


@dataclass(slots=True, frozen=True)
class ScheduleClock:
    """A schedule of a version; ``since`` is the instant from which on it fires. Earlier versions
    said the same of time, on the same clock, since ``unchanged_since``: fires before that aren't
    made up for. Users with a zone of their own have no other clock in another version.
    """

    published: Published
    scheduled: Scheduled
    default_zone: str
    since: int
    unchanged_since: int

    @property
    def key(self) -> int:
        """What stands for the schedule."""
        return self.scheduled.key

    @property
    def rank(self) -> Rank:
        """Its place among those at one moment."""
        return 0, self.scheduled.number

    @property
    def by_zone(self) -> bool:
        """Whether it goes by each user's own clock."""
        return self.scheduled.trigger.timezone == "user"

    @property
    def recalls(self) -> frozenset[str]:
        """The events that it counts."""
        return self.scheduled.recalls

    def begin(self, zone: str | None, _now: int) -> tuple[int, int | None]:
        """What counts as the fire before the first, and when the first is."""
        return self.since - 1, self.after(self.since - 1, zone)

    def after(self, fire_at: int, zone: str | None) -> int | None:
        """When users of a zone are to be read next."""
        last = self._last(fire_at, zone)
        return next_fire(self.scheduled.trigger.schedule, self._zone(zone), last)

    def latest(self, fire_at: int, zone: str | None, now: int) -> int | None:
        """For which fire users are to be read now; None: for none, it is too late."""
        last = self._last(fire_at, zone)
        return latest_fire(self.scheduled.trigger.schedule, self._zone(zone), last, now)

    def read(self, user: User, turn: Turn) -> None:
        """Let him in, if he is in the audience."""
        scope = scope_for(self.published, user, turn.now, self.default_zone)
        inputs = self.scheduled.inputs(self.published.program.journey, scope)
        if inputs is not None:
            found = Candidate(user, self.published, self.scheduled.number, inputs)
            turn.entering.append(found)

    def done(self, turn: Turn, bucket: int) -> None:
        """All users were read."""

    def _last(self, fire_at: int, zone: str | None) -> int:
        """What counts as the last fire, where users were read for ``fire_at``."""
        return fire_at if zone else max(fire_at, self.unchanged_since - 1)

    def _zone(self, zone: str | None) -> ZoneInfo:
        journey = self.published.program.journey
        own = first_zone(zone, journey.timezone, self.default_zone)
        return self.scheduled.zone(journey, own, self.default_zone)


class Due(Protocol):
    """The dates of one bucket that are near."""

    def put_forward(self, at: int) -> None:
        """A date is due ``at``."""
        ...


@dataclass(slots=True, frozen=True)
class DateClock:
    """A date trigger of a version. Users are read to look at their dates: once a day, and where
    the date looks at the clock at each midnight of theirs.
    """

    published: Published
    dated: Dated
    default_zone: str
    due: dict[int, Due] = field(default_factory=dict)

    @property
    def key(self) -> int:
        """What stands for the date trigger."""
        return self.dated.key

    @property
    def rank(self) -> Rank:
        """Its place among those at one moment."""
        return 2, self.dated.number

    @property
    def by_zone(self) -> bool:
        """Whether users are read at a moment of their own clock."""
        return self.dated.trigger.date.depends_on_time

    @property
    def recalls(self) -> frozenset[str]:
        """The events that it counts."""
        return self.dated.recalls

    def begin(self, _zone: str | None, now: int) -> tuple[int, int | None]:
        """Dates are looked at at once."""
        return now - 1, now

    def after(self, fire_at: int, zone: str | None) -> int:
        """When users of a zone are to be read next."""
        if not self.by_zone:
            return fire_at + DAY
        journey = self.published.program.journey
        return midnight_after(fire_at, first_zone(zone, journey.timezone, self.default_zone))

    def latest(self, _fire_at: int, _zone: str | None, now: int) -> int:
        """A look that was missed is made now."""
        return now

    def read(self, user: User, turn: Turn) -> None:
        """Look at his date."""
        self.look(user, turn.now, turn.rows, anew=self.by_zone)

    def done(self, turn: Turn, bucket: int) -> None:
        """All users were read; forget what can't come again."""
        before = turn.now - self.dated.trigger.grace.microseconds - KEPT
        turn.rows.over((bucket, self.published.journey, self.key), before)

    def look(self, user: User, now: int, rows: ClockRows, *, anew: bool = True) -> None:
        """Note when a user's date is due, if that is near; ``anew``: what was noted may be over."""
        due = self.dated.due(self.scope(user, now))
        ones = user.bucket, user.id, self.published.journey, self.key
        if anew:
            rows.stands(ones, None if due is None else due[0])
        if due is not None and due[1] < now + HORIZON:
            rows.date(ones, *due)
            self.due[user.bucket].put_forward(due[1])

    def scope(self, user: User, now: int) -> Scope:
        """What the date sees of a user."""
        return scope_for(self.published, user, now, self.default_zone)


Clock = ScheduleClock | DateClock


def group_of(timezone: str | None) -> str:
    """The zone in which the users who have this one are read: it, or '' if it is none."""
    return timezone if timezone and find_zone(timezone) is not None else ""


def scope_for(published: Published, user: User, now: int, default_zone: str) -> Scope:
    """What the expressions of a version's triggers see of a user."""
    program = published.program
    candidate = Passage(0, user, program, "", now, {}, position=program.first)
    return clock_scope(candidate, default_zone)
