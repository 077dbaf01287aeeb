"""Who gets in: every route of the console by every role, and what is refused whatever the role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from engine.access import operators, sessions
from engine.access.login import FRESH
from engine.access.store.operators import by_name
from engine.clock import wall
from engine.console.routes import PAGES
from engine.console.visit import Page
from tests.integration.furnished import COOKIE, Furnished, furnished
from tests.unit.access.cheap import cheap_passwords

HERE = {
    "{journey}": "greet",
    "{kind}": "basic",
    "{token}": "no-such-link",
}
OPERATORS = {"ada": "admin", "ben": "builder", "vic": "viewer"}
PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    with cheap_passwords(), furnished(tmp_path_factory.mktemp("console")) as here:
        yield here


def _path(page: Page) -> str:
    """The page's path; what is posted is about something that isn't there, and changes nothing."""
    path = page.path
    for part, text in HERE.items():
        path = path.replace(
            part, text if page.method == "GET" or part != "{journey}" else "nothing"
        )
    if "{name}" in path:
        name = "crm" if path.startswith("/endpoints") else "crm-oauth"
        path = path.replace("{name}", name if page.method == "GET" else "nothing")
    return path


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_form_from_another_site_does_nothing(console: Furnished, headers: dict[str, str]) -> None:
    browser = console.browser("ada")
    for path in ("/journeys/greet/pause", "/login", "/logout"):
        answer = browser.http.post(path, data={"csrf": browser.csrf}, headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.text
    assert "active" in browser.get("/journeys/greet").text


@pytest.mark.usefixtures("either_database")
def test_every_page_opens_on_either_database(tmp_path: Path) -> None:
    with furnished(tmp_path) as console:
        ada = console.browser("ada")
        for page in PAGES:
            if page.method == "GET" and not page.open:
                assert ada.get(_path(page)).status_code in (200, 303, 404, 409), page.path
        assert ada.post("/journeys/greet/pause").status_code == 303
        assert "Paused since" in ada.get("/journeys/greet").text


def test_a_page_says_what_may_run_in_it_and_isnt_kept(console: Furnished) -> None:
    answer = console.browser("ada").get("/journeys")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_file_of_the_console_may_be_kept_for_ever(console: Furnished) -> None:
    page = console.browser().get("/login").text
    path = next(part for part in page.split('"') if part.startswith("/static/console."))
    answer = console.browser().get(path)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")


def test_a_host_that_isnt_ours_is_refused(console: Furnished) -> None:
    answer = console.browser("ada").get("/journeys", host="evil.example")
    assert answer.status_code == 400


def test_a_link_lets_in_once_into_a_session_that_nobody_knew(console: Furnished) -> None:
    with console.served.database.write() as connection:
        link = operators.make_link(connection, "ben", actor="ada", now=wall())
    known = console.log_in("vic")[0]
    browser = console.browser()
    browser.http.cookies.set(COOKIE, known)
    asked = browser.get(link.path)
    assert asked.status_code == 200
    assert "set-cookie" not in asked.headers
    came = browser.post(link.path)
    assert came.status_code == 303
    cookie = came.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert known not in cookie
    with console.served.database.read() as connection:
        assert sessions.find(connection, known, wall()) is None
    again = console.browser().post(link.path)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers


def _set_password(console: Furnished, name: str) -> None:
    browser = console.browser(name)
    form = {"password": PASSWORD, "again": PASSWORD}
    assert browser.post("/account/password", form).status_code == 303


def test_a_password_that_was_set_lets_in_and_ends_other_sessions(console: Furnished) -> None:
    other = console.browser("vic")
    _set_password(console, "vic")
    assert other.get("/journeys").status_code == 303
    came = console.browser().http.post("/login", data={"name": "VIC", "password": PASSWORD})
    assert came.headers["location"] == "/"
    wrong = console.browser().http.post("/login", data={"name": "vic", "password": "x"})
    assert wrong.status_code == 403


def test_a_session_of_long_ago_says_the_present_password_to_set_another(
    console: Furnished,
) -> None:
    _set_password(console, "ben")
    browser = console.browser("ben")
    with console.served.database.write() as connection:
        connection.exec_driver_sql("UPDATE sessions SET made_at = made_at - ?", (FRESH,))
    assert "Present password" in browser.get("/account").text
    form = {"password": f"{PASSWORD}!", "again": f"{PASSWORD}!"}
    refused = browser.post("/account/password", form)
    assert refused.status_code == 403
    assert "present password" in refused.text
    assert browser.post("/account/password", {**form, "again": "x"}).status_code == 409
    assert browser.post("/account/password", {**form, "current": PASSWORD}).status_code == 303


def test_who_guesses_is_told_to_wait(console: Furnished) -> None:
    answers = [
        console.browser().http.post("/login", data={"name": "mallory", "password": str(n)})
        for n in range(8)
    ]
    assert [answer.status_code for answer in answers[:5]] == [403] * 5
    assert answers[-1].status_code == 429
    assert "Wait" in answers[-1].text
    with console.served.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM failed_logins")


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_login_leads_to_no_other_site(console: Furnished, to: str) -> None:
    _set_password(console, "vic")
    form = {"name": "vic", "password": PASSWORD, "next": to}
    came = console.browser().http.post("/login", data=form)
    assert came.headers["location"] == "/"


def test_who_is_removed_or_logged_out_is_out_at_once(console: Furnished) -> None:
    with console.served.database.write() as connection:
        operators.add(connection, "tmp", "admin", actor="ada", now=wall())
    browser = console.browser("tmp")
    assert browser.get("/journeys").status_code == 200
    assert browser.post("/logout").status_code == 303
    assert browser.get("/journeys").status_code == 303
    again = console.browser("tmp")
    assert console.browser("ada").post("/operators/tmp/role", {"role": "viewer"}).status_code == 303
    assert again.get("/journeys").status_code == 303
    last = console.browser("tmp")
    assert console.browser("ada").post("/operators/tmp/remove").status_code == 303
    assert last.get("/journeys").status_code == 303


def test_a_page_that_refreshes_itself_doesnt_keep_its_session(console: Furnished) -> None:
    browser = console.browser("ben")
    long_ago = wall() - sessions.IDLE // 2
    with console.served.database.write() as connection:
        operator = by_name(connection, "ben")
        assert operator is not None
        connection.exec_driver_sql(
            "UPDATE sessions SET seen_at = ? WHERE operator_id = ?", (long_ago, operator.id)
        )

    def seen_at() -> set[int]:
        with console.served.database.read() as connection:
            found = connection.exec_driver_sql(
                "SELECT seen_at FROM sessions WHERE operator_id = ?", (operator.id,)
            )
            return {row[0] for row in found}

    assert browser.get("/journeys", **{"hx-request": "true"}).status_code == 200
    assert seen_at() == {long_ago}
    browser.get("/journeys")
    assert max(seen_at()) > long_ago
    gone = console.browser()
    assert gone.get("/journeys", **{"hx-request": "true"}).status_code == 204


def test_a_form_that_is_too_large_or_none_is_refused(console: Furnished) -> None:
    browser = console.browser("ada")
    assert browser.post("/endpoints/_new", {"name": "x" * 600_000}).status_code == 413
    sent = browser.http.post("/endpoints/_new", json={"csrf": browser.csrf})
    assert sent.status_code == 415


def test_what_isnt_there_is_said_as_a_page(console: Furnished) -> None:
    for path in ("/nope", "/journeys/nope", "/endpoints/nope", "/user?id=nope", "/static/x.css"):
        answer: httpx.Response = console.browser("ada").get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
