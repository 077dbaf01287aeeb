"""Scenarios: one user's way through a journey as its author expects it. A test, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from engine.core.expressions.calendar import find_zone, parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.core.steps.definition import Definition
from engine.core.steps.editors import excludes, takes_any_of, takes_one_of
from engine.core.steps.fields import (
    Count,
    DataName,
    EventName,
    Flag,
    JourneyId,
    Name,
    NotEmpty,
    Read,
    StepId,
    Title,
    Zone,
    refuse,
)

MOST_SCENARIOS = 10_000
"""So many scenarios may stand in one file."""

_OTHER_ZONE = find_zone("Asia/Tokyo") or UTC_ZONE


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as its author wrote it; ``at`` is in microseconds UTC."""

    text: str
    at: int


def _read_moment(raw: object) -> Moment:
    if isinstance(raw, Moment):
        return raw
    at = parse_iso(raw, UTC_ZONE) if isinstance(raw, str) else None
    if at is None or not isinstance(raw, str):
        refuse("moment.invalid", "this is no moment", 'as in "2026-11-22T09:00:00+03:00"', offset=0)
    if at != parse_iso(raw, _OTHER_ZONE):
        remedy = f'say the offset, as in "{raw.strip()}+03:00" or "...Z"'
        refuse("moment.no_offset", "a local time: nobody knows on whose clock", remedy, offset=0)
    return Moment(raw, at)


At = Annotated[
    Moment,
    Read(
        _read_moment,
        {
            "title": "moment",
            "type": "string",
            "pattern": r"^\s*[0-9]{4}(-[0-9]{2}){2}[Tt ][0-9]{2}:[0-9]{2}.*([Zz]|[+-][0-9:]+)\s*$",
            "errorMessage": 'a moment with its offset, as in "2026-11-22T09:00:00+03:00"',
            "examples": ["2026-11-22T09:00:00+03:00"],
        },
        lambda moment: moment.text,
    ),
]
"""A moment, ISO 8601 with an offset."""


class Traveller(Definition):
    """The user: id, timezone, and attributes under whatever names."""

    model_config = ConfigDict(extra="allow")

    id: Title = Field("u1", description="The user's id.")
    timezone: Zone | None = Field(None, description="His time zone.")

    @property
    def attributes(self) -> dict[str, Any]:
        """What is known of him besides."""
        return self.model_extra or {}


class Enter(Definition):
    """When the user enters, and with what."""

    at: At = Field(description="The moment of the entry.")
    inputs: dict[DataName, Any] = Field({}, description="The journey's inputs.")


def _read_answer(raw: object) -> object:
    if isinstance(raw, str):
        if raw not in ("timeout", "connection"):
            remedy = "timeout, connection, or {status: 503}"
            refuse("answer.invalid", f"{raw[:40]!r} is no answer", remedy)
        return {"never": raw}
    if isinstance(raw, int) and not isinstance(raw, bool):
        refuse("answer.invalid", "an answer is a mapping", f"{{status: {raw}}}")
    return raw


class Reply(Definition):
    """What an endpoint answers to one request. ``timeout`` and ``connection`` stand for the answer
    that never comes, and for the server that isn't there.
    """

    editor_rules = (excludes("body", "text"),)

    status: Count = Field(200, ge=100, le=599, description="The HTTP status.")
    body: Any = Field(None, description="JSON data.")
    text: str | None = Field(None, description="Plain text instead of a body.")
    headers: dict[str, str] = Field({}, description="Headers.")
    never: Literal["timeout", "connection"] | None = Field(None, description="No answer at all.")

    @model_validator(mode="after")
    def _one_body(self) -> Reply:
        if "body" in self.model_fields_set and self.text is not None:
            refuse("answer.two_bodies", "`body` and `text` exclude each other", "keep one of them")
        return self


Answer = Annotated[
    Reply,
    BeforeValidator(_read_answer, json_schema_input_type=Reply | Literal["timeout", "connection"]),
]
"""A reply, or one of the two words."""


