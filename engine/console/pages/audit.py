"""Who changed what, when, and which fields: by name, never by value."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.audit.store import changes
from engine.console.listing import MOST, as_csv, since_of, wants_csv
from engine.console.visit import Page, Shown
from engine.operations.tables import instant

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit

_COLUMNS = ("at", "actor", "verb", "kind", "name", "fields")


def _list(visit: Visit) -> Reply:
    query = visit.query
    wanted = {"since": since_of(visit) or 0, "actor": query["actor"], "what": query["what"]}
    as_file = wants_csv(visit)
    newest = None if as_file else MOST + 1
    with visit.means.database.read() as connection:
        found = list(changes(connection, **wanted, newest=newest))  # type: ignore[arg-type]
    if as_file:
        rows = (asdict(each) | {"at": instant(each.at)} for each in found)
        return as_csv("audit", rows, _COLUMNS)
    return Shown("audit.html", {"found": found[:MOST], "more": len(found) > MOST})


PAGES = (Page("GET", "/audit", Permission.AUDIT_READ, _list),)
