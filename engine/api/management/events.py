"""Events of users, and what they set off."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import (
    Cursor,
    Instant,
    Limit,
    Line,
    Page,
    Shown,
    Since,
    UserId,
    decoded,
    page_of,
    since_of,
)
from engine.operations.explain import ENTERED, Verdict, explain, in_words, received_fact
from engine.users import store

router = APIRouter(tags=["events"])


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
    result: str
    rule: str | None
    enrollment: int | None
    why: str
    seen: Any = None


class Explanation(Shown):
    """An event, and what it did for each journey that it could have let its user into."""

    fact: Fact
    journeys: list[Explained]


@router.get("/events")
def list_events(
    user: UserId,
    event: Annotated[Line | None, Query(min_length=1, description="Events of this name.")] = None,
    since: Since = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.EVENTS_READ),
) -> Page[Fact]:
    """The events and changes of a user in the order of their own time, the newest first."""
    start, place = since_of(since, caller.now), decoded(cursor, int, int, int)
    before = None if place is None else tuple(place)
    with caller.backend.database.read() as connection:
        found = store.facts_of(
            connection, user, event=event, since=start, before=before, most=limit + 1
        )
    return page_of(reversed(found), Fact.model_validate, lambda one: one.place, limit)


@router.get("/events/explain")
def explain_event(
    user: UserId,
    which: Annotated[
        Line | None,
        Query(min_length=1, description="Its `seq`, name or id; the newest unless said."),
    ] = None,
    caller: Caller = allowed(Permission.EVENTS_READ),
) -> Explanation:
    """Which journeys an event let its user into, and why others didn't take him."""
    with caller.backend.database.read() as connection:
        fact = received_fact(connection, user, which)
        verdicts = explain(connection, caller.backend.versions, user, fact)
    return Explanation(
        fact=Fact.model_validate(fact), journeys=[_explained(one) for one in verdicts]
    )


def _explained(one: Verdict) -> Explained:
    return Explained(
        journey=one.journey,
        version=one.version,
        trigger=one.trigger or None,
        entered=one.result == ENTERED,
        result=one.result,
        rule=one.rule or None,
        enrollment=None if one.passage is None else one.passage.id,
        why=in_words(one),
        seen=one.seen,
    )
