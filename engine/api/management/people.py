"""Users, what they did, their passages, and why they are where they are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import (
    INT64,
    Cursor,
    Instant,
    Limit,
    Line,
    Page,
    Shown,
    decoded,
    page_of,
)
from engine.api.problems import Refused
from engine.core.expressions.calendar import parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.enrollments import listing
from engine.enrollments.why import why
from engine.errors import NotFound
from engine.operations.explain import ENTERED, explain, in_words
from engine.operations.plain_data import plain_data
from engine.users import store

router = APIRouter(tags=["users"])

UserId = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Since = Annotated[str | None, Query(max_length=40, description="ISO 8601.")]


class User(Shown):
    """A user as he stands now."""

    id: str
    timezone: str | None
    attributes: dict[str, Any]


class Enrollment(Shown):
    """A passage. `step` is where it stands ('' if it has ended), `waits` why in a word."""

    id: int
    user: str
    journey: str
    version: int
    key: str
    state: str
    step: str
    waits: str
    until: Instant | None
    entered_at: Instant
    ended_at: Instant | None
    outcome: str | None
    run: int | None


class Fact(Shown):
    """An event, or (`event` null) a change of attributes. `seq` is its place among the user's
    facts, null while it waits to be received.
    """

    event: str | None = Field(validation_alias="name")
    at: Instant
    seq: int | None
    id: str | None = Field(validation_alias="message_id")
    data: dict[str, Any]


class Explained(Shown):
    """What an event did for one trigger of a journey."""

    journey: str
    version: int
    trigger: int | None
    entered: bool
    enrollment: int | None
    why: str
    seen: Any = None


@router.get("/users")
def list_users(
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.USERS_READ),
) -> Page[User]:
    """Users and their attributes, in an order that stays."""
    start = None if cursor is None else decoded(cursor, str)
    with caller.backend.database.read() as connection:
        found = store.every_user(connection, after=start)
        return page_of(found, User.model_validate, lambda user: user.id, limit)


@router.get("/users/{user:path}")
def show_user(
    user: Annotated[str, Path(min_length=1, max_length=255)],
    caller: Caller = allowed(Permission.USERS_READ),
) -> User:
    """What is known of a user."""
    with caller.backend.database.read() as connection:
        known = store.find_user(connection, user)
    if known is None:
        raise NotFound(f"there is no user {user[:60]!r}")
    return User.model_validate(known)


@router.get("/events")
def list_events(
    user: UserId,
    event: Annotated[Line | None, Query(min_length=1, description="Events of this name.")] = None,
    since: Since = None,
    limit: Limit = 100,
    caller: Caller = allowed(Permission.EVENTS_READ),
) -> Page[Fact]:
    """The newest events and changes of a user, in the order of their own time."""
    start = None if since is None else instant_of(since)
    with caller.backend.database.read() as connection:
        found = store.facts_of(connection, user, event=event, since=start, most=limit)
    return Page(items=[Fact.model_validate(one) for one in found])


@router.get("/events/explain")
def explain_event(
    user: UserId,
    seq: Annotated[int, Query(ge=0, le=INT64, description="As the list of events has it.")],
    caller: Caller = allowed(Permission.EVENTS_READ),
) -> Page[Explained]:
    """Which journeys an event let its user into, and why others didn't take him."""
    with caller.backend.database.read() as connection:
        fact = store.fact_at(connection, user, seq)
        if fact is None:
            raise NotFound(f"{user[:60]!r} has no received event {seq}")
        verdicts = explain(connection, caller.backend.versions, user, fact)
    return Page(
        items=[
            Explained(
                journey=one.journey,
                version=one.version,
                trigger=one.trigger or None,
                entered=one.result == ENTERED,
                enrollment=None if one.passage is None else one.passage.id,
                why=in_words(one),
                seen=one.seen,
            )
            for one in verdicts
        ]
    )


@router.get("/enrollments")
def list_enrollments(
    journey: Annotated[Line | None, Query(min_length=1)] = None,
    user: UserId | None = None,
    state: Literal["waiting", "calling", "ended"] | None = None,
    step: Annotated[
        Line | None, Query(min_length=1, description="Who stands at this step now.")
    ] = None,
    outcome: Annotated[Line | None, Query(min_length=1)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.ENROLLMENTS_READ),
) -> Page[Enrollment]:
    """Passages, the newest first."""
    before = None if cursor is None else decoded(cursor, int)
    wanted = listing.Wanted(journey, user, state, step, outcome, limit + 1, before)
    with caller.backend.database.read() as connection:
        found = listing.passages(connection, wanted, caller.backend.versions)
    return page_of(found, Enrollment.model_validate, lambda one: one.id, limit)


@router.get("/enrollments/{enrollment}")
def show_enrollment(
    enrollment: Annotated[int, Path(ge=0, le=INT64)],
    caller: Caller = allowed(Permission.ENROLLMENTS_READ),
) -> Enrollment:
    """One passage."""
    with caller.backend.database.read() as connection:
        found = listing.passage(connection, enrollment, caller.backend.versions)
    return Enrollment.model_validate(found)


@router.get("/why")
def explain_user(
    user: UserId,
    journey: Annotated[Line, Query(min_length=1)],
    enrollment: Annotated[int | None, Query(ge=0, le=INT64)] = None,
    caller: Caller = allowed(Permission.ENROLLMENTS_READ),
) -> dict[str, Any]:
    """What became of a user in a journey: each step, what decisions saw, what is waited for."""
    backend = caller.backend
    zone = backend.settings.timezone
    with backend.database.read() as connection:
        told = why(connection, user, journey, backend.versions, zone=zone, enrollment=enrollment)
    shown: dict[str, Any] = plain_data(told)
    return shown


def instant_of(text: str) -> int:
    """A query's time. Raises Refused."""
    instant = parse_iso(text, UTC_ZONE)
    if instant is None:
        raise Refused(422, "request.invalid", "since is no ISO 8601 time")
    return instant
