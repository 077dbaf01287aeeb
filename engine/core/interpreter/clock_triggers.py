"""Who enters by the clock: schedules, and dates of the user's own."""

from __future__ import annotations

from datetime import time, timedelta
from typing import TYPE_CHECKING

from engine.core.dsl.trigger import DateTrigger, ScheduleTrigger
from engine.core.expressions.calendar import at_wall, find_zone, from_instant
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.schedules import Fires
from engine.core.expressions.scope import UTC_ZONE
from engine.core.interpreter.scope import scope_of, zone_of
from engine.core.interpreter.triggers import inputs_of
from engine.core.steps.flow import is_true
from engine.core.steps.until import Until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from engine.core.dsl.journey import Journey
    from engine.core.expressions.scope import Scope
    from engine.core.interpreter.state import Passage

_MIDNIGHT = time()


class ClockTriggers:
    """The schedules and dates of a journey, from the instant ``start`` on; when a schedule fires is
    worked out once for all users. ``zone`` is the installation's.
    """

    def __init__(self, journey: Journey, zone: str, start: int) -> None:
        self.journey = journey
        self.zone = zone
        self._start = start
        self._fires: dict[tuple[str, str], Fires] = {}
        triggers = journey.entry.triggers
        self.schedules = [t for t in triggers if isinstance(t, ScheduleTrigger)]
        self.dates = [(t, _moment_of(t)) for t in triggers if isinstance(t, DateTrigger)]
        self.daily = any(trigger.date.depends_on_time for trigger, _ in self.dates)

    def fires(self, trigger: ScheduleTrigger, scope: Scope) -> Fires:
        """When a schedule fires for the user of ``scope``."""
        zone = self._zone_of(trigger, scope)
        key = trigger.schedule, zone.key
        found = self._fires.get(key)
        if found is None:
            found = self._fires[key] = Fires(trigger.schedule, zone, self._start)
        return found

    def _zone_of(self, trigger: ScheduleTrigger, scope: Scope) -> ZoneInfo:
        if trigger.timezone == "user":
            return scope.zone
        names = (trigger.timezone, self.journey.timezone, self.zone)
        found = next((find_zone(name) for name in names if name), None)
        return found or UTC_ZONE


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
        for number, schedule in enumerate(self._schedules):
            at = self._triggers.fires(schedule, scope).first_from(max(now, self._taken + 1))
            if at is not None:
                self._at[number] = at
        for number, (dated, moment) in enumerate(self._triggers.dates, len(self._schedules)):
            self._look_at_date(number, dated, moment, scope)
        if self._triggers.daily:
            tomorrow = from_instant(now, scope.zone).date() + timedelta(days=1)
            self._daily_at = at_wall(tomorrow, _MIDNIGHT, scope.zone)
        self._set_next()

    def take(self, candidate: Passage) -> Iterator[dict[str, object]]:
        """The inputs that each trigger brings whose moment has come."""
        now, scope = candidate.entered_at, self._scope(candidate)
        due = [number for number, at in self._at.items() if at <= now]
        self._taken = now
        for number in due:
            if number < len(self._schedules):
                trigger = self._schedules[number]
                if trigger.audience is None or is_true(trigger.audience, scope):
                    yield inputs_of(self._triggers.journey, trigger.inputs, {}, scope)
            else:
                self._done.add((number, self._values[number]))
                dated, _ = self._triggers.dates[number - len(self._schedules)]
                yield inputs_of(self._triggers.journey, dated.inputs, {}, scope)
        self.look(candidate)

    @property
    def _schedules(self) -> list[ScheduleTrigger]:
        return self._triggers.schedules

    def _look_at_date(self, number: int, trigger: DateTrigger, moment: Until, scope: Scope) -> None:
        try:
            value = trigger.date.instant(scope)
            at = None if value is None else moment.of_date(value, scope.zone)
        except (Unfillable, OverflowError):
            return
        if value is None or at is None or (number, value) in self._done:
            return
        if scope.now <= at + trigger.grace.microseconds:
            self._at[number], self._values[number] = max(at, scope.now), value

    def _scope(self, candidate: Passage) -> Scope:
        zone, _ = zone_of(candidate, self._triggers.zone)
        return scope_of(candidate, candidate.entered_at, zone)

    def _set_next(self) -> None:
        moments = [*self._at.values()]
        if self._daily_at is not None:
            moments.append(self._daily_at)
        self.next_at = min(moments, default=None)


def _moment_of(trigger: DateTrigger) -> Until:
    """The moment that belongs to a date, as a ``wait`` until it has it."""
    return Until.model_construct(date=trigger.date, time=trigger.time, offset=trigger.offset)
