"""Who enters by the clock: schedules, and dates of the user's own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine.core.dsl.listening import counted_by
from engine.core.dsl.trigger import DateTrigger, ScheduleTrigger
from engine.core.expressions.calendar import (
    DAY,
    HOUR,
    at_wall,
    find_zone,
    from_instant,
    to_instant,
)
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.schedules import Fires
from engine.core.expressions.scope import UTC_ZONE
from engine.core.interpreter.scope import scope_of, zone_of
from engine.core.interpreter.triggers import inputs_of
from engine.core.steps.flow import is_true
from engine.core.steps.until import Until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.dsl.journey import Journey
    from engine.core.expressions.scope import Scope
    from engine.core.interpreter.state import Passage

LATEST = DAY
"""A fire that was missed is made up for if it is less late than this, in microseconds."""
_MIDNIGHT = time()


@dataclass(slots=True, frozen=True)
class Scheduled:
    """Trigger ``number`` of a journey, a schedule. ``key`` stands for what it says of time: it is
    the same in every version that says it.
    """

    number: int
    trigger: ScheduleTrigger
    key: int

    def zone(self, journey: Journey, own: ZoneInfo, default: str) -> ZoneInfo:
        """Whose clock it goes by, for a user whose zone is ``own``."""
        if self.trigger.timezone == "user":
            return own
        return first_zone(self.trigger.timezone, journey.timezone, default)

    def says(self, journey: Journey, default: str) -> tuple[int, str]:
        """What it says of time, and the zone of users who have none of their own."""
        return self.key, self.zone(journey, first_zone(journey.timezone, default), default).key

    @property
    def recalls(self) -> frozenset[str]:
        """The events of a user's past that it counts."""
        audience = () if self.trigger.audience is None else (self.trigger.audience,)
        return counted_by((*audience, *self.trigger.inputs.values()))

    def inputs(self, journey: Journey, scope: Scope) -> dict[str, object] | None:
        """What the user of ``scope`` enters with; None: he isn't in the audience."""
        if self.trigger.audience is not None and not is_true(self.trigger.audience, scope):
            return None
        return inputs_of(journey, self.trigger.inputs, {}, scope)


@dataclass(slots=True, frozen=True)
class Dated:
    """Trigger ``number`` of a journey, a date, and the ``moment`` that belongs to it. ``key`` as of
    a schedule.
    """

    number: int
    trigger: DateTrigger
    moment: Until
    key: int

    def due(self, scope: Scope) -> tuple[int, int] | None:
        """The date's value for a user, and the moment that belongs to it, both microseconds UTC;
        None: he has none, or it is over for longer than the grace. Of a date on the user's own
        clock the value is what that shows, as though it were UTC's: it stays when he moves.
        """
        try:
            value = self.trigger.date.instant(scope)
            at = None if value is None else self.moment.of_date(value, scope.zone)
            if value is None or at is None or self.is_over(at, scope.now):
                return None
            if value != self.trigger.date.instant(scope.changed(zone=UTC_ZONE)):
                value = to_instant(from_instant(value, scope.zone).replace(tzinfo=UTC))
        except (Unfillable, OverflowError):
            return None
        return value, at

    def is_over(self, at: int, now: int) -> bool:
        """Whether the moment ``at`` is longer ago than the grace."""
        return now > at + self.trigger.grace.microseconds

    @property
    def recalls(self) -> frozenset[str]:
        """The events of a user's past that it counts."""
        return counted_by((self.trigger.date, *self.trigger.inputs.values()))

    def inputs(self, journey: Journey, scope: Scope) -> dict[str, object]:
        """What the user of ``scope`` enters with."""
        return inputs_of(journey, self.trigger.inputs, {}, scope)


def first_zone(*names: str | None) -> ZoneInfo:
    """The first of ``names`` that is a zone's, else UTC."""
    zones = (find_zone(name) for name in names if name)
    return next((zone for zone in zones if zone is not None), UTC_ZONE)


def schedules_of(journey: Journey) -> tuple[Scheduled, ...]:
    """The schedules among a journey's triggers."""
    return tuple(
        Scheduled(number, trigger, key)
        for number, trigger, key in _keyed(journey)
        if isinstance(trigger, ScheduleTrigger)
    )


def dates_of(journey: Journey) -> tuple[Dated, ...]:
    """The dates among a journey's triggers."""
    return tuple(
        Dated(number, trigger, _moment_of(trigger), key)
        for number, trigger, key in _keyed(journey)
        if isinstance(trigger, DateTrigger)
    )


def clock_scope(candidate: Passage, default_zone: str) -> Scope:
    """What a clock's expressions see of a user: ``candidate`` is a fresh passage, begun now."""
    zone, _ = zone_of(candidate, default_zone)
    return scope_of(candidate, candidate.entered_at, zone)


def midnight_after(now: int, zone: ZoneInfo) -> int:
    """When the day after that of ``now`` begins in ``zone``, in microseconds UTC: dates that look
    at the clock are looked at then.
    """
    tomorrow = from_instant(now, zone).date() + timedelta(days=1)
    return at_wall(tomorrow, _MIDNIGHT, zone)


