"""Who may what: every route of the API and every page of the console, by everybody who may come.

The rows are written by hand and the routes are read from the product's tables, so that a route
without a row, and a route that lets in somebody else than its row says, both fail.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from engine.api.ingestion import Ingestion
from engine.api.management.app import OPEN, PREFIX, ROUTERS
from engine.api.reference.pages import STYLE
from engine.api.watching import Watching
from engine.console.routes import PAGES
from tests.integration.furnished import COOKIE, SECRET, Furnished, furnished
from tests.unit.access.cheap import cheap_passwords

OPERATORS = {"admin": "ada", "builder": "ben", "viewer": "vic"}
TOKENS = ("admin", "journeys", "user_data")

RAW = """
GET     /healthz                anybody
GET     /readyz                 anybody
GET     /metrics                admin
GET     /api/v1/openapi.json    anybody
GET     /api/v1/docs            anybody
POST    /v1/batch               admin user_data
POST    /v1/import              admin user_data
POST    /v1/track               admin user_data
POST    /v1/identify            admin user_data
POST    /v1/page                admin user_data
POST    /v1/screen              admin user_data
POST    /v1/group               admin user_data
POST    /v1/alias               admin user_data
POST    /api/v1/events          admin user_data
"""
"""Routes that take no operator, by kind of token. A webhook is let in by its signature alone."""

MANAGED = """
GET     /journeys                        admin journeys
POST    /journeys                        admin
POST    /plans                           admin journeys
POST    /checks                          admin journeys
GET     /journeys/{journey}              admin journeys
POST    /journeys/{journey}/pause        admin
POST    /journeys/{journey}/resume       admin
POST    /journeys/{journey}/archive      admin
POST    /journeys/{journey}/enroll       admin journeys
GET     /journeys/{journey}/versions     admin journeys
GET     /journeys/{journey}/diff         admin journeys
GET     /journeys/{journey}/text         admin journeys
GET     /journeys/{journey}/graph        admin journeys
GET     /journeys/{journey}/report       admin journeys
GET     /users                           admin journeys
POST    /users/import                    admin user_data
GET     /users/{user:path}               admin journeys
DELETE  /users/{user:path}               admin
GET     /events                          admin journeys
GET     /events/explain                  admin journeys
GET     /enrollments                     admin journeys
GET     /enrollments/{enrollment}        admin journeys
GET     /why                             admin journeys
GET     /calls                           admin journeys
POST    /calls/redrive                   admin
GET     /endpoints                       admin
GET     /endpoints/{name}                admin
PUT     /endpoints/{name}                admin
DELETE  /endpoints/{name}                admin
GET     /endpoints/{name}/usage          admin
POST    /endpoints/{name}/test           admin
GET     /auth-profiles                   admin
GET     /auth-profiles/{name}            admin
PUT     /auth-profiles/{name}            admin
POST    /auth-profiles/{name}/rotate     admin
POST    /auth-profiles/{name}/settle     admin
POST    /auth-profiles/{name}/rename     admin
GET     /auth-profiles/{name}/usage      admin
POST    /auth-profiles/{name}/test       admin
DELETE  /auth-profiles/{name}            admin
GET     /tokens                          admin
POST    /tokens                          admin
POST    /tokens/{name}/rotate            admin
DELETE  /tokens/{name}                   admin
GET     /hooks                           admin
GET     /hooks/{name}                    admin
GET     /hooks/{name}/deliveries         admin
PUT     /hooks/{name}                    admin
POST    /hooks/{name}/rotate             admin
DELETE  /hooks/{name}                    admin
GET     /operators                       admin
POST    /operators                       admin
POST    /operators/{name}/login-link     admin
PUT     /operators/{name}/role           admin
POST    /operators/{name}/logout         admin
DELETE  /operators/{name}                admin
GET     /health                          admin
GET     /audit                           admin
GET     /contact-policy                  admin journeys
GET     /catalogue                       admin journeys
DELETE  /catalogue/attributes/{name}     admin
DELETE  /catalogue/events/{name:path}    admin
POST    /apply                           admin
GET     /keys                            admin
POST    /keys/rotate                     admin
POST    /keys/retire                     admin
"""
"""Routes of the management API, by kind of token. A session of the console opens none."""

PAGES_OF = """
GET     /login                           anybody
POST    /login                           anybody
GET     /login/{token}                   anybody
POST    /login/{token}                   anybody
GET     /                                admin builder viewer
POST    /logout                          admin builder viewer
GET     /account                         admin builder viewer
POST    /account/password                admin builder viewer
POST    /account/logout                  admin builder viewer
GET     /journeys                        admin builder viewer
GET     /journeys/_publish               admin builder
POST    /journeys/_publish               admin builder
GET     /journeys/{journey}              admin builder viewer
GET     /journeys/{journey}/source       admin builder viewer
GET     /journeys/{journey}/passages     admin builder viewer
GET     /journeys/{journey}/report       admin builder viewer
GET     /journeys/{journey}/changes      admin builder viewer
POST    /journeys/{journey}/pause        admin builder
POST    /journeys/{journey}/resume       admin builder
GET     /journeys/{journey}/archive      admin builder
POST    /journeys/{journey}/archive      admin builder
GET     /users                           admin builder viewer
GET     /user                            admin builder viewer
GET     /user/erase                      admin
POST    /user/erase                      admin
GET     /events                          admin builder viewer
GET     /events/explain                  admin builder viewer
GET     /calls                           admin builder viewer
GET     /calls/redrive                   admin builder
POST    /calls/redrive                   admin builder
GET     /endpoints                       admin builder viewer
GET     /endpoints/_new                  admin builder
POST    /endpoints/_new                  admin builder
GET     /endpoints/{name}                admin builder viewer
GET     /endpoints/{name}/edit           admin builder
POST    /endpoints/{name}/edit           admin builder
POST    /endpoints/{name}/auth           admin
POST    /endpoints/{name}/test           admin builder
GET     /endpoints/{name}/delete         admin builder
POST    /endpoints/{name}/delete         admin builder
GET     /profiles                        admin builder
GET     /profiles/_new                   admin
GET     /profiles/_new/{kind}            admin
POST    /profiles/_new/{kind}            admin
GET     /profiles/{name}                 admin builder
GET     /profiles/{name}/edit            admin
POST    /profiles/{name}/edit            admin
POST    /profiles/{name}/rotate          admin
POST    /profiles/{name}/settle          admin
POST    /profiles/{name}/test            admin
GET     /profiles/{name}/delete          admin
POST    /profiles/{name}/delete          admin
GET     /tokens                          admin
POST    /tokens                          admin
GET     /tokens/{name}                   admin
POST    /tokens/{name}/rotate            admin
POST    /tokens/{name}/revoke            admin
POST    /tokens/{name}/end-overlap       admin
GET     /operators                       admin
POST    /operators                       admin
GET     /operators/{name}                admin
POST    /operators/{name}/link           admin
POST    /operators/{name}/role           admin
POST    /operators/{name}/logout         admin
POST    /operators/{name}/remove         admin
GET     /webhooks                        admin builder
GET     /webhooks/_new                   admin
POST    /webhooks/_new                   admin
GET     /webhooks/{name}                 admin builder
GET     /webhooks/{name}/edit            admin
POST    /webhooks/{name}/edit            admin
POST    /webhooks/{name}/rotate          admin
GET     /webhooks/{name}/delete          admin
POST    /webhooks/{name}/delete          admin
GET     /policy                          admin builder viewer
POST    /policy                          admin builder
GET     /policy/delete                   admin builder
POST    /policy/delete                   admin builder
GET     /keys                            admin
POST    /keys/rotate                     admin
POST    /keys/retire                     admin
GET     /health                          admin builder viewer
GET     /audit                           admin builder
"""
"""Pages, by role. An API token opens none."""

ENDING = ("/login", "/logout", "/account")
"""Whoever posts there may have another session then, or none."""
ANYBODY = {"anybody"}
Rows = dict[tuple[str, str], set[str]]


def _rows(table: str, prefix: str = "") -> Rows:
    parts = [line.split() for line in table.strip().splitlines()]
    rows = {(method, prefix + path): set(who) for method, path, *who in parts}
    assert len(rows) == len(parts), "a route stands twice"
    return rows


TOLD_TO_TOKENS = _rows(RAW) | {("GET", PREFIX + STYLE): ANYBODY} | _rows(MANAGED, PREFIX)
TOLD_TO_OPERATORS = _rows(PAGES_OF)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    with cheap_passwords(), furnished(tmp_path_factory.mktemp("here")) as here:
        yield here


def _url(path: str) -> str:
    """Of something that isn't there: whoever may, changes nothing."""
    for part in ("{user:path}", "{name:path}", "{journey}", "{name}", "{kind}", "{token}"):
        path = path.replace(part, "nothing")
    return path.replace("{enrollment}", "7")


