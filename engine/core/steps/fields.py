"""The kinds of values that stand in a journey file, each read and checked where it is written.

Everything here is an ``Annotated`` type for pydantic. What isn't right raises a PydanticCustomError
with a stable slug, a message of one line and, in its context, ``remedy`` (what would be right, ''
if nothing can be said), ``offset`` (the 0-based column inside the text) and ``path`` (the place
inside a value); the loader makes ``file:line:column`` of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import time
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from pydantic import AfterValidator, StrictBool, StrictFloat, StrictInt
from pydantic_core import PydanticCustomError, core_schema

from engine.core.expressions.calendar import (
    DurationError,
    find_zone,
    parse_duration,
    parse_wall_time,
)
from engine.core.expressions.durations import Duration
from engine.core.steps.editors import duration_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


def refuse(slug: str, message: str, remedy: str = "", **context: Any) -> NoReturn:
    """Raise the error of a field, as described above."""
    raise PydanticCustomError(
        slug,
        "{message}",
        {"message": message, "remedy": remedy, **context},
    )


@dataclass(frozen=True, slots=True)
class Read:
    """Annotation: take what is written through ``reader``; editors see ``schema``."""

    reader: Callable[[Any], object]
    schema: dict[str, Any] = field(hash=False)
    writer: Callable[[Any], object] = str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """A plain function: the type it makes is none that pydantic knows."""
        return core_schema.no_info_plain_validator_function(
            self.reader,
            serialization=core_schema.plain_serializer_function_ser_schema(self.writer),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """What may be written, not what is made of it."""
        return dict(self.schema)


# --- names -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Name:
    """Reads a name: ``slug`` and ``what`` for the error, ``pattern`` for what is right."""

    slug: str
    what: str
    pattern: re.Pattern[str]
    remedy: str

    def __call__(self, raw: object) -> str:
        if isinstance(raw, str) and self.pattern.fullmatch(raw):
            return raw
        shown = repr(raw[:80]) if isinstance(raw, str) else "this"
        refuse(self.slug, f"{shown} is not {self.what}", self.remedy, offset=0)


def _name(slug: str, what: str, pattern: str, remedy: str) -> Read:
    title = what.partition(" ")[2]
    schema = {"title": title, "type": "string", "pattern": f"^{pattern}$", "errorMessage": remedy}
    return Read(_Name(slug, what, re.compile(pattern), remedy), schema)


StepId = Annotated[
    str,
    _name(
        "name.step",
        "a step's id",
        "[a-z][a-z0-9_]{0,62}",
        "lower-case letters, digits and _, a letter first, at most 63",
    ),
]
"""The id of a step."""

JourneyId = Annotated[
    str,
    _name(
        "name.journey",
        "a journey's name",
        "[a-z][a-z0-9-]{0,62}",
        "lower-case letters, digits and -, a letter first, at most 63",
    ),
]
"""The name of a journey."""

Name = Annotated[
    str,
    _name(
        "name.invalid",
        "a name",
        "[A-Za-z0-9][A-Za-z0-9_.-]{0,62}",
        "letters, digits, _, . and -, a letter or digit first, at most 63",
    ),
]
"""The name of an endpoint, a goal, an arm, a path; an outcome."""

DataName = Annotated[
    str,
    _name(
        "name.data",
        "a name that expressions can read",
        "[A-Za-z_][A-Za-z0-9_]{0,62}",
        "letters, digits and _, no digit first, at most 63",
    ),
]
"""The name of an input or of a property."""

EventName = Annotated[
    str,
    _name(
        "name.event",
        "an event's name",
        r"(?! )[^\x00-\x1f\x7f]{1,200}(?<! )",
        "text of one line, at most 200 characters",
    ),
]
"""The name of an event, as its sender calls it."""

_WORDS = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*")


def _text(slug: str, most: int) -> Read:
    schema = {"title": "text", "type": "string", "pattern": "\\S", "maxLength": most}

    def read(raw: object) -> str:
        if not isinstance(raw, str):
            refuse(slug, "this is not text", "put it in quotes")
        if not raw.strip() or len(raw) > most or not _WORDS.fullmatch(raw):
            refuse(
                slug, f"this is empty, longer than {most:,} characters or has control characters"
            )
        return raw

    return Read(read, schema)


Title = Annotated[str, _text("text.title", 200)]
"""A few words for people."""

Text = Annotated[str, _text("text.invalid", 10_000)]
"""Some sentences for people."""


# --- time ------------------------------------------------------------------------------------


def read_duration(raw: object, *, signed: bool = False, fixed: bool = False) -> Duration:
    """The duration an author wrote; ``fixed`` refuses years and months."""
    if isinstance(raw, Duration):
        return raw
    if not isinstance(raw, str):
        refuse("duration.invalid", "a duration is text with a unit", "as in PT45M or 45m", offset=0)
    try:
        duration = parse_duration(raw, signed=signed)
        if fixed:
            _ = duration.microseconds
    except DurationError as error:
        refuse("duration.invalid", error.message, error.remedy, offset=0)
    return duration


def above_zero(duration: Duration) -> Duration:
    """``duration``, refused if it is zero."""
    if duration.months or duration.elapsed:
        return duration
    refuse("duration.zero", "this can't be zero", "as in PT45M or 45m", offset=0)


FixedSpan = Annotated[
    Duration,
    Read(
        lambda raw: read_duration(raw, fixed=True),
        duration_schema("duration", "45m", "P2D", fixed=True),
        lambda d: d.text,
    ),
]
"""A duration that is the same length everywhere: no years, no months."""

Window = Annotated[FixedSpan, AfterValidator(above_zero)]
"""A fixed duration above zero."""

Offset = Annotated[
    Duration,
    Read(
        lambda raw: read_duration(raw, signed=True),
        duration_schema("offset", "-P7D", "PT2H", signed=True),
        lambda d: d.text,
    ),
]
"""A duration before (``-``) or after."""


def _read_wall_time(raw: object) -> time:
    if isinstance(raw, time):
        return raw
    at = parse_wall_time(raw) if isinstance(raw, str) else None
    if at is None:
        refuse("time.invalid", "this is not a time of day", 'as in "09:00", in quotes', offset=0)
    return at


WallTime = Annotated[
    time,
    Read(
        _read_wall_time,
        {
            "title": "time of day",
            "type": "string",
            "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
            "errorMessage": 'a time of day, as in "09:00", in quotes',
        },
        lambda at: at.isoformat("minutes" if at.second == 0 else "seconds"),
    ),
]
"""A time of day, ``HH:MM``."""


def _read_zone(raw: object) -> str:
    if isinstance(raw, str) and find_zone(raw) is not None:
        return raw
    shown = repr(raw[:64]) if isinstance(raw, str) else "this"
    refuse("zone.unknown", f"{shown} is no time zone", "an IANA name, as in Europe/Istanbul")


Zone = Annotated[str, Read(_read_zone, {"title": "time zone", "type": "string"})]
"""The name of an IANA time zone."""


# --- numbers and lists -----------------------------------------------------------------------


def _read_percent(raw: object) -> float:
    number = isinstance(raw, int | float) and not isinstance(raw, bool)
    if not number or not 0 <= raw <= 100:  # type: ignore[operator]
        refuse("percent.invalid", "this is not a percentage", "a number from 0 to 100")
    return float(raw)  # type: ignore[arg-type]


Percent = Annotated[
    float, Read(_read_percent, {"type": "number", "minimum": 0, "maximum": 100}, float)
]
"""A number from 0 to 100."""

Flag = StrictBool
Count = StrictInt
Number = StrictFloat


@dataclass(frozen=True, slots=True)
class NotEmpty:
    """Annotation: a list or mapping with something in it; asked only if what is in it is right."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The check stands behind the items' own."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """``minItems`` or ``minProperties``."""
        written = handler(schema)
        written["minProperties" if written.get("type") == "object" else "minItems"] = 1
        return written

    @staticmethod
    def _check(items: Any) -> Any:
        if not items:
            refuse("value.empty", "nothing is written here", "at least one, or drop the key")
        return items
