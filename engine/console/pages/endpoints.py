"""An endpoint: where journeys' calls go, how, and what they authenticate with; trying it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.endpoint_edit import fields_of, safe_to_show, shown_secrets, written_of
from engine.console.pages.endpoint_list import figures_of
from engine.console.rendering import link
from engine.console.seen import require_unchanged
from engine.console.visit import Page, Redirected, Shown
from engine.credentials.listing import search_profiles, show_profile
from engine.endpoints import states, store
from engine.endpoints.model import NO_AUTH
from engine.enrollments.endpoint_figures import EndpointFigures
from engine.errors import Forbidden, OperatorError
from engine.operations import probe
from engine.operations.edit_endpoint import move, set_endpoint
from engine.operations.marks import endpoint_mark
from engine.versions.usage import of_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.console.visit import Fields, Reply, Visit
    from engine.credentials.listing import ShownProfile
    from engine.db.connect import Connection
    from engine.endpoints.store import Stored
    from engine.operations.edit_endpoint import Edited
    from engine.operations.moving import Move
    from engine.operations.probe import Tried

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_LONGEST_BODY = 64 * 1024


def _show(visit: Visit) -> Reply:
    return _shown(visit, {"method": "GET", "path": "/", "user": "", "body": ""})


def _shown(
    visit: Visit, asked: Mapping[str, str], tried: Tried | None = None, problem: str = ""
) -> Reply:
    """An endpoint's page, with what became of a test request."""
    name = visit.place["name"]
    with visit.means.database.read() as connection:
        stored = store.load(connection, name)
        profile = _profile(connection, stored)
        values = {
            "stored": stored,
            "endpoint": stored.endpoint,
            "gate": states.gate_of(connection, name).gate,
            "profile": profile,
            "profiles": _choices(connection),
            "usage": of_endpoint(connection, name),
            "own": figures_of(visit, connection).get(name, EndpointFigures()),
            "settings": _settings(stored),
            "methods": [(each, each) for each in METHODS],
            "asked": asked,
            "tried": tried,
            "problem": problem,
        }
    return Shown("endpoint.html", values, 409 if problem else 200)


def _profile(connection: Connection, stored: Stored) -> ShownProfile | None:
    name = stored.endpoint.profile
    return None if name is None else show_profile(connection, name)


def _choices(connection: Connection) -> list[tuple[str, list[ShownProfile]]]:
    """The profiles that may be assigned, by kind."""
    found: dict[str, list[ShownProfile]] = {}
    for profile in search_profiles(connection):
        if not profile.inline:
            found.setdefault(profile.kind, []).append(profile)
    return sorted(found.items())


def _settings(stored: Stored) -> list[tuple[str, object]]:
    """What isn't its default and stands nowhere else on the page."""
    told = {"title", "description", "base_url"}
    return [
        (key, value)
        for key, value in store.settings_of(stored.endpoint).items()
        if key not in told and value is not None
    ]


def _test(visit: Visit) -> Reply:
    form = visit.form
    asked = {name: form[name] for name in ("method", "path", "user", "body")}
    try:
        call = _call(visit, asked)
        tried = visit.means.over_http(lambda means: probe.try_endpoint(means, call))
    except OperatorError as error:
        return _shown(visit, asked, problem=error.message)
    return _shown(visit, asked, tried)


def _call(visit: Visit, asked: Mapping[str, str]) -> probe.TestCall:
    target, body = asked["path"] or "/", asked["body"].encode("utf-8", "replace")
    if asked["method"] not in METHODS:
        raise OperatorError(f"the method is one of {', '.join(METHODS)}")
    if len(body) > _LONGEST_BODY:
        raise OperatorError("a test's body has 64 KiB at most")
    if asked["user"]:
        with visit.means.database.read() as connection:
            target = probe.target_as(connection, asked["user"], target, visit.now)
            body = probe.body_as(connection, asked["user"], body, visit.now)
    return probe.TestCall(
        visit.place["name"],
        asked["method"],
        target,
        content_type="application/json" if body else None,
        body=body,
    )


def _ask_new(visit: Visit) -> Reply:
    return _form(visit, None, {"name": "", "base_url": ""})