@lru_cache(maxsize=4096)  # all buckets ask for the same
def next_fire(schedule: str, zone: ZoneInfo, after: int) -> int | None:
    """When a schedule fires in ``zone`` next, later than ``after``; None: never again."""
    return Fires(schedule, zone, after + 1).first_from(after + 1)


@lru_cache(maxsize=4096)
def latest_fire(schedule: str, zone: ZoneInfo, after: int, now: int) -> int | None:
    """The last fire later than ``after`` that has come by ``now`` and is no day late; None: there
    was none.
    """
    for back in (HOUR, LATEST):
        at = max(after, now - back) + 1
        fires, found = Fires(schedule, zone, at), None
        while (fire := fires.first_from(at)) is not None and fire <= now:
            found, at = fire, fire + 1
        if found is not None:
            return found
    return None


class ClockTriggers:
    """The schedules and dates of a journey, from the instant ``start`` on; when a schedule fires is
    worked out once for all users. ``zone`` is the installation's.
    """

    def __init__(self, journey: Journey, zone: str, start: int) -> None:
        self.journey = journey
        self.zone = zone
        self._start = start
        self._fires: dict[tuple[str, str], Fires] = {}
        self.schedules = schedules_of(journey)
        self.dates = dates_of(journey)
        self.daily = any(dated.trigger.date.depends_on_time for dated in self.dates)

    def fires(self, scheduled: Scheduled, scope: Scope) -> Fires:
        """When a schedule fires for the user of ``scope``."""
        zone = scheduled.zone(self.journey, scope.zone, self.zone)
        schedule = scheduled.trigger.schedule
        found = self._fires.get((schedule, zone.key))
        if found is None:
            found = self._fires[schedule, zone.key] = Fires(schedule, zone, self._start)
        return found


class UserClock:
    """When one user is let in by the clock. ``next_at`` is the next moment to :meth:`take`, in
    microseconds UTC; None: there is none.
    """

    __slots__ = ("_at", "_daily_at", "_done", "_taken", "_triggers", "_values", "next_at")

    def __init__(self, triggers: ClockTriggers) -> None:
        self.next_at: int | None = None
        self._triggers = triggers
        self._at: dict[int, int] = {}
        self._values: dict[int, int] = {}
        self._done: set[tuple[int, int]] = set()
        self._taken = -1
        self._daily_at: int | None = None

    def look(self, candidate: Passage) -> None:
        """Work out anew when he is let in: at the beginning, and when his attributes change.

        ``candidate`` is a fresh passage of his, begun now.
        """
        now, scope = candidate.entered_at, self._scope(candidate)
        self._at.clear()
        for scheduled in self._triggers.schedules:
            at = self._triggers.fires(scheduled, scope).first_from(max(now, self._taken + 1))
            if at is not None:
                self._at[scheduled.number] = at
        for dated in self._triggers.dates:
            due = dated.due(scope)
            if due is not None and (dated.number, due[0]) not in self._done:
                self._values[dated.number], self._at[dated.number] = due[0], max(due[1], now)
        if self._triggers.daily:
            self._daily_at = midnight_after(now, scope.zone)
        self._set_next()

    def take(self, candidate: Passage) -> Iterator[dict[str, object]]:
        """The inputs that each trigger brings whose moment has come, schedules first."""
        now, scope = candidate.entered_at, self._scope(candidate)
        due = {number for number, at in self._at.items() if at <= now}
        self._taken = now
        journey = self._triggers.journey
        for scheduled in self._triggers.schedules:
            if scheduled.number in due:
                inputs = scheduled.inputs(journey, scope)
                if inputs is not None:
                    yield inputs
        for dated in self._triggers.dates:
            if dated.number in due:
                self._done.add((dated.number, self._values[dated.number]))
                yield dated.inputs(journey, scope)
        self.look(candidate)

    def _scope(self, candidate: Passage) -> Scope:
        return clock_scope(candidate, self._triggers.zone)

    def _set_next(self) -> None:
        moments = [*self._at.values()]
        if self._daily_at is not None:
            moments.append(self._daily_at)
        self.next_at = min(moments, default=None)


def _moment_of(trigger: DateTrigger) -> Until:
    """The moment that belongs to a date, as a ``wait`` until it has it."""
    return Until.model_construct(date=trigger.date, time=trigger.time, offset=trigger.offset)


def _keyed(journey: Journey) -> Iterator[tuple[int, object, int]]:
    """Each trigger by the clock with its number, and with a key of what it says of time; of several
    that say the same, with a key of which of these it is, too.
    """
    met: Counter[str] = Counter()
    for number, trigger in enumerate(journey.entry.triggers):
        if isinstance(trigger, ScheduleTrigger):
            said = f"schedule|{trigger.schedule}|{trigger.timezone}"
        elif isinstance(trigger, DateTrigger):
            offset = trigger.offset.text if trigger.offset else None
            said = f"date|{trigger.date.source}|{offset}|{trigger.time}"
        else:
            continue
        text = f"{said}|{met[said]}"
        met[said] += 1
        digest = blake2b(text.encode(), digest_size=8).digest()
        yield number, trigger, int.from_bytes(digest) >> 1
