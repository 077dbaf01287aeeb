"""Events of a user, and why one let him into a journey, or didn't."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.listing import MOST, as_csv, since_of, wants_csv
from engine.console.visit import Page, Shown
from engine.core.guarded_json import text_of
from engine.errors import NotFound
from engine.operations.explain import ENTERED, explain, in_words
from engine.operations.tables import instant
from engine.users.store import fact_at, facts_of

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit
    from engine.users.store import KnownFact

_COLUMNS = ("at", "event", "data", "received", "seq", "message_id")
_CHANGE = "(attributes)"


def _list(visit: Visit) -> Reply:
    user, event = visit.query.exact("user"), visit.query["event"]
    since = since_of(visit)
    found: list[KnownFact] = []
    if user:
        with visit.means.database.read() as connection:
            found = facts_of(connection, user, event=event or None, since=since, most=MOST)[::-1]
    if wants_csv(visit):
        return as_csv("events", map(_row, found), _COLUMNS)
    return Shown("events.html", {"found": found, "user": user})


def _row(fact: KnownFact) -> dict[str, object]:
    return {
        "at": instant(fact.at),
        "event": _CHANGE if fact.name is None else fact.name,
        "data": text_of(fact.data),
        "received": instant(fact.seq) or "not yet",
        "seq": fact.seq,
        "message_id": fact.message_id,
    }


def _explain(visit: Visit) -> Reply:
    user, seq = visit.query.exact("user"), visit.query["seq"]
    with visit.means.database.read() as connection:
        fact = fact_at(connection, user, visit.query.whole("seq") or 0)
        if fact is None:
            raise NotFound(f"{user[:60]!r} has no event {seq[:20]!r}")
        verdicts = explain(connection, visit.means.versions, user, fact)
    values = {
        "user": user,
        "fact": fact,
        "verdicts": [(each, in_words(each), each.result == ENTERED) for each in verdicts],
    }
    return Shown("explain.html", values)


PAGES = (
    Page("GET", "/events", Permission.EVENTS_READ, _list),
    Page("GET", "/events/explain", Permission.EVENTS_READ, _explain),
)
