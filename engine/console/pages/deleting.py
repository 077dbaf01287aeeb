"""Deleting endpoints and auth profiles: what uses them is said first, and refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.visit import Page, Redirected, Shown
from engine.credentials.profiles import require_profile
from engine.errors import EngineError
from engine.operations import revoking
from engine.operations.delete import delete_endpoint, delete_profile
from engine.versions.usage import of_endpoint, of_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.console.visit import Reply, Visit
    from engine.credentials.access_tokens.revoke import Revocable

_WITHOUT_ENDPOINT = "Its calls then fail as credential.missing, and their users go on."
_WITHOUT_PROFILE = (
    "Their calls then fail as credential.missing until another one is assigned, and their users"
    " go on."
)


def _ask_for_endpoint(visit: Visit) -> Reply:
    name = visit.place["name"]
    with visit.means.database.read() as connection:
        used = of_endpoint(connection, name)
    lines = used.lines() if used.uses else ()
    return _asked("endpoint", f"/endpoints/{name}", name, lines, _WITHOUT_ENDPOINT)


def _ask_for_profile(visit: Visit) -> Reply:
    name = visit.place["name"]
    with visit.means.database.read() as connection:
        require_profile(connection, name)
        used = of_profile(connection, name)
    lines = [line for each in used for line in each.lines()]
    return _asked("auth profile", f"/profiles/{name}", name, lines, _WITHOUT_PROFILE)


def _asked(what: str, back: str, name: str, lines: Sequence[str], follows: str) -> Reply:
    values = {"what": what, "name": name, "back": back, "lines": lines, "follows": follows}
    return Shown("delete.html", values)


def _endpoint(visit: Visit) -> Reply:
    name, means = visit.place["name"], visit.means
    with means.database.write() as connection:
        given = means.vault, means.references
        tokens = revoking.revocable_of_endpoint(connection, *given, name)
        delete_endpoint(connection, name, force=_insists(visit), actor=visit.actor, now=visit.now)
    return Redirected("/endpoints", f"Endpoint {name} deleted{_revoked(visit, tokens)}")


def _profile(visit: Visit) -> Reply:
    name, means = visit.place["name"], visit.means
    with means.database.write() as connection:
        tokens = revoking.revocable(connection, means.vault, means.references, name)
        delete_profile(connection, name, force=_insists(visit), actor=visit.actor, now=visit.now)
    said = f"Auth profile {name} deleted with its secrets{_revoked(visit, tokens)}"
    return Redirected("/profiles", said)


def _insists(visit: Visit) -> bool:
    return visit.form["force"] == "yes"


def _revoked(visit: Visit, tokens: Revocable | None) -> str:
    """What the token server said, after the commit; '' where there was nothing to tell it."""
    if tokens is None:
        return ""
    try:
        return f"; {revoking.revoke(visit.means.egress, tokens)}"
    except EngineError as error:
        return f"; {error.message}"


PAGES = (
    Page("GET", "/endpoints/{name}/delete", Permission.ENDPOINTS_WRITE, _ask_for_endpoint),
    Page("POST", "/endpoints/{name}/delete", Permission.ENDPOINTS_WRITE, _endpoint),
    Page("GET", "/profiles/{name}/delete", Permission.PROFILES_WRITE, _ask_for_profile),
    Page("POST", "/profiles/{name}/delete", Permission.PROFILES_WRITE, _profile),
)
