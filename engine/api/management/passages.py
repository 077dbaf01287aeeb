"""Passages: where users stand in journeys, and why."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

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
    UserId,
    decoded,
    page_of,
)
from engine.enrollments import listing
from engine.enrollments.why import why
from engine.operations.plain_data import plain_data

router = APIRouter(tags=["enrollments"])


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
    before = decoded(cursor, int)
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
    key: Annotated[Line | None, Query(description="Only passages with this key.")] = None,
    caller: Caller = allowed(Permission.ENROLLMENTS_READ),
) -> dict[str, Any]:
    """What became of a user in a journey: each step, what decisions saw, what is waited for."""
    backend = caller.backend
    zone = backend.settings.timezone
    with backend.database.read() as connection:
        told = why(
            connection,
            user,
            journey,
            backend.versions,
            zone=zone,
            enrollment=enrollment,
            key=key,
        )
    shown: dict[str, Any] = plain_data(told)
    return shown
