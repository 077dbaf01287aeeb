"""Journeys: lists, publishing, plans, pauses, and letting users in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.repeats import answered_once
from engine.api.management.shown import (
    Cursor,
    Given,
    Instant,
    JourneyName,
    Limit,
    Line,
    Page,
    ProblemShown,
    Shown,
    sorted_page,
)
from engine.operations import archive, check, enroll, pause, plan, publish
from engine.operations.plain_data import plain_data
from engine.versions import listing

router = APIRouter(tags=["journeys"])

_CALLED = "journey.yaml"

Text = Annotated[str, Field(description="The journey's file: YAML.")]


class JourneyLine(Shown):
    """A journey in a list."""

    journey: str
    state: Literal["active", "paused", "archived"]
    since: Instant
    version: int
    versions: int
    inside: int
    entered: int
    triggering: int | None
    triggers: list[str]
    published_at: Instant


class JourneyFile(Given):
    """A journey's text."""

    text: Text


class CheckedText(Shown):
    """What was found. `journey` is its name, null where the text has errors."""

    journey: str | None
    problems: list[ProblemShown]


class Published(Shown):
    """What publishing did."""

    journey: str
    version: int = Field(validation_alias="number")
    done: str = Field(validation_alias="verb")
    before: int | None


class Resuming(Given):
    """What is to become of whose time came during the pause."""

    overdue: Literal["run", "skip", "shift"] = "run"


class Moved(Shown):
    """How many users that was about."""

    journey: str
    users: int


class EntrantGiven(Given):
    """A user who is to enter, with the journey's inputs; attributes are set before."""

    id: Annotated[str, Field(min_length=1, max_length=255)]
    inputs: dict[str, Any] = Field(default_factory=dict)
    attributes: dict[str, Any] = Field(default_factory=dict)


class Entering(Given):
    """Users who are to enter."""

    users: Annotated[list[EntrantGiven], Field(min_length=1, max_length=enroll.MOST)]


class Entered(Shown):
    """How many were told of. Each enters by the journey's rules: `why` tells."""

    accepted: int


@router.get("/journeys")
def list_journeys(
    text: Annotated[Line, Query(description="In a name or a trigger.")] = "",
    state: Literal["active", "paused", "archived"] | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.JOURNEYS_READ),
) -> Page[JourneyLine]:
    """The journeys that are published, by name."""
    with caller.backend.database.read() as connection:
        lines = listing.every_journey(connection, caller.backend.versions)
    fitting = [
        line
        for line in lines
        if state in (None, line.state)
        and any(text.lower() in part.lower() for part in (line.journey, *line.triggers))
    ]
    return sorted_page(
        fitting, JourneyLine.model_validate, lambda line: line.journey, limit, cursor
    )


@router.post("/journeys")
def publish_journey(
    given: JourneyFile, caller: Caller = allowed(Permission.JOURNEYS_WRITE)
) -> Published:
    """Publish a journey: new users enter this version, who is inside stays on his."""
    text = publish.read_text(_CALLED, given.text.encode())
    with caller.backend.database.write() as connection:
        (done,) = publish.publish(connection, [text], now=caller.now, actor=caller.actor)
    return Published.model_validate(done)


@router.post("/plans")
def plan_journey(
    given: JourneyFile, caller: Caller = allowed(Permission.JOURNEYS_READ)
) -> dict[str, Any]:
    """What publishing this text would do; nothing is written."""
    text = publish.read_text(_CALLED, given.text.encode())
    with caller.backend.database.read() as connection:
        found: dict[str, Any] = plain_data(plan.plan(connection, text, now=caller.now))
    return found


@router.post("/checks")
def check_journey(
    given: JourneyFile, caller: Caller = allowed(Permission.JOURNEYS_READ)
) -> CheckedText:
    """Every error of a text; where there is none, every warning, also of endpoints, attributes and
    events that aren't here. Nothing is written.
    """
    with caller.backend.database.read() as connection:
        found = check.check(connection, given.text.encode(), _CALLED)
    return CheckedText.model_validate(found)


@router.get("/journeys/{journey}")
def show_journey(
    journey: JourneyName, caller: Caller = allowed(Permission.JOURNEYS_READ)
) -> dict[str, Any]:
    """One journey: its versions, endpoints, and where its users stand."""
    with caller.backend.database.read() as connection:
        page = listing.one_journey(connection, journey, caller.backend.versions)
    shown: dict[str, Any] = plain_data(page)
    line: dict[str, Any] = shown.pop("line")
    return line | shown


@router.post("/journeys/{journey}/pause")
def pause_journey(
    journey: JourneyName, caller: Caller = allowed(Permission.JOURNEYS_WRITE)
) -> Moved:
    """Hold everybody who is in it, and whoever enters it."""
    with caller.backend.database.write() as connection:
        now = caller.now
        inside = pause.pause(connection, journey, at=now, now=now, actor=caller.actor)
    return Moved(journey=journey, users=inside)


@router.post("/journeys/{journey}/resume", status_code=204)
def resume_journey(
    journey: JourneyName,
    given: Resuming | None = None,
    caller: Caller = allowed(Permission.JOURNEYS_WRITE),
) -> None:
    """Let everybody in a paused journey go on."""
    rule = (given or Resuming()).overdue
    with caller.backend.database.write() as connection:
        now = caller.now
        pause.resume(connection, journey, rule, at=now, now=now, actor=caller.actor)


@router.post("/journeys/{journey}/archive")
def archive_journey(
    journey: JourneyName, caller: Caller = allowed(Permission.JOURNEYS_WRITE)
) -> Moved:
    """Let everybody leave it, for good, and nobody enter."""
    with caller.backend.database.write() as connection:
        now = caller.now
        ended = archive.archive(connection, journey, at=now, now=now, actor=caller.actor)
    return Moved(journey=journey, users=ended)


@router.post("/journeys/{journey}/enroll")
def enroll_users(
    journey: JourneyName,
    given: Entering,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$")
    ] = None,
    caller: Caller = allowed(Permission.ENROLLMENTS_WRITE),
) -> Entered:
    """Tell of users who are to enter, all of them or none. With an `Idempotency-Key` the same
    request is answered as it was before, for a day.
    """
    entrants = [enroll.Entrant(each.id, each.inputs, each.attributes) for each in given.users]
    with caller.backend.database.write() as connection:
        once = answered_once(connection, caller, idempotency_key, (journey, given.model_dump()))
        if once.before is None:
            accepted = enroll.enroll(
                connection,
                caller.backend.versions,
                journey,
                entrants,
                now=caller.now,
                new_id=caller.backend.new_id,
            )
            once.keep(connection, accepted)
            return Entered(accepted=accepted)
    response.headers["Idempotent-Replayed"] = "true"
    return Entered(accepted=once.before)
