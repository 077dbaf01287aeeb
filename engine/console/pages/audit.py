"""Who changed what, when, and which fields: by name, never by value."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.audit.store import changes, look_back
from engine.console.listing import (
    MOST,
    as_csv,
    place_in,
    since_of,
    stretch_of,
    wants_csv,
)
from engine.console.visit import Page, Shown
from engine.operations.cursors import LOOKED_THROUGH
from engine.operations.tables import instant

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit

_COLUMNS = ("at", "actor", "verb", "kind", "name", "fields")


def _list(visit: Visit) -> Reply:
    """The newest changes, a page of them."""
    query = visit.query
    since, actor, what = since_of(visit) or 0, query["actor"], query["what"]
    after = place_in(visit, int)
    with visit.means.database.read() as connection:
        if wants_csv(visit):
            every = changes(connection, since=since, actor=actor, what=what)
            rows = (asdict(each) | {"at": instant(each.at)} for each in every)
            return as_csv("audit", rows, _COLUMNS)
        last = look_back(connection, after, LOOKED_THROUGH)
        fitting = changes(
            connection,
            since=since,
            actor=actor,
            what=what,
            newest=MOST + 1,
            after=after,
            upto=last,
        )
        found = list(fitting)
    if len(found) > MOST:
        last = found[MOST - 1].id
    return Shown(
        "audit.html",
        {"part": stretch_of(visit, "/audit", ("what", "actor", "since"), found[:MOST], last)},
    )


PAGES = (Page("GET", "/audit", Permission.AUDIT_READ, _list),)