def _ask_edit(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        stored = store.load(connection, visit.place["name"])
    return _form(visit, stored, written_of(stored))


def _form(
    visit: Visit,
    stored: Stored | None,
    written: Mapping[str, str],
    problem: str = "",
    moved: Move | None = None,
) -> Reply:
    """The form; an endpoint that is to be ``moved`` is asked for secrets."""
    with visit.means.database.read() as connection:
        choices = _choices(connection)
    values = {
        "stored": stored,
        "mark": endpoint_mark(stored) or "",
        "written": written,
        "problem": problem,
        "profiles": choices,
        "demanded": () if moved is None else moved.secrets,
    }
    return Shown("endpoint_form.html", values, 409 if problem else 200)


def _create(visit: Visit) -> Reply:
    return _save(visit, visit.form["name"], None)


def _change(visit: Visit) -> Reply:
    name = visit.place["name"]
    with visit.means.database.read() as connection:
        stored = store.load(connection, name)
    return _save(visit, name, stored)


def _save(visit: Visit, name: str, stored: Stored | None) -> Reply:
    moved: Move | None = None
    try:
        fields = _fields(visit, stored)
        if stored is not None:
            moved = _move(visit, name, fields)
        edited = _written(visit, name, fields, stored, moved)
    except OperatorError as error:
        written = {**safe_to_show(visit.form), "name": name}
        return _form(visit, stored, written, error.message, moved)
    what = "created" if edited.created else "saved" if edited.fields else "unchanged"
    said = "; ".join((f"Endpoint {name} {what}", *edited.notes))
    return Redirected(link(f"/endpoints/{name}"), said)


def _fields(visit: Visit, stored: Stored | None) -> dict[str, Any]:
    """What the form says; its profile only where that is said anew, by who may."""
    form, before = visit.form, NO_AUTH
    fields, auth = fields_of(form), form["auth"]
    if stored is not None:
        before = written_of(stored)["auth"]
    if auth and (stored is None or auth != before or _moves(form, stored)):
        _require_auth(visit, auth, before)
        fields["auth"] = auth
    return fields


def _moves(form: Fields, stored: Stored) -> bool:
    return form["base_url"] != stored.endpoint.base_url


def _move(visit: Visit, name: str, fields: Mapping[str, Any]) -> Move | None:
    with visit.means.database.read() as connection:
        moved = move(connection, name, fields)
    if moved is not None:
        _require_auth(visit, moved.profile.columns.name)
    return moved


def _require_auth(visit: Visit, *auth: str) -> None:
    """Raise Forbidden for who may not say where a secret is sent, or that none is."""
    if set(auth) != {NO_AUTH} and not visit.may(Permission.ENDPOINTS_AUTH):
        raise Forbidden("only an admin assigns an auth profile, or moves an endpoint that has one")


def _written(
    visit: Visit,
    name: str,
    fields: Mapping[str, Any],
    stored: Stored | None,
    moved: Move | None,
) -> Edited:
    given: dict[str, str] = {}
    if moved is not None and moved.secrets:
        given = shown_secrets(visit.form, moved, visit.means.vault().fingerprint)
    with visit.means.database.write() as connection:
        present = store.find(connection, name)
        if stored is None and present is not None:
            raise OperatorError(f"there is an endpoint {name} already")
        require_unchanged(visit.form, f"endpoint {name}", endpoint_mark(present))
        return set_endpoint(connection, name, fields, given=given, actor=visit.actor, now=visit.now)


def _assign(visit: Visit) -> Reply:
    name, auth = visit.place["name"], visit.form["auth"]
    if not auth:
        raise OperatorError(
            f"endpoint {name}: choose the auth profile that takes the lost one's place, or None"
        )
    with visit.means.database.write() as connection:
        edited = set_endpoint(connection, name, {"auth": auth}, actor=visit.actor, now=visit.now)
    what = "Calls carry no credential now" if auth == NO_AUTH else f"Calls carry {auth} now"
    return Redirected(f"/endpoints/{name}", "; ".join((what, *edited.notes)))


PAGES = (
    Page("GET", "/endpoints/_new", Permission.ENDPOINTS_WRITE, _ask_new),
    Page("POST", "/endpoints/_new", Permission.ENDPOINTS_WRITE, _create),
    Page("GET", "/endpoints/{name}", Permission.ENDPOINTS_READ, _show),
    Page("GET", "/endpoints/{name}/edit", Permission.ENDPOINTS_WRITE, _ask_edit),
    Page("POST", "/endpoints/{name}/edit", Permission.ENDPOINTS_WRITE, _change),
    Page("POST", "/endpoints/{name}/auth", Permission.ENDPOINTS_AUTH, _assign),
    Page("POST", "/endpoints/{name}/test", Permission.ENDPOINTS_TEST, _test),
)