def test_every_route_has_its_row_and_no_row_is_of_a_route_that_is_gone() -> None:
    ingestion = Ingestion(*[None] * 6)  # type: ignore[arg-type]
    watching = Watching(*[None] * 5)  # type: ignore[arg-type]
    routes = {("POST", path) for path in (*ingestion.routes(), *ingestion.plain_routes())}
    routes |= {("GET", path) for path in (*watching.routes(), *OPEN)}
    routes |= {
        (method, PREFIX + route.path)
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
    }
    assert routes ^ TOLD_TO_TOKENS.keys() == set()
    assert {(page.method, page.path) for page in PAGES} ^ TOLD_TO_OPERATORS.keys() == set()
    assert {(page.method, page.path) for page in PAGES if page.open} == {
        route for route, who in TOLD_TO_OPERATORS.items() if who == ANYBODY
    }


def _ask(client: httpx.Client, method: str, path: str, **more: str) -> httpx.Response:
    body: dict[str, object] | None = None if method in ("GET", "DELETE") else {}
    return client.request(method, _url(path), json=body, headers=more)


@pytest.mark.parametrize("kind", [*TOKENS, None])
def test_a_route_of_the_api_is_for_the_tokens_of_its_row(here: Furnished, kind: str | None) -> None:
    wrong: list[str] = []
    with here.served.client(kind) as client:
        for (method, path), who in TOLD_TO_TOKENS.items():
            answer = _ask(client, method, path)
            status = answer.status_code
            if who == ANYBODY or kind in who:
                right = status not in (401, 403) and status < 500
            else:
                right = status == (401 if kind is None else 403)
            if not right or SECRET in answer.text:
                wrong.append(f"{method} {path}: {status}")
    assert wrong == []


