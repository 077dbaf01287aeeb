"""``wait``: stand still for a time, or until a moment on the user's own clock.

What is waited for is computed from when the user came to the step, so asking again gives the same
moment; the one exception is meant: a ``date`` is read anew each time, so the wait follows it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field, model_validator

from engine.core.expressions.calendar import (
    WEEK,
    Duration,
    DurationError,
    at_wall,
    find_zone,
    from_instant,
    moved_by,
    next_wall_time,
    parse_duration,
)
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.values import Value
from engine.core.steps import editors
from engine.core.steps.base import End, Exit, Move, Wait
from engine.core.steps.computed import Condition, read_value
from engine.core.steps.definition import Definition
from engine.core.steps.facts import Change
from engine.core.steps.fields import (
    Count,
    NotEmpty,
    Offset,
    Read,
    WallTime,
    Zone,
    above_zero,
    read_duration,
    refuse,
)
from engine.core.steps.flow import Jump, Way
from engine.core.steps.model import StepModel

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.core.steps.base import View
    from engine.core.steps.facts import Fact

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

WEEKDAYS: tuple[str, ...] = get_args(Weekday)

_LONGEST_DAYS = 36_525


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


class Until(Definition):
    """A moment on the clock of the user.

    Without ``date`` it is counted from the arrival at the step: ``days`` calendar days later, on
    one of the ``weekdays``, at ``time`` (else at the clock time of the arrival). With ``date`` it
    is that date, moved by ``offset`` (whole days by the calendar), at ``time`` if one is given, and
    moved on to one of the ``weekdays``.
    """

    editor_rules = (
        editors.depends(
            "date",
            (
                editors.takes_any_of("missing", message="`missing` says what if there is no date"),
                editors.takes_none_of("days", message="`days` count from the arrival"),
            ),
            (
                editors.takes_any_of(
                    *("time", "weekdays", "days"),
                    message="this says no moment: `time`, `weekdays`, `days` or `date`",
                ),
                editors.takes_none_of("offset", "past", "missing", message="this goes with `date`"),
            ),
        ),
    )

    time: WallTime | None = Field(None, description="The time of day, HH:MM, on the user's clock.")
    weekdays: Annotated[tuple[Weekday, ...], NotEmpty()] | None = Field(
        None, description="Only on these days; later days are taken until one fits."
    )
    days: Count | None = Field(
        None, ge=0, le=_LONGEST_DAYS, description="This many calendar days after the arrival."
    )
    date: Condition | None = Field(None, description="The date that is waited for.")
    offset: Offset | None = Field(None, description="How long before (-) or after `date`.")
    timezone: Zone | None = Field(None, description="Whose clock it is, instead of the user's.")
    past: Way = Field("continue", description="Where to go if `date` was over on arrival.")
    missing: Way | None = Field(None, description="Where to go if there is no date.")

    @model_validator(mode="after")
    def _fits_together(self) -> Until:
        if self.date is not None:
            if self.days is not None:
                refuse(
                    "wait.days", "`days` count from the arrival, not from `date`", "use `offset`"
                )
            if self.missing is None:
                refuse(
                    "wait.missing",
                    "what if there is no date?",
                    "missing: continue, exit or {next: STEP}",
                )
            return self
        if self.time is None and self.weekdays is None and self.days is None:
            refuse("wait.nothing", "this says no moment", "`time`, `weekdays`, `days` or `date`")
        for key in ("offset", "past", "missing"):
            if key in self.model_fields_set:
                refuse(
                    "wait.date", f"`{key}` goes with `date`", f"drop `{key}`, or name the `date`"
                )
        return self

    @cached_property
    def weekday_numbers(self) -> frozenset[int] | None:
        """The weekdays as numbers, 0 for Monday; None for all."""
        if self.weekdays is None:
            return None
        return frozenset(WEEKDAYS.index(day) for day in self.weekdays)

    def zone(self, view: View) -> ZoneInfo:
        """The zone whose clock is meant."""
        return (find_zone(self.timezone) if self.timezone else None) or view.scope.zone

    def after_arrival(self, started: int, zone: ZoneInfo) -> int:
        """The moment for a user who came at ``started``; both microseconds UTC."""
        if self.time is not None:
            return next_wall_time(started, zone, self.time, self.weekday_numbers, self.days or 0)
        local = from_instant(started, zone)
        fitting = self._on_a_weekday(local + timedelta(days=self.days or 0))
        return started if fitting == local else _instant_of(fitting, zone)

    def of_date(self, instant: int, zone: ZoneInfo) -> int:
        """The moment that belongs to the date ``instant``; both microseconds UTC."""
        if self.offset is not None:
            instant = moved_by(self.offset, instant, zone)
        if self.time is None and self.weekdays is None:
            return instant
        local = from_instant(instant, zone)
        fitting = self._on_a_weekday(local)
        if self.time is not None:
            return at_wall(fitting.date(), self.time, zone)
        return instant if fitting == local else _instant_of(fitting, zone)

    def _on_a_weekday(self, local: datetime) -> datetime:
        allowed = self.weekday_numbers
        while allowed and local.weekday() not in allowed:
            local += timedelta(days=1)  # naive arithmetic: the same clock time, a day later
        return local


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
            return _wait(view, until.after_arrival(view.started, zone), zone, self._note(view))
        return self._until_date(view, until, zone)

    def heed(self, view: View, fact: Fact) -> Wait | Move | End | None:
        """A wait follows its date and the user's zone: whichever changed, it is computed anew."""
        if self.until is None or not isinstance(fact, Change):
            return None
        return self.decide(view)

    def _for(self, view: View) -> Wait | Move:
        span = self.for_
        if isinstance(span, Value):
            try:
                span = parse_duration(span.render_text(view.scope))
            except (Unfillable, DurationError) as failure:
                return Move(status="failed", failure="step.unfillable", text=f"for: {failure}")
        assert span is not None  # noqa: S101 - for the type checker
        zone = view.scope.zone
        return _wait(view, span.add_to(view.started, zone), zone, "")

    def _until_date(self, view: View, until: Until, zone: ZoneInfo) -> Wait | Move | End:
        assert until.date is not None  # noqa: S101 - for the type checker
        scope = view.scope if zone is view.scope.zone else view.scope.changed(zone=zone)
        try:
            missing = until.date.evaluate(scope) is None
            instant = None if missing else until.date.instant(scope)
        except Unfillable as failure:
            return Move(status="failed", failure="step.bad_date", text=failure.message)
        if missing:
            return self._go("missing", view, f"{until.date.source} is null")
        if instant is None:
            text = f"{until.date.source} is no date; ISO 8601 is, as in 2026-03-29"
            return Move(status="failed", failure="step.bad_date", text=text)
        try:
            target = until.of_date(instant, zone)
        except OverflowError:
            text = f"{until.date.source} leaves the years that a calendar has"
            return Move(status="failed", failure="step.bad_date", text=text)
        if target < view.started:
            return self._go(
                "past", view, f"{_clock(target, zone, within_a_week=False)} was over on arrival"
            )
        return _wait(view, target, zone, self._note(view))

    def _note(self, view: View) -> str:
        """That the user's zone was unusable, where his zone is the one that matters."""
        own = self.until is not None and self.until.timezone is None
        return view.zone_fallback or "" if own else ""

    def _go(self, key: Literal["past", "missing"], view: View, why: str) -> Move | End:
        assert self.until is not None  # noqa: S101 - for the type checker
        way = self.until.past if key == "past" else self.until.missing
        if way == "exit":
            return End(f"missed:{view.step_id}", text=why)
        if isinstance(way, Jump):
            return Move([name for name, _ in self._jumps].index(key), text=why)
        return Move(text=why)

    @cached_property
    def _jumps(self) -> tuple[tuple[str, Exit], ...]:
        ways = (("past", self.until.past), ("missing", self.until.missing)) if self.until else ()
        return tuple(
            (key, Exit(key, next=way.next, at=("until", key)))
            for key, way in ways
            if isinstance(way, Jump)
        )


_OVER = Move()


def _wait(view: View, target: int, zone: ZoneInfo, note: str) -> Wait | Move:
    """Wait until ``target``, or go on if it has come."""
    if target <= view.now:
        return Move(text=note) if note else _OVER
    text = f"until {_clock(target, zone, 0 <= target - view.now < WEEK)}"
    return Wait(target, "timer", f"{text} ({note})" if note else text)


@lru_cache(maxsize=4096)  # many users wait for one moment
def _clock(instant: int, zone: ZoneInfo, within_a_week: bool) -> str:
    """``Mon 09:00 Europe/Istanbul`` within a week, else with the date."""
    local = from_instant(instant, zone)
    day = WEEKDAYS[local.weekday()].title() if within_a_week else f"{local:%Y-%m-%d}"
    return f"{day} {local:%H:%M} {zone.key}"


def _instant_of(local: datetime, zone: ZoneInfo) -> int:
    return at_wall(local.date(), local.time(), zone)
