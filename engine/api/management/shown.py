"""How the management API shows things: instants as ISO 8601, lists in pages with a cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Header, Path, Query, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)

from engine.api.problems import Refused
from engine.core.expressions.calendar import iso
from engine.operations.cursors import NoCursor, cursor_of, place_of
from engine.operations.since import instant_since

T = TypeVar("T")

INT64 = 2**63 - 1


Instant = Annotated[
    int,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Microseconds UTC inside, ISO 8601 outside."""

Line = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A text of one line, as names and expressions are."""

SecretText = Annotated[SecretStr, Field(min_length=1, max_length=65_536, strict=False)]
"""A secret that a request brings: no error and no log shows it."""


class Shown(BaseModel):
    """Made of any record that has these attributes."""

    model_config = ConfigDict(from_attributes=True)


class ProblemShown(Shown):
    """Something that is wrong with a text or a file, and where."""

    code: str
    message: str
    remedy: str
    line: int
    column: int
    severity: Literal["error", "warning"]


class Deleted(Shown):
    """What was deleted though it was used: `used_by`. `notes` say what a token server, told that
    its token is over, answered.
    """

    used_by: list[str]
    notes: list[str]


class Given(BaseModel):
    """What a request brings: other keys are refused, so that a slip of the pen is noticed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Page(BaseModel, Generic[T]):
    """A part of a list; ``next``, if there is more, is the ``cursor`` that the next part begins
    at.
    """

    items: list[T]
    next: str | None = None


Named = Annotated[str, Path(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
JourneyName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,62}$", description="Its name.")]
VersionNumber = Annotated[int, Query(ge=1, le=INT64)]
UserId = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Force = Annotated[bool, Query(description="Though it is used: its calls then fail, visibly.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="So many at most.")]
Cursor = Annotated[
    str | None, Query(max_length=1000, description="Where to go on: the `next` of the page before.")
]


IfMatch = Annotated[
    str | None,
    Header(
        max_length=1000,
        description="Change it only if this `ETag` is still its own (RFC 9110); else 412.",
    ),
]
Since = Annotated[
    str | None,
    Query(max_length=40, description="From then on: ISO 8601 (UTC), or how long ago, as 7d."),
]


def seen_of(if_match: str | None) -> list[str]:
    """The marks of an ``If-Match`` (RFC 9110, 13.1.1), none where there is no such header; a weak
    one fits nothing.
    """
    return [] if if_match is None else [one.strip().strip('"') for one in if_match.split(",")]


def tag_with(response: Response, mark: str | None) -> None:
    """Give an answer its ``ETag``."""
    if mark is not None:
        response.headers["etag"] = f'"{mark}"'


def since_of(text: str | None, now: int) -> int | None:
    """A query's instant, in what a database can hold. Raises Refused."""
    if text is None:
        return None
    found = instant_since(text, now)
    if found is None:
        raise Refused(
            422, "request.invalid", "since: give ISO 8601, as in 2026-11-22, or a length, as in 7d"
        )
    return min(max(found, 0), INT64)


def page_of(
    records: Iterable[Any],
    shown: Callable[[Any], T],
    key: Callable[[Any], object],
    limit: int,
) -> Page[T]:
    """The first ``limit`` of the records, which begin where the cursor said; ``key`` is what the
    last one's place is known by.
    """
    found = list(islice(records, limit + 1))
    more = cursor_of(key(found[limit - 1])) if len(found) > limit else None
    return Page(items=[shown(one) for one in found[:limit]], next=more)


def sorted_page(
    records: Iterable[Any],
    shown: Callable[[Any], T],
    key: Callable[[Any], str],
    limit: int,
    cursor: str | None,
) -> Page[T]:
    """A page of a short list by ``key``: what comes behind the cursor. Raises Refused."""
    start = decoded(cursor, str)
    rest = [one for one in sorted(records, key=key) if start is None or key(one) > start]
    return page_of(rest, shown, key, limit)


def decoded(cursor: str | None, *kinds: type) -> Any:
    """The place in a cursor: a value of the one kind, or a list with one of each; None without a
    cursor. Raises Refused for one that isn't ours.
    """
    if cursor is None:
        return None
    try:
        return place_of(cursor, *kinds)
    except NoCursor:
        raise Refused(
            400, "request.cursor", "the cursor isn't one of ours; begin without"
        ) from None
