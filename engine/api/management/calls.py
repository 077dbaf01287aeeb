"""Calls: what is to be made, and what failed; sending the latter again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import (
    Cursor,
    Given,
    Limit,
    Line,
    Page,
    Since,
    decoded,
    since_of,
)
from engine.enrollments.calls import RANK_KINDS, CallFilter, ListedCall, Rank, listed
from engine.operations.cursors import cursor_of
from engine.operations.list_calls import page_of_calls
from engine.operations.plain_data import plain_data
from engine.operations.redrive import by_failure, mark_wanted

router = APIRouter(tags=["calls"])


class Calls(Given):
    """Which failed calls are meant; what isn't named doesn't matter."""

    journey: Line | None = None
    endpoint: Line | None = None
    step: Line | None = None
    code: Line | None = None
    since: Line | None = None


class Redriving(Calls):
    """Failed calls that are to be sent again; `dry` only counts them."""

    dry: bool = True
    apply_outputs: bool = False


@router.get("/calls")
def list_calls(
    failed: bool = False,
    journey: Annotated[Line | None, Query(min_length=1)] = None,
    endpoint: Annotated[Line | None, Query(min_length=1)] = None,
    step: Annotated[Line | None, Query(min_length=1)] = None,
    code: Annotated[
        Line | None, Query(min_length=1, description="The last failure, as call.timed_out.")
    ] = None,
    since: Since = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.CALLS_READ),
) -> Page[dict[str, Any]]:
    """Calls that are to be made, or failed for good: those that failed first first, then those that
    are to be made, a page by time. One that is searched for may be a few pages on: each looks at
    40,000 calls at most.
    """
    start = since_of(since, caller.now)
    wanted = CallFilter(failed, journey, endpoint, step, code, start)
    place = decoded(cursor, *RANK_KINDS)
    after = None if place is None else Rank(*place)
    versions = caller.backend.versions
    with caller.backend.database.read() as connection:
        found, last = page_of_calls(connection, wanted, versions, after, limit)
    return Page(items=[_call(call) for call in found], next=last and cursor_of(last))


@router.post("/calls/redrive")
def redrive_calls(
    given: Redriving, caller: Caller = allowed(Permission.CALLS_REDRIVE)
) -> dict[str, Any]:
    """Send failed calls again, with the same key and bytes and a fresh credential: the worker that
    runs does it. A dry one says how many it would be, by step and failure.
    """
    start = since_of(given.since, caller.now)
    wanted = CallFilter(True, given.journey, given.endpoint, given.step, given.code, start)
    database, versions = caller.backend.database, caller.backend.versions
    with database.read() as connection:
        alike = by_failure(listed(connection, wanted, versions))
    marked = 0
    if alike and not given.dry:
        outputs, actor = given.apply_outputs, caller.actor
        marked = mark_wanted(
            database, wanted, alike, versions, apply_outputs=outputs, actor=actor, now=caller.now
        )
    total = sum(each.calls for each in alike)
    return {"calls": total, "by": plain_data(alike), "marked": marked}


def _call(call: ListedCall) -> dict[str, Any]:
    shown: dict[str, Any] = plain_data(call)
    del shown["rank"]
    _, enrollment, _, visit, redrive = call.place
    return shown | {"enrollment": enrollment, "visit": visit, "redrive": redrive}
