"""Users: looking one up; what became of him, step by step, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.listing import MOST, as_csv, place_in, stretch_of, wants_csv
from engine.console.refusals import Refusal
from engine.console.rendering import link
from engine.console.story import story_of
from engine.console.visit import Page, Redirected, Shown
from engine.core.guarded_json import text_of
from engine.db.vacuum import wipe_beside_others
from engine.enrollments.why import why
from engine.errors import NotFound, OperatorError
from engine.operations import erase
from engine.operations.cursors import LOOKED_THROUGH
from engine.operations.search_users import fitting, has, wanted_of
from engine.users import store
from engine.users.store import KnownUser

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit
    from engine.db.connect import Connection

_JOURNEYS_TOLD = 3
_LAST_EVENTS = 20
_PATIENCE_S = 10.0
_COLUMNS = ("user", "timezone", "attributes")


def _list(visit: Visit) -> Reply:
    """A page of users, of all or of those who have an attribute; or the one who is looked for."""
    wanted, having = visit.query.exact("q"), visit.query["having"]
    asked = _having(having) if having else {}
    if wanted:
        with visit.means.database.read() as connection:
            known = _is_known(connection, store.known_as(connection, wanted) or wanted)
        if known:
            return Redirected(link("/user", id=wanted))
    after = place_in(visit, str)
    with visit.means.database.read() as connection:
        if wants_csv(visit):
            rows = (
                {"user": one.id, "timezone": one.timezone, "attributes": text_of(one.attributes)}
                for one in store.every_user(connection)
                if has(one, asked)
            )
            return as_csv("users", rows, _COLUMNS)
        found, last = fitting(store.every_user(connection, after), asked, MOST)
    values = {
        "part": stretch_of(visit, "/users", ("having",), found, last),
        "missed": wanted,
        "looked_through": LOOKED_THROUGH,
    }
    return Shown("users.html", values, 404 if wanted else 200)


def _having(written: str) -> dict[str, object]:
    try:
        return wanted_of((written,), "with attribute")
    except OperatorError as error:
        raise Refusal(400, "No attribute", error.message) from None


def _is_known(connection: Connection, user: str) -> bool:
    return (
        store.find_user(connection, user) is not None
        or bool(store.facts_of(connection, user, most=1))
        or bool(store.known_from(connection, user))
    )


def _show(visit: Visit) -> Reply:
    user, only = visit.query.exact("id"), visit.query["journey"]
    means = visit.means
    with means.database.read() as connection:
        known_as = store.known_as(connection, user)
        if not user or not (known_as or _is_known(connection, user)):
            raise NotFound(f"there is no user {user[:60]!r}")
        anonymous = store.known_from(connection, user)
        known = store.find_user(connection, user)
        journeys = list(dict.fromkeys(one.journey for one in store.passages_of(connection, user)))
        told = [only] if only else journeys[:_JOURNEYS_TOLD]
        zone = means.settings.timezone
        stories = [
            story_of(why(connection, user, journey, means.versions, zone=zone)) for journey in told
        ]
        facts = store.facts_of(connection, user, most=_LAST_EVENTS)
    values = {
        "user": known or KnownUser(user, None, {}),
        "waits": known is None and known_as is None,
        "known_as": known_as,
        "anonymous": anonymous,
        "stories": stories,
        "others": [one for one in journeys if one not in told],
        "facts": facts[::-1],
        "only": only,
    }
    return Shown("user.html", values)


def _ask_erase(visit: Visit) -> Reply:
    user = visit.query.exact("id")
    with visit.means.database.read() as connection:
        counts = erase.held(connection, user)
    if not any(counts.values()):
        raise NotFound(f"nothing is held of {user[:60]!r}")
    return Shown("erase.html", {"user": user, "counts": counts})


def _erase(visit: Visit) -> Reply:
    user, database = visit.form.exact("id"), visit.means.database
    if visit.form["sure"] != "yes":
        raise OperatorError("say that you are sure: nothing was erased")
    with database.read() as connection:
        if not any(erase.held(connection, user).values()):
            raise NotFound(f"nothing is held of {user[:60]!r}")
    asked = erase.ask(database, user, actor=visit.actor, now=visit.now)
    gone = erase.wait(database, asked, now=visit.now, patience_s=_PATIENCE_S)
    if gone is None:
        return Redirected("/users", "The worker erases him when it comes to it; the audit tells")
    wipe_beside_others(database, _PATIENCE_S)
    rows = ", ".join(f"{count:,} {table}" for table, count in gone.items() if count)
    return Redirected("/users", f"Erased for good: {rows or 'nothing'}")


PAGES = (
    Page("GET", "/users", Permission.USERS_READ, _list),
    Page("GET", "/user", Permission.USERS_READ, _show),
    Page("GET", "/user/erase", Permission.USERS_ERASE, _ask_erase),
    Page("POST", "/user/erase", Permission.USERS_ERASE, _erase),
)
