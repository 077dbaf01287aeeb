"""``until`` of a wait: a moment on the clock of the user."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field, model_validator

from engine.core.expressions.calendar import (
    at_wall,
    find_zone,
    from_instant,
    moved_by,
    next_wall_time,
)
from engine.core.steps import editors
from engine.core.steps.computed import Condition
from engine.core.steps.definition import Definition
from engine.core.steps.fields import Count, NotEmpty, Offset, WallTime, Zone, refuse
from engine.core.steps.flow import Way

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.core.steps.base import View

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

WEEKDAYS: tuple[str, ...] = get_args(Weekday)

_LONGEST_DAYS = 36_525


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

    def after_arrival(self, started: int, zone: ZoneInfo, *, days: int | None = None) -> int:
        """The moment for a user who came at ``started``; both microseconds UTC. ``days`` are those
        still to be waited, if not all.
        """
        days = (self.days or 0) if days is None else days
        if self.time is not None:
            return next_wall_time(started, zone, self.time, self.weekday_numbers, days)
        local = from_instant(started, zone)
        fitting = self._on_a_weekday(local + timedelta(days=days))
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


def _instant_of(local: datetime, zone: ZoneInfo) -> int:
    return at_wall(local.date(), local.time(), zone)
