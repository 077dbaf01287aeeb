"""A journey as its author wrote it, checked piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from engine.core.dsl.trigger import Trigger
from engine.core.expressions.durations import parse_duration
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.computed import KeyExpression
from engine.core.steps.definition import Definition
from engine.core.steps.fields import (
    Count,
    DataName,
    FixedSpan,
    Flag,
    JourneyId,
    Name,
    NotEmpty,
    Percent,
    Read,
    Text,
    Title,
    Window,
    Zone,
    refuse,
)
from engine.core.steps.flow import Occurrence
from engine.core.steps.model import StepModel
from engine.core.steps.registry import AnyStep

DSL = 1
"""The number of the language that this engine reads."""

Place = tuple[str | int, ...]
"""Where something stands in the file: keys and indices from its top."""

InputType = Literal["text", "number", "boolean", "date", "any"]
Mode = Literal["once", "after_exit", "restart"]

_MODES = ("once", "after_exit", "restart")


def _read_dsl(raw: object) -> int:
    if type(raw) is not int or raw != DSL:
        refuse("dsl.unknown", "this engine reads another number of the language", f"dsl: {DSL}")
    return raw


def _read_reentry(raw: object) -> object:
    if isinstance(raw, str):
        if raw not in _MODES:
            refuse(
                "reentry.invalid",
                f"{raw[:40]!r} is no way to come back",
                f"one of {', '.join(_MODES)}",
            )
        return {"mode": raw}
    if not isinstance(raw, dict | Reentry):
        refuse("reentry.invalid", "this is no way to come back", f"one of {', '.join(_MODES)}")
    return raw


class Limit(Definition):
    """How often a user may enter."""

    count: Count = Field(ge=1, le=1_000_000, description="So many times at most.")
    per: Window = Field(description="In any span of this length.")


class Reentry(Definition):
    """Whether and when a user may enter again; for each key of his, if there is one."""

    mode: Mode = Field(description="once; after_exit; or restart, which ends the live enrollment.")
    cooldown: FixedSpan | None = Field(None, description="How long after an entry before the next.")
    limit: Limit | None = Field(None, description="How often at most.")


class Entry(Definition):
    """Who enters, with what, and how often."""

    inputs: dict[DataName, InputType] = Field(
        {}, description="What every way in must bring: text, number, boolean, date or any."
    )
    triggers: tuple[Trigger, ...] = Field(
        (), max_length=100, description="What lets users enter; by command they always may."
    )
    key: KeyExpression | None = Field(
        None, description="At most one live enrollment per user and key; one per user unless said."
    )
    reentry: Annotated[
        Reentry, BeforeValidator(_read_reentry, json_schema_input_type=Mode | Reentry)
    ] = Field(Reentry(mode="once"), description="Whether a user may enter again.")
    holdout: Percent = Field(
        0.0, description="The percentage that enters but takes no step, for comparison."
    )


class Goal(Occurrence):
    """What the journey is for; counted from the entry, also after the user has left."""

    name: Name = Field(description="What reports call it.")
    within: Window | None = Field(
        None, description="How long after the entry it counts; max_age unless said."
    )
    exit: Flag = Field(True, description="false: count it and let the user go on.")


class ExitRule(Occurrence):
    """What ends the journey for a user at once, also while he waits."""


class Journey(Definition):
    """A whole journey file."""

    dsl: Annotated[int, Read(_read_dsl, {"const": DSL})] = Field(
        description="The number of the language: 1."
    )
    journey: JourneyId = Field(description="The journey's name, unique in the installation.")
    title: Title | None = Field(None, description="What people see instead of the name.")
    description: Text | None = Field(None, description="What it is for.")
    timezone: Zone | None = Field(
        None, description="The clock of users without a zone; the installation's unless said."
    )
    max_age: Window = Field(
        parse_duration("P365D"),
        description="How long anybody stays; then the outcome is `expired`.",
    )
    entry: Entry = Field(Entry(), description="Who enters, with what, and how often.")
    on_enter: tuple[CallApiStep, ...] = Field(
        (), max_length=100, description="Calls before the first step."
    )
    on_exit: tuple[CallApiStep, ...] = Field(
        (), max_length=100, description="Calls after the last step, whatever ended the journey."
    )
    goals: tuple[Goal, ...] = Field((), max_length=100, description="What the journey is for.")
    exit: tuple[ExitRule, ...] = Field(
        (), max_length=100, description="What ends the journey at once."
    )
    steps: Annotated[tuple[AnyStep, ...], NotEmpty()] = Field(
        max_length=1_000, description="The steps, taken from top to bottom."
    )

    def all_steps(self) -> Iterator[tuple[Place, StepModel]]:
        """Every step with its place in the file: on_enter, then the steps in file order (a body
        directly behind the step that holds it), then on_exit."""
        yield from walk(("on_enter",), self.on_enter)
        yield from walk(("steps",), self.steps)
        yield from walk(("on_exit",), self.on_exit)


def walk(place: Place, steps: tuple[StepModel, ...]) -> Iterator[tuple[Place, StepModel]]:
    """``steps``, which stand at ``place``, each followed by what stands in its bodies."""
    for number, step in enumerate(steps):
        here = (*place, number)
        yield here, step
        for exit_ in step.exits():
            if exit_.steps is not None:
                yield from walk((*here, *exit_.at, "steps"), exit_.steps)  # type: ignore[arg-type]
