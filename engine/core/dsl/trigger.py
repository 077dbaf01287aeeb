"""What lets users enter by itself: an event, a schedule, an audience, a date."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from engine.core.expressions.durations import Duration, parse_duration
from engine.core.expressions.schedules import schedule_problem
from engine.core.steps.computed import FromArrival, FromUser
from engine.core.steps.definition import Definition
from engine.core.steps.editors import ToldByKey
from engine.core.steps.fields import (
    DataName,
    EventName,
    FixedSpan,
    Offset,
    Read,
    WallTime,
    Zone,
    refuse,
)

_CRON = re.compile(r"[0-9A-Za-z*,/#?-]+(?: +[0-9A-Za-z*,/#?-]+){4}")
_DAY: Duration = parse_duration("P1D")


def _read_schedule(raw: object) -> str:
    if not isinstance(raw, str) or not _CRON.fullmatch(raw.strip()) or len(raw) > 200:
        refuse("schedule.invalid", "this is no schedule", 'five cron fields, as in "0 9 * * mon"')
    fields = " ".join(raw.split())
    problem = schedule_problem(fields)
    if problem is not None:
        refuse(
            "schedule.invalid",
            f"this is no schedule: {problem}",
            'minute, hour, day, month, weekday, as in "0 9 * * mon"',
        )
    return fields


Schedule = Annotated[
    str,
    Read(
        _read_schedule,
        {
            "title": "schedule",
            "type": "string",
            "pattern": rf"^\s*{_CRON.pattern}\s*$",
            "errorMessage": 'five cron fields, as in "0 9 * * mon"',
            "examples": ["0 9 * * mon"],
        },
    ),
]
"""Five cron fields: minute, hour, day, month, weekday."""


class EventTrigger(Definition):
    """A user enters when an event of his comes."""

    event: EventName = Field(description="The event that lets its user enter.")
    where: FromArrival | None = Field(None, description="Only events for which this is true.")
    inputs: dict[DataName, FromArrival] = Field(
        {}, description="Inputs; one that isn't named is the event's property of that name."
    )


class ScheduleTrigger(Definition):
    """Users enter at times of the clock."""

    schedule: Schedule = Field(description="When, as five cron fields.")
    audience: FromUser | None = Field(None, description="Only users for whom this is true.")
    timezone: Zone | Literal["user"] | None = Field(
        None, description="Whose clock: a zone, or `user`; the journey's unless said."
    )
    inputs: dict[DataName, FromUser] = Field({}, description="Inputs, each an expression.")


class AudienceTrigger(Definition):
    """A user enters when a condition over his attributes becomes true."""

    audience: FromUser = Field(description="The condition that becomes true.")
    inputs: dict[DataName, FromUser] = Field({}, description="Inputs, each an expression.")


class DateTrigger(Definition):
    """A user enters at a date of his own, once for each value of it."""

    date: FromUser = Field(description="The date.")
    offset: Offset | None = Field(None, description="How long before (-) or after it.")
    time: WallTime | None = Field(None, description="The time of day, HH:MM, on the user's clock.")
    grace: FixedSpan = Field(_DAY, description="How late it still counts, after a downtime.")
    inputs: dict[DataName, FromUser] = Field({}, description="Inputs, each an expression.")


_KINDS: tuple[tuple[str, type[Definition]], ...] = (
    ("event", EventTrigger),
    ("schedule", ScheduleTrigger),
    ("audience", AudienceTrigger),
    ("date", DateTrigger),
)


def _kind_of(raw: object) -> str:
    if isinstance(raw, dict):
        return next(f"by {key}" for key, _ in _KINDS if key in raw)
    return next(f"by {key}" for key, model in _KINDS if isinstance(raw, model))


def _check(raw: object) -> object:
    known = isinstance(raw, tuple(model for _, model in _KINDS))
    if not known and not (isinstance(raw, dict) and any(key in raw for key, _ in _KINDS)):
        refuse("trigger.kind", "this names no trigger", "`event`, `schedule`, `audience` or `date`")
    return raw


Trigger = Annotated[
    Annotated[EventTrigger, Tag("by event")]
    | Annotated[ScheduleTrigger, Tag("by schedule")]
    | Annotated[AudienceTrigger, Tag("by audience")]
    | Annotated[DateTrigger, Tag("by date")],
    Discriminator(_kind_of),
    BeforeValidator(_check),
    ToldByKey(
        tuple(key for key, _ in _KINDS),
        tuple(str(model.model_fields[key].description) for key, model in _KINDS),
    ),
]
"""One of the four, told apart by their keys; a schedule may have an audience."""


def by_the_clock(triggers: Iterable[Trigger]) -> bool:
    """Whether time alone lets somebody in: there is a schedule or a date."""
    return any(isinstance(one, ScheduleTrigger | DateTrigger) for one in triggers)


def never_end(triggers: Iterable[Trigger]) -> bool:
    """Whether time alone lets users in for ever: there is a schedule, or a date that is another one
    as time passes.
    """
    return any(
        isinstance(one, ScheduleTrigger)
        or (isinstance(one, DateTrigger) and one.date.depends_on_time)
        for one in triggers
    )
