"""What pages do: forms change things by the verbs of commands, and never show a secret."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.access.tokens import well_formed
from engine.clock import wall
from engine.core.expressions.assignment import bucket_of
from engine.credentials import profiles, rotation
from engine.credentials.kinds.base import AuthKind
from engine.credentials.kinds.registry import read_profile
from engine.credentials.references import FromEnv, Given, References
from engine.credentials.store.profiles import profile_by_name
from engine.endpoints.store import find
from engine.operations.edit_endpoint import set_endpoint
from engine.operations.store import ENDED, Finding, Process, put_process
from tests.contract.people import insert
from tests.integration.furnished import SECRET, Browser, Furnished, furnished, put_event, put_user
from tests.partners import CRM, AuthorizationServer, running

NEW_SECRET = "another-s3cret-of-the-client"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    with furnished(tmp_path_factory.mktemp("console")) as here:
        yield here


@pytest.fixture
def ada(console: Furnished) -> Browser:
    return console.browser("ada")


def test_a_profile_is_created_assigned_tested_rotated_and_not_deleted_while_used(
    console: Furnished, ada: Browser
) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as oauth, running(CRM(oauth.book)) as crm:
        form = {"name": "score", "base_url": f"{crm.url}/v2", "auth": "none"}
        assert ada.post("/endpoints/_new", form).headers["location"] == "/endpoints/score"
        form = {
            "profile": "score-oauth",
            "title": "Scores",
            "token_url": oauth.token_url,
            "client_id": "crm-client",
            "client_secret": SECRET,
            "endpoint": "score",
            "grant": "client_credentials",
        }
        made = ada.post("/profiles/_new/oauth2", form)
        assert made.headers["location"] == "/profiles/score-oauth", made.text
        assert "score-oauth" in ada.get("/endpoints/score").text
        test = {"method": "POST", "path": "/users/{{ user.id }}/score", "user": "u_1", "body": "{}"}
        tried = ada.post("/endpoints/score/test", test)
        assert "It works" in tried.text
        assert crm.log[-1].path == "/v2/users/u_1/score"
        oauth.rotate(NEW_SECRET)
        assert "It failed" in ada.post("/endpoints/score/test", test).text
        rotated = ada.post("/profiles/score-oauth/rotate", {"value": NEW_SECRET})
        assert rotated.status_code == 303
        assert "rotated: the next call uses the new one" in ada.get("/profiles/score-oauth").text
        assert "It works" in ada.post("/endpoints/score/test", test).text
        assert "It works" in ada.post("/profiles/score-oauth/test").text
    refused = ada.post("/profiles/score-oauth/delete")
    assert refused.status_code == 409
    assert "endpoint score" in refused.text
    for path in (
        "/profiles",
        "/profiles/score-oauth",
        "/profiles/score-oauth/edit",
        "/endpoints/score",
    ):
        page = ada.get(path).text
        assert SECRET not in page
        assert NEW_SECRET not in page
    assert ada.post("/endpoints/score/auth", {"auth": "none"}).status_code == 303
    assert ada.post("/profiles/score-oauth/delete").headers["location"] == "/profiles"


def test_an_edit_without_a_secret_keeps_it_and_another_token_server_demands_it(
    console: Furnished, ada: Browser
) -> None:
    form = {
        "profile": "crm-oauth",
        "title": "The CRM",
        "token_url": "http://127.0.0.1:9/oauth/token",
        "client_id": "crm-client",
        "scope": "read",
    }
    assert ada.post("/profiles/crm-oauth/edit", form).status_code == 303
    with console.served.database.read() as connection:
        stored = profile_by_name(connection, "crm-oauth")
    assert stored is not None
    assert stored.columns.settings["scope"] == "read"
    assert "client_secret" in stored.secrets
    moved = ada.post("/profiles/crm-oauth/edit", {**form, "token_url": "http://127.0.0.1:8/t"})
    assert moved.status_code == 409
    assert "demands client_secret again" in moved.text
    assert ada.post("/profiles/crm-oauth/edit", {**form, "scope": ""}).status_code == 303
    with console.served.database.read() as connection:
        stored = profile_by_name(connection, "crm-oauth")
    assert stored is not None
    assert "scope" not in stored.columns.settings


def test_what_is_wrong_with_a_form_is_said_beside_it_and_no_secret_comes_back(ada: Browser) -> None:
    form = {"profile": "bad name!", "username": "bot:x", "password": SECRET, "title": "Kept title"}
    answer = ada.post("/profiles/_new/basic", form)
    assert answer.status_code == 409
    assert "can&#39;t hold a &#39;:&#39;" in answer.text
    assert "Kept title" in answer.text
    assert SECRET not in answer.text
    answer = ada.post("/endpoints/_new", {"name": "x", "base_url": "nonsense"})
    assert answer.status_code == 409
    assert "nonsense" in answer.text


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("basic", {"username": "bot", "password": "p"}),
        ("basic", {"username": "bot", "password.empty": "yes"}),
        ("bearer", {"token": "a-token-that-stays", "prefix": "Token"}),
        ("bearer", {"token": "a-token-that-stays", "prefix": ""}),
        ("api_key", {"name": "X-Api-Key", "value": "a-key", "in": "header"}),
        ("oauth2", {"issuer": "https://id.example.com", "client_id": "c", "client_secret": "s"}),
        ("none", {}),
    ],
)
def test_every_kind_can_be_made_and_edited(ada: Browser, kind: str, fields: dict[str, str]) -> None:
    made = ada.post(f"/profiles/_new/{kind}", {"profile": "some", "title": "t", **fields})
    assert made.headers.get("location") == "/profiles/some", made.text
    secret = {"password", "token", "value", "client_secret", "password.empty"}
    again = {name: text for name, text in fields.items() if name not in secret}
    changed = ada.post("/profiles/some/edit", {"profile": "other", "title": "u", **again})
    assert changed.headers.get("location") == "/profiles/other", changed.text
    assert ada.post("/profiles/other/delete").headers["location"] == "/profiles"


def test_an_overlap_is_ended_on_the_page_of_its_profile(console: Furnished, ada: Browser) -> None:
    form = {"profile": "rotated", "token": "the-token-before"}
    assert ada.post("/profiles/_new/bearer", form).status_code == 303
    rotated = ada.post("/profiles/rotated/rotate", {"value": "the-token-after", "overlap": "24h"})
    assert rotated.status_code == 303
    with console.served.database.write() as connection:
        vault, now = console.served.post.vault(), wall()
        rotation.schedule(
            *(connection, vault, "rotated", "the-token-to-come"),
            field="token",
            actor="ada",
            now=now,
            begins=now + 10**12,
        )
    button, page = "Keep the current ones only", ada.get("/profiles/rotated").text
    assert all(text in page for text in (button, '<span class="sub">next'))
    assert button not in console.browser("vic").get("/profiles/rotated").text
    assert ada.post("/profiles/rotated/settle").headers["location"] == "/profiles/rotated"
    page = ada.get("/profiles/rotated").text
    assert "has its current secrets only" in page
    assert button not in page


def test_a_profile_whose_new_name_is_taken_stays_as_it_was(
    console: Furnished, ada: Browser
) -> None:
    for name in ("first", "second"):
        form = {"profile": name, "username": "bot", "password": "p"}
        assert ada.post("/profiles/_new/basic", form).status_code == 303
    refused = ada.post("/profiles/first/edit", {"profile": "second", "username": "other"})
    assert (refused.status_code, "second already" in refused.text) == (409, True)
    with console.served.database.read() as connection:
        stored = profile_by_name(connection, "first")
    assert stored is not None
    assert stored.columns.settings["username"] == "bot"


def test_a_number_that_no_database_holds_breaks_no_page(ada: Browser) -> None:
    long = "9" * 5_000
    for path in ("source?version", "report?version"):
        assert ada.get(f"/journeys/greet/{path}={long}").status_code == 200
    assert ada.get(f"/events/explain?user=u_1&seq={long}").status_code == 404
    assert ada.get("/journeys/greet/report?version=123456789012345678").status_code == 404
    assert ada.get("/tokens/nobodys").status_code == 404


def test_a_secret_may_be_a_reference(console: Furnished, ada: Browser) -> None:
    form = {
        "profile": "by-variable",
        "username": "bot",
        "password.way": "env",
        "password.reference": "LOYALTY_PASSWORD",
    }
    assert ada.post("/profiles/_new/basic", form).status_code == 303
    with console.served.database.read() as connection:
        stored = profile_by_name(connection, "by-variable")
    assert stored is not None
    assert stored.columns.settings["password"] == {"env": "LOYALTY_PASSWORD"}
    form |= {"profile": "own", "password.reference": "JOURNEY_KEK"}
    assert "own variables" in ada.post("/profiles/_new/basic", form).text


def test_a_builder_changes_endpoints_and_not_where_a_secret_goes(console: Furnished) -> None:
    ben = console.browser("ben")
    form = {"base_url": "http://127.0.0.1:9/v2", "timeout": "7s", "concurrency": "5"}
    assert ben.post("/endpoints/crm/edit", form).status_code == 303
    with console.served.database.read() as connection:
        stored = find(connection, "crm")
    assert stored is not None
    assert stored.endpoint.concurrency == 5
    assert stored.endpoint.auth == "crm-oauth"
    moved = ben.post("/endpoints/crm/edit", {"base_url": "http://127.0.0.1:10/evil"})
    assert moved.status_code == 409
    assigned = ben.post(
        "/endpoints/ping/edit", {"base_url": "http://127.0.0.1:9/ping", "auth": "crm-oauth"}
    )
    assert assigned.status_code == 409
    assert "only an admin" in assigned.text
    assert "Fingerprint" not in ben.get("/profiles/crm-oauth").text


def test_who_moves_an_endpoint_shows_that_he_knows_the_secret_of_its_profile(
    console: Furnished, ada: Browser
) -> None:
    path, field = "/endpoints/moving/edit", 'name="secret.client_secret" type="password" value=""'
    form = {"base_url": "http://127.0.0.1:9/m", "auth": "crm-oauth"}
    assert ada.post("/endpoints/_new", {"name": "moving", **form}).status_code == 303
    assert field not in ada.get(path).text
    moved = form | {"base_url": "http://127.0.0.1:21/m", "title": "Kept title"}
    wrong = "n0t-the-secret-of-crm"
    for given in ({}, {"secret.client_secret": wrong}):
        refused = ada.post(path, moved | given)
        assert refused.status_code == 409
        assert "demands client_secret of auth profile crm-oauth again" in refused.text
        assert field in refused.text
        assert "Kept title" in refused.text
        assert wrong not in refused.text
    shown = moved | {"secret.client_secret": SECRET}
    ben = console.browser("ben").post(path, shown)
    assert (ben.status_code, "only an admin" in ben.text) == (409, True)
    other = ada.post(path, shown | {"timeout": "nonsense"})
    assert (other.status_code, SECRET in other.text) == (409, False)
    done = ada.post(path, shown)
    assert done.headers.get("location") == "/endpoints/moving", done.text
    with console.served.database.read() as connection:
        stored = find(connection, "moving")
    assert stored is not None
    assert (stored.endpoint.base_url, stored.endpoint.auth) == (moved["base_url"], "crm-oauth")
    assert "http://127.0.0.1:21" in ada.get("/profiles/crm-oauth").text


def test_authentication_of_an_endpoints_own_is_kept_by_its_forms(
    console: Furnished, ada: Browser
) -> None:
    form = {"base_url": "http://127.0.0.1:9/own", "auth": "none"}
    assert ada.post("/endpoints/_new", {"name": "own", **form}).status_code == 303
    written = read_profile({"kind": "bearer", "token": Given("a-token-of-its-own")})
    assert isinstance(written, AuthKind)
    vault = console.served.post.vault()
    with console.served.database.write() as connection:
        profiles.set_profile(
            *(connection, vault, References({}, ()), "own", written),
            inline=True,
            actor="ada",
            now=wall(),
        )
        set_endpoint(connection, "own", {"auth": "own"}, actor="ada", now=wall())
    for path in ("/endpoints/own", "/endpoints/own/edit"):
        assert '<option value="own" selected>Its own</option>' in ada.get(path).text
    assert ada.post("/endpoints/own/auth", {"auth": "own"}).status_code == 303
    assert ada.post("/endpoints/own/edit", form | {"auth": "own"}).status_code == 303
    with console.served.database.read() as connection:
        stored = find(connection, "own")
    assert stored is not None
    assert (stored.endpoint.auth, stored.inline) == ("own", True)


def test_an_endpoints_limits_are_set_and_taken_back(console: Furnished, ada: Browser) -> None:
    form = {
        "base_url": "http://127.0.0.1:9/ping",
        "auth": "none",
        "rate_count": "100",
        "rate_per": "1s",
        "breaker_failures": "5",
        "hold": "6h",
        "headers": "X-One: 1\nX-Two: 2",
        "allow": "GET /a\nPOST /b",
        "contact": "yes",
    }
    assert ada.post("/endpoints/ping/edit", form).status_code == 303
    page = ada.get("/endpoints/ping/edit").text
    assert all(text in page for text in ("X-One: 1", "POST /b", 'value="100"', 'value="6h"'))
    bare = {"base_url": "http://127.0.0.1:9/ping", "auth": "none"}
    assert ada.post("/endpoints/ping/edit", bare).status_code == 303
    with console.served.database.read() as connection:
        stored = find(connection, "ping")
    assert stored is not None
    assert stored.endpoint.rate_limit is None
    assert stored.endpoint.headers == {}
    assert not stored.endpoint.contact


def test_only_who_says_so_lets_calls_go_without_a_deleted_profile(
    console: Furnished, ada: Browser
) -> None:
    form = {"name": "bare", "base_url": "http://127.0.0.1:9/bare", "auth": "none"}
    assert ada.post("/endpoints/_new", form).status_code == 303
    with console.served.database.write() as connection:
        connection.exec_driver_sql("UPDATE endpoints SET auth_lost = 'gone' WHERE name = 'bare'")
    for path in ("/endpoints/bare", "/endpoints/bare/edit"):
        page = ada.get(path).text
        assert '<option value="" selected>gone (deleted)</option>' in page
        assert page.count(" selected>") == page.count("<select")
    chosen = ada.post("/endpoints/bare/auth", {"auth": ""})
    assert (chosen.status_code, "choose the auth profile" in chosen.text) == (409, True)
    ben, moved = console.browser("ben"), {"base_url": "http://127.0.0.1:10/bare"}
    said = [
        ben.post("/endpoints/bare/edit", moved),
        ben.post("/endpoints/bare/edit", moved | {"auth": "none"}),
        ada.post("/endpoints/bare/edit", {"base_url": "http://127.0.0.1:11/bare", "auth": ""}),
    ]
    assert [each.status_code for each in said] == [303, 409, 303]
    assert "gone (deleted)" in ada.get("/endpoints/bare/edit").text
    assert ada.post("/endpoints/bare/edit", moved | {"auth": "none"}).status_code == 303
    assert "gone (deleted)" not in ada.get("/endpoints/bare/edit").text


def test_a_journey_is_paused_resumed_archived_and_published_again(ada: Browser) -> None:
    assert ada.post("/journeys/greet/pause").status_code == 303
    assert "Paused since" in ada.get("/journeys/greet").text
    assert ada.post("/journeys/greet/resume", {"overdue": "shift"}).status_code == 303
    text = ada.get("/journeys/greet/source").text
    planned = ada.post("/journeys/_publish", {"text": text.replace("P1D", "P2D"), "do": "plan"})
    assert "version 2 would be published" in planned.text
    done = ada.post("/journeys/_publish", {"text": text.replace("P1D", "P2D"), "do": "publish"})
    assert done.headers["location"] == "/journeys/greet"
    wrong = ada.post("/journeys/_publish", {"text": "dsl: 1\njourney: x\nsteps: []\n"})
    assert wrong.status_code == 422
    assert "be published" in wrong.text
    assert ada.post("/journeys/greet/archive").status_code == 303
    assert "archived" in ada.get("/journeys/greet").text


def test_a_token_is_shown_once(ada: Browser) -> None:
    made = ada.post("/tokens", {"name": "shop", "kind": "user_data", "expires": "90d"})
    (text,) = {part for part in made.text.replace("<", ">").split(">") if well_formed(part)}
    assert text not in ada.get("/tokens").text
    rotated = ada.post("/tokens/shop/rotate", {"overlap": "1h"})
    assert text not in rotated.text
    assert "lets in until" in rotated.text
    assert ada.post("/tokens/shop/end-overlap").status_code == 303
    assert ada.post("/tokens/shop/revoke").status_code == 303
    assert "revoked" in ada.get("/tokens?show=all").text


def test_an_operator_is_added_with_a_link_that_is_shown_once(
    console: Furnished, ada: Browser
) -> None:
    made = ada.post("/operators", {"name": "eve", "role": "viewer"})
    path = next(
        part
        for part in made.text.replace("<", ">").split(">")
        if part.startswith(f"{console.served.url}/login/")
    )
    assert path not in ada.get("/operators").text
    assert console.browser().post(path).headers["location"] == "/account"


def test_a_user_is_told_of_and_erased(console: Furnished, ada: Browser) -> None:
    put_user(console.served, "gone", {"plan": "pro", "mail": "gone@example.com"})
    put_event(console.served, "gone", "hello", {"total": 12.5}, 1_700_000_000_000_000)
    assert "12.5" in ada.get("/user?id=gone").text
    explained = ada.get("/events/explain?user=gone&seq=1700000000000000").text
    assert (
        "published after it" in explained or "no trigger" in explained or "No journey" in explained
    )
    assert ada.get("/users?q=gone").headers["location"] == "/user?id=gone"
    assert ada.post("/user/erase", {"id": "gone"}).status_code == 409
    assert ada.post("/user/erase", {"id": "gone", "sure": "yes"}).status_code == 303
    assert not console.served.holds("gone@example.com")
    assert ada.get("/user?id=gone").status_code == 404


def test_what_ended_for_a_bug_stands_apart_from_what_runs(console: Furnished, ada: Browser) -> None:
    lives = Process("lives", "api", "elsewhere", 1, wall(), wall())
    bug = (Finding(ENDED, "wrong", "ValueError"),)
    with console.served.database.write() as connection:
        put_process(connection, lives)
        put_process(connection, replace(lives, id="ended", kind="worker", pid=7, health=bug))
    alive, _, rest = ada.get("/health").text.partition("<h2>Processes</h2>")[2].partition("Ended")
    assert "journey api" in alive
    assert "journey worker" not in alive
    assert "7 on elsewhere" in rest
    assert "for a bug: ValueError" in rest


LISTS = (
    *("/journeys", "/journeys/greet/passages", "/journeys/greet/report", "/users", "/calls"),
    *("/events?user=u_1", "/endpoints", "/profiles", "/tokens", "/operators", "/health", "/audit"),
)


@pytest.mark.parametrize("path", LISTS)
def test_every_list_can_be_kept_as_csv_by_the_same_filter(ada: Browser, path: str) -> None:
    answer = ada.get(f"{path}{'&' if '?' in path else '?'}format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    assert list(csv.reader(io.StringIO(answer.text)))


def test_no_cell_of_a_csv_is_a_formula(console: Furnished, ada: Browser) -> None:
    put_user(console.served, "=cmd|' /C calc'!A0", {})
    rows = list(csv.DictReader(io.StringIO(ada.get("/users?format=csv").text)))
    assert "'=cmd|' /C calc'!A0" in {row["user"] for row in rows}


def test_what_was_changed_stands_in_the_audit_log_by_who_did_it(ada: Browser) -> None:
    ada.post("/endpoints/_new", {"name": "audited", "base_url": "http://127.0.0.1:9/a"})
    rows = list(csv.DictReader(io.StringIO(ada.get("/audit?what=audited&format=csv").text)))
    assert [(row["actor"], row["verb"], row["name"]) for row in rows] == [
        ("ada", "create", "audited")
    ]


def test_failed_calls_are_counted_before_they_are_sent_again(ada: Browser) -> None:
    assert "nothing to send" in ada.get("/calls/redrive?journey=greet").text
    assert ada.get("/calls?since=nonsense").status_code == 400


def test_what_an_anonymous_user_turned_out_to_be_is_told_on_both_pages(
    console: Furnished, ada: Browser
) -> None:
    with console.served.database.write() as connection:
        link = {"bucket": bucket_of("anon:7"), "id": "anon:7", "user_id": "u_1", "at": 1}
        insert(connection, "links", **link)
    assert "/user?id=anon%3A7" in ada.get("/user?id=u_1").text
    before = ada.get("/users?q=anon:7")
    assert before.headers["location"] == "/user?id=anon%3A7"
    assert 'He turned out to be <a href="/user?id=u_1">u_1</a>' in ada.get("/user?id=anon:7").text


def _seen(form: str) -> str:
    (seen,) = re.findall(r'name="seen" value="([^"]*)"', form)
    return str(seen)


@pytest.mark.parametrize(
    ("page", "typed"),
    [
        ("/endpoints/ping", {"base_url": "http://127.0.0.1:9/ping", "auth": "none"}),
        ("/profiles/of-two", {"profile": "of-two", "username": "bot"}),
        ("/webhooks/of-two", {"preset": "github", "user": "event.sender.login"}),
    ],
)
def test_of_two_who_edit_the_same_the_second_is_told_and_keeps_what_he_typed(
    console: Furnished, ada: Browser, page: str, typed: dict[str, str]
) -> None:
    own = "title" if "webhooks" not in page else "when"
    if "profiles" in page:
        made = {**typed, "password": "any-s3cret", "profile": "of-two"}
        assert ada.post("/profiles/_new/basic", made).status_code == 303
    if "webhooks" in page:
        made = {**typed, "name": "of-two", "secret": "what-the-sender-signs-with"}
        assert ada.post("/webhooks/_new", made).status_code == 303
    eve = console.browser("ada")
    adas, eves = (_seen(one.get(f"{page}/edit").text) for one in (ada, eve))
    assert ada.post(f"{page}/edit", {**typed, own: "1 == 1", "seen": adas}).status_code == 303
    refused = eve.post(f"{page}/edit", {**typed, own: "2 == 2", "seen": eves})
    assert refused.status_code == 409
    assert "somebody else has changed" in refused.text
    assert 'value="2 == 2"' in refused.text
    assert "1 == 1" in ada.get(f"{page}/edit").text
    again = eve.post(f"{page}/edit", {**typed, own: "2 == 2", "seen": _seen(refused.text)})
    assert again.status_code == 303
    assert "2 == 2" in ada.get(f"{page}/edit").text


def test_users_are_found_by_an_attribute(console: Furnished, ada: Browser) -> None:
    put_user(console.served, "paying", {"plan": "gold", "points": 5})
    for having in ("plan=gold", "points=5"):
        page = ada.get(f"/users?having={having}").text
        assert ("paying" in page, "u_1" in page) == (True, False)
        rows = list(csv.DictReader(io.StringIO(ada.get(f"/users?having={having}&format=csv").text)))
        assert [row["user"] for row in rows] == ["paying"]
    assert "Nobody found" in ada.get("/users?having=plan=tin").text
    assert ada.get("/users?having=tin").status_code == 400


@pytest.mark.parametrize("path", ["/endpoints", "/profiles"])
def test_long_lists_go_on_on_the_next_page_by_the_same_search(
    console: Furnished, ada: Browser, path: str
) -> None:
    names = [f"zz-{number:03}" for number in range(101)]
    written = read_profile({"kind": "bearer", "token": FromEnv("ZZ_TOKEN")})
    assert isinstance(written, AuthKind)
    vault, references = console.served.post.vault(), References({"ZZ_TOKEN": "s3cret"}, ())
    with console.served.database.write() as connection:
        for name in names:
            if path == "/endpoints":
                fields = {"base_url": "http://127.0.0.1:9/zz"}
                set_endpoint(connection, name, fields, actor="ada", now=wall())
            else:
                profiles.set_profile(
                    connection, vault, references, name, written, actor="ada", now=wall()
                )

    def shown(query: str) -> tuple[list[str], list[str]]:
        """The rows, and where the links beside them lead."""
        page = ada.get(f"{path}?{query}").text
        rows = re.findall(rf'<th scope="row"><a href="{path}/(zz-[0-9]+)"', page)
        return rows, re.findall(r'rel="(?:prev|next)" href="([^"]*)"', page)

    assert shown("q=zz-") == (names[:100], [f"{path}?q=zz-&amp;page=2"])
    for behind in ("2", "99", "9" * 18):
        assert shown(f"q=zz-&page={behind}") == (names[100:], [f"{path}?q=zz-"])
    for first in ("0", "-1", "x", "1"):
        assert shown(f"q=zz-&page={first}")[0] == names[:100]
    assert shown("q=zz-007") == (["zz-007"], [])
    rows = csv.DictReader(io.StringIO(ada.get(f"{path}?q=zz-&page=2&format=csv").text))
    assert [row["name"] for row in rows] == names