class Occurring(Definition):
    """Something that happens to the user: an event, or a change of his attributes."""

    editor_rules = takes_one_of("event", "attributes")

    at: At = Field(description="When.")
    event: EventName | None = Field(None, description="The event's name.")
    properties: dict[DataName, Any] = Field({}, description="The event's properties.")
    id: Title | None = Field(None, description="The event's id.")
    attributes: dict[DataName, Any] | None = Field(
        None, description="Instead of an event: what attributes become."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Occurring:
        if (self.event is None) == (self.attributes is None):
            refuse(
                "occurring.one", "this takes either `event` or `attributes`", "keep one of the two"
            )
        return self


Taken = Literal["succeeded", "failed", "skipped", "not_taken"]


class Expect(Definition):
    """What the user's way should be. Of several passages the last one counts for how it ends."""

    entered: Count | None = Field(None, ge=0, description="How often he enters.")
    refused: Name | None = Field(None, description="Why he is refused, as live or where_false.")
    steps: dict[StepId, Taken] = Field(
        {}, description="How steps end, each at its last visit; not_taken: he never comes there."
    )
    waiting_at: dict[At, StepId] = Field({}, description="Where he stands at a moment.")
    calls: dict[Name, Count] = Field(
        {}, description="How many requests an endpoint gets, those tried again included."
    )
    goal: Name | None = Field(None, description="A goal that counts.")
    outcome: Title | None = Field(None, description="What the journey ends with.")
    ends_at: At | None = Field(None, description="When it ends.")


class Scenario(Definition):
    """One user, what happens to him, and what should come of it."""

    editor_rules = (
        takes_any_of(
            *("enter", "events", "from"),
            message="nobody enters here: `enter: {at: ...}`, `events`, or `from`",
        ),
        excludes("enter", "from", message="it begins with `enter`: `from` goes without"),
    )

    name: Title = Field(description="What it shows, in words.")
    user: Traveller = Field(Traveller(), description="The user.")
    enter: Enter | None = Field(
        None, description="His entry; without it the journey's triggers decide."
    )
    from_: At | None = Field(
        None, alias="from", description="When it begins; with `enter` or the first event else."
    )
    until: At | None = Field(None, description="When it ends; when nothing more happens else.")
    answers: dict[Name, Annotated[tuple[Answer, ...], NotEmpty()]] = Field(
        {}, description="What endpoints answer, in order; the last repeats; 200 and {} unless said."
    )
    events: tuple[Occurring, ...] = Field(
        (), max_length=10_000, description="What happens to him, in whatever order."
    )
    holdout: Flag = Field(False, description="true: the journey's holdout holds here, too.")
    arms: dict[StepId, Name] = Field({}, description="The arm that a split takes.")
    expect: Expect = Field(description="What should come of it.")

    @model_validator(mode="after")
    def _begins(self) -> Scenario:
        if self.enter is None and self.from_ is None and not self.events:
            remedy = "`enter: {at: ...}`, `events`, or `from` for a trigger by the clock"
            refuse("scenario.no_entry", "nobody enters here", remedy)
        if self.enter is not None and self.from_ is not None:
            refuse("scenario.begins_twice", "it begins with `enter`", "drop `from`")
        if self.until is not None and self.until.at < self.starts_at:
            refuse("scenario.ends_first", "`until` is before the beginning", "a later moment")
        return self

    @property
    def starts_at(self) -> int:
        """When it begins, in microseconds UTC: with the entry, ``from``, or the first event."""
        begins = self.from_ if self.enter is None else self.enter.at
        if begins is not None:
            return begins.at
        return min(one.at.at for one in self.events)


class ScenarioFile(Definition):
    """A file of scenarios, ``NAME.scenarios.yaml`` beside the journey ``NAME.yaml``."""

    journey: JourneyId = Field(description="The journey's name.")
    scenarios: Annotated[tuple[Scenario, ...], NotEmpty()] = Field(
        max_length=MOST_SCENARIOS, description="The scenarios."
    )