@pytest.mark.parametrize("role", OPERATORS)
def test_a_session_of_the_console_opens_no_route_of_the_api(here: Furnished, role: str) -> None:
    session, csrf = here.log_in(OPERATORS[role])
    cookies = {"cookie": f"{COOKIE}={session}", "x-csrf-token": csrf}
    with here.served.client() as client:
        found = {
            route: _ask(client, *route, **cookies).status_code
            for route, who in TOLD_TO_TOKENS.items()
            if who != ANYBODY
        }
    assert {route for route, status in found.items() if status not in (401, 429)} == set()


@pytest.mark.parametrize("role", OPERATORS)
def test_a_page_is_for_the_roles_of_its_row(here: Furnished, role: str) -> None:
    wrong: list[str] = []
    browser = here.browser(OPERATORS[role])
    for (method, path), who in TOLD_TO_OPERATORS.items():
        answer = (browser.get if method == "GET" else browser.post)(_url(path))
        status = answer.status_code
        if who == ANYBODY:
            right = status < 500
        else:
            right = status in (200, 303, 404, 409, 422) if role in who else status == 403
        if not right or SECRET in answer.text:
            wrong.append(f"{method} {path}: {status}")
        if method == "POST" and path.startswith(ENDING):
            browser = here.browser(OPERATORS[role])
    assert wrong == []


@pytest.mark.parametrize("kind", [*TOKENS, None])
def test_nobody_and_no_token_opens_a_page(here: Furnished, kind: str | None) -> None:
    wrong: list[str] = []
    with here.served.client(kind) as client:
        for (method, path), who in TOLD_TO_OPERATORS.items():
            if who == ANYBODY:
                continue
            form = {"csrf": "x"} if method == "POST" else None
            answer = client.request(method, _url(path), data=form)
            sent_away = answer.headers.get("location", "").startswith("/login")
            if answer.status_code != 303 or not sent_away:
                wrong.append(f"{method} {path}: {answer.status_code}")
    assert wrong == []


def test_a_form_counts_only_with_the_token_of_its_session(here: Furnished) -> None:
    browser = here.browser("ada")
    _, of_another = here.log_in("ada")
    with browser.http:
        wrong = [
            f"POST {path} with {csrf!r}"
            for (method, path), who in TOLD_TO_OPERATORS.items()
            if method == "POST" and who != ANYBODY
            for csrf in ("", "x", of_another)
            if browser.http.post(_url(path), data={"csrf": csrf}).status_code != 403
        ]
        assert wrong == []
        assert browser.get("/account").status_code == 200
