"""Calls that are to be made or failed for good; sending failed ones again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.listing import (
    MOST,
    as_csv,
    place_in,
    since_of,
    stretch_of,
    wants_csv,
)
from engine.console.rendering import link
from engine.console.visit import Page, Redirected, Shown, Visit
from engine.enrollments.calls import RANK_KINDS, CallFilter, Rank, listed
from engine.operations.list_calls import page_of_calls
from engine.operations.redrive import by_failure, mark_wanted
from engine.operations.tables import instant

if TYPE_CHECKING:
    from engine.console.visit import Fields, Reply
    from engine.enrollments.calls import ListedCall
    from engine.operations.redrive import FailedAlike

_COLUMNS = (
    *("user", "journey", "version", "step", "endpoint", "method", "target", "state"),
    *("failure", "attempts", "at", "why", "key"),
)
_FILTERS = ("journey", "endpoint", "step", "code", "since")


def _list(visit: Visit) -> Reply:
    every = visit.query["show"] == "all"
    wanted = _filter(visit, visit.query, failed=not every)
    place = place_in(visit, *RANK_KINDS)
    after = None if place is None else Rank(*place)
    versions = visit.means.versions
    with visit.means.database.read() as connection:
        if wants_csv(visit):
            return as_csv("calls", map(_row, listed(connection, wanted, versions)), _COLUMNS)
        found, last = page_of_calls(connection, wanted, versions, after, MOST)
    values = {
        "part": stretch_of(visit, "/calls", ("show", *_FILTERS), found, last),
        "every": every,
        "filters": _given(visit.query),
    }
    return Shown("calls.html", values)


def _filter(visit: Visit, given: Fields, *, failed: bool) -> CallFilter:
    return CallFilter(
        failed=failed,
        journey=given["journey"] or None,
        endpoint=given["endpoint"] or None,
        step=given["step"] or None,
        code=given["code"] or None,
        since=since_of(visit),
    )


def _given(fields: Fields) -> dict[str, str]:
    return {name: fields[name] for name in _FILTERS}


def _row(call: ListedCall) -> dict[str, object]:
    return asdict(call) | {"at": instant(call.at)}


def _alike(visit: Visit) -> tuple[CallFilter, list[FailedAlike]]:
    """The failed calls that the query means: as a filter, and counted."""
    wanted = _filter(visit, visit.query, failed=True)
    with visit.means.database.read() as connection:
        return wanted, by_failure(listed(connection, wanted, visit.means.versions))


def _ask_redrive(visit: Visit) -> Reply:
    _, alike = _alike(visit)
    values = {
        "count": sum(each.calls for each in alike),
        "alike": alike,
        "filters": _given(visit.query),
        "action": link("/calls/redrive", **_given(visit.query)),
    }
    return Shown("redrive.html", values)


def _redrive(visit: Visit) -> Reply:
    wanted, alike = _alike(visit)
    marked = mark_wanted(
        visit.means.database,
        wanted,
        alike,
        visit.means.versions,
        apply_outputs=visit.form["outputs"] == "yes",
        actor=visit.actor,
        now=visit.now,
    )
    said = f"{marked:,} calls are sent again, by the worker that runs"
    return Redirected(link("/calls", **_given(visit.query)), said)


PAGES = (
    Page("GET", "/calls", Permission.CALLS_READ, _list),
    Page("GET", "/calls/redrive", Permission.CALLS_REDRIVE, _ask_redrive),
    Page("POST", "/calls/redrive", Permission.CALLS_REDRIVE, _redrive),
)
