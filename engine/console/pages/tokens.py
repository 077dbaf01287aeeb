"""API tokens: what other systems come in with. One is shown when it is made, and never again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from engine.access import issuing
from engine.access.roles import Permission
from engine.access.tokens import KINDS
from engine.console.doing import doing
from engine.console.lengths import length_of
from engine.console.listing import as_csv, wants_csv
from engine.console.visit import Page, Shown
from engine.errors import NotFound, OperatorError
from engine.operations.tables import instant

if TYPE_CHECKING:
    from engine.access.issuing import Issued, ListedToken
    from engine.console.visit import Reply, Visit

ABOUT = {
    "user_data": "Sends events and users. At most five are live.",
    "journeys": "Lets users into journeys, and reads.",
    "admin": "Everything.",
}
_COLUMNS = (
    *("name", "kind", "token", "state", "created_by", "created_at", "last_used_at"),
    *("expires_at", "previous_until"),
)
_INSTANTS = ("created_at", "last_used_at", "expires_at", "previous_until")


def _list(visit: Visit) -> Reply:
    return _shown(visit)


def _shown(visit: Visit, problem: str = "", issued: Issued | None = None) -> Reply:
    ended = visit.query["show"] == "all"
    with visit.means.database.read() as connection:
        found = issuing.listed(connection, visit.now, ended=ended)
    if wants_csv(visit):
        return as_csv("api-tokens", map(_row, found), _COLUMNS)
    values = {
        "found": found,
        "ended": ended,
        "kinds": [(kind, ABOUT[kind]) for kind in KINDS],
        "written": dict(visit.form.pairs) if problem else {},
        "problem": problem,
        "issued": issued,
    }
    return Shown("tokens.html", values, 409 if problem else 200)


def _row(token: ListedToken) -> dict[str, object]:
    return asdict(token) | {name: instant(getattr(token, name)) for name in _INSTANTS}


def _create(visit: Visit) -> Reply:
    form, now = visit.form, visit.now
    try:
        life = length_of(form["expires"], "the token's life")
        with visit.means.database.write() as connection:
            issued = issuing.create(
                connection,
                form["name"],
                form["kind"],
                actor=visit.actor,
                now=now,
                expires_at=now + life if life else None,
            )
    except OperatorError as error:
        return _shown(visit, error.message)
    return _shown(visit, issued=issued)


def _rotate(visit: Visit) -> Reply:
    try:
        overlap = length_of(visit.form["overlap"], "the overlap")
        with visit.means.database.write() as connection:
            issued = issuing.rotate(
                connection,
                visit.place["name"],
                actor=visit.actor,
                now=visit.now,
                overlap=overlap,
            )
    except OperatorError as error:
        return _shown(visit, error.message)
    return _shown(visit, issued=issued)


def _ask(visit: Visit) -> Reply:
    """Rotate or revoke: what follows is said before it is done."""
    name = visit.place["name"]
    with visit.means.database.read() as connection:
        found = next(
            (each for each in issuing.listed(connection, visit.now) if each.name == name), None
        )
    if found is None:
        raise NotFound(f"there is no live API token {name[:100]}")
    return Shown("token.html", {"token": found})


_REVOKE = doing(issuing.revoke, "/tokens", "API token {name} revoked: it lets nobody in any more")
_END_OVERLAP = doing(
    issuing.revoke_previous, "/tokens", "API token {name}: the secret before is revoked"
)

PAGES = (
    Page("GET", "/tokens", Permission.TOKENS_READ, _list),
    Page("POST", "/tokens", Permission.TOKENS_WRITE, _create),
    Page("GET", "/tokens/{name}", Permission.TOKENS_WRITE, _ask),
    Page("POST", "/tokens/{name}/rotate", Permission.TOKENS_WRITE, _rotate),
    Page("POST", "/tokens/{name}/revoke", Permission.TOKENS_WRITE, _REVOKE),
    Page("POST", "/tokens/{name}/end-overlap", Permission.TOKENS_WRITE, _END_OVERLAP),
)
