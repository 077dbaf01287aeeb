"""``wait``: stand still for a time, or until a moment on the user's own clock.

What is waited for is computed from when the user came to the step, so asking again gives the same
moment; the one exception is meant: a ``date`` is read anew each time, so the wait follows it.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from engine.core.expressions.calendar import (
    WEEK,
    Duration,
    DurationError,
    from_instant,
    parse_duration,
)
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.seen import Sight, sight_of
from engine.core.expressions.values import Value
from engine.core.steps import editors
from engine.core.steps.base import FOLLOWING, End, Exit, Move, Wait
from engine.core.steps.computed import read_value
from engine.core.steps.facts import Change
from engine.core.steps.fields import Read, above_zero, read_duration, refuse
from engine.core.steps.flow import Jump
from engine.core.steps.model import StepModel
from engine.core.steps.until import WEEKDAYS, Until

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.core.steps.base import View
    from engine.core.steps.facts import Fact


def _read_span(raw: object) -> Duration | Value:
    if isinstance(raw, Value) or (isinstance(raw, str) and "{{" in raw):
        return read_value(raw)
    return above_zero(read_duration(raw))


_SPAN_SCHEMA = editors.duration_schema("duration or value", "45m", "P2D", "{{ inputs.pause }}")
_SPAN_SCHEMA["pattern"] += r"|\{\{"

SpanOrValue = Annotated[
    Duration | Value,
    Read(
        _read_span,
        _SPAN_SCHEMA,
        lambda span: span.text if isinstance(span, Duration) else span.raw,
    ),
]
"""A duration, or a value that gives one."""


class WaitStep(StepModel):
    """Wait for a time, or until a moment."""

    editor_rules = editors.takes_one_of("for", "until")

    type: Literal["wait"] = Field(description="Waits for a time, or until a moment.")
    for_: SpanOrValue | None = Field(None, alias="for", description="How long to wait.")
    until: Until | None = Field(None, description="The moment to wait for.")

    @model_validator(mode="after")
    def _one_of_both(self) -> WaitStep:
        if (self.for_ is None) == (self.until is None):
            refuse("wait.one", "a wait takes either `for` or `until`", "keep one of the two")
        return self

    def exits(self) -> tuple[Exit, ...]:
        """Where ``past`` and ``missing`` jump to, as far as they do."""
        return tuple(exit_ for _, exit_ in self._jumps)

    def decide(self, view: View) -> Wait | Move | End:
        """Wait until the moment; once it has come, go on."""
        until = self.until
        if until is None:
            return self._for(view)
        zone = until.zone(view)
        if until.date is None:
            target = until.after_arrival(view.started, zone)
            return _wait(view, target, zone, self._note(view), _NO_VALUES)
        return self._until_date(view, until, zone)

    def heed(self, view: View, fact: Fact) -> Wait | Move | End | None:
        """A wait follows its date and the user's zone: whichever changed, it is computed anew. A
        time of day that was over in his new zone before he came there is the next one there.
        """
        until = self.until
        if until is None or not isinstance(fact, Change):
            return None
        if until.date is not None:
            return self._until_date(view, until, until.zone(view))
        if "timezone" not in fact.values or until.timezone is not None:
            return None
        zone = until.zone(view)
        target = until.after_arrival(view.started, zone)
        if target <= view.now < (view.wakes_at or 0):
            target = until.after_arrival(view.now, zone, days=0)
        return _wait(view, target, zone, self._note(view), _NO_VALUES)

    def _for(self, view: View) -> Wait | Move:
        span, zone = self.for_, view.scope.zone
        if isinstance(span, Value):
            sight = sight_of(span)
            try:
                length = parse_duration(span.render_text(view.scope))
            except (Unfillable, DurationError) as failure:
                code, text = "step.unfillable", f"for: {failure}"
                return Move(status="failed", failure=code, text=text, seen=sight(view.scope))
            return _wait(view, length.add_to(view.started, zone), zone, "", sight)
        assert span is not None  # noqa: S101 - for the type checker
        return _wait(view, span.add_to(view.started, zone), zone, "")

    def _until_date(self, view: View, until: Until, zone: ZoneInfo) -> Wait | Move | End:
        assert until.date is not None  # noqa: S101 - for the type checker
        scope = view.scope if zone is view.scope.zone else view.scope.changed(zone=zone)
        source = until.date.source
        try:
            instant = until.date.instant(scope)
            missing = instant is None and until.date.evaluate(scope) is None
        except Unfillable as failure:
            return self._bad_date(view, failure.message)
        if missing:
            return self._go("missing", view, f"{source} is null")
        if instant is None:
            return self._bad_date(view, f"{source} is no date; ISO 8601 is, as in 2026-03-29")
        try:
            target = until.of_date(instant, zone)
        except OverflowError:
            return self._bad_date(view, f"{source} leaves the years that a calendar has")
        if target < view.started:
            over = f"{_clock(target, zone, within_a_week=False)} was over on arrival"
            return self._go("past", view, over)
        return _wait(view, target, zone, self._note(view), sight_of(until.date))

    def _bad_date(self, view: View, text: str) -> Move:
        return Move(status="failed", failure="step.bad_date", text=text, seen=self._date(view))

    def _date(self, view: View) -> dict[str, object] | None:
        """What the date was made of."""
        assert self.until is not None and self.until.date is not None  # noqa: S101, PT018
        return sight_of(self.until.date)(view.scope)

    def _note(self, view: View) -> str:
        """That the user's zone was unusable, where his zone is the one that matters."""
        own = self.until is not None and self.until.timezone is None
        return view.zone_fallback or "" if own else ""

    def _go(self, key: Literal["past", "missing"], view: View, why: str) -> Move | End:
        assert self.until is not None  # noqa: S101 - for the type checker
        way = self.until.past if key == "past" else self.until.missing
        if way == "exit":
            return End(f"missed:{view.step_id}", text=why, seen=self._date(view))
        jump = isinstance(way, Jump)
        number = [name for name, _ in self._jumps].index(key) if jump else FOLLOWING
        return Move(number, text=why, seen=self._date(view))

    @cached_property
    def _jumps(self) -> tuple[tuple[str, Exit], ...]:
        ways = (("past", self.until.past), ("missing", self.until.missing)) if self.until else ()
        return tuple(
            (key, Exit(key, next=way.next, at=("until", key)))
            for key, way in ways
            if isinstance(way, Jump)
        )


_OVER = Move()
_NO_VALUES = Sight(())


def _wait(
    view: View,
    target: int,
    zone: ZoneInfo,
    note: str,
    sight: Sight | None = None,
) -> Wait | Move:
    """Wait until ``target``, or go on if it has come. ``sight`` sees what the moment was made of;
    without one it is the arrival and a length that the version says.
    """
    if target <= view.now:
        if sight is None:
            return _OVER
        moment = {"until": target, "zone": zone.key}
        return Move(text=note, seen={**(sight(view.scope) or {}), **moment})
    text = f"until {_clock(target, zone, 0 <= target - view.now < WEEK)}"
    return Wait(target, "timer", f"{text} ({note})" if note else text)


@lru_cache(maxsize=4096)  # many users wait for one moment
def _clock(instant: int, zone: ZoneInfo, within_a_week: bool) -> str:
    """``Mon 09:00 Europe/Istanbul`` within a week, else with the date."""
    local = from_instant(instant, zone)
    day = WEEKDAYS[local.weekday()].title() if within_a_week else f"{local:%Y-%m-%d}"
    return f"{day} {local:%H:%M} {zone.key}"
