"""Home, webhooks, the key ring, policy and catalogue, the funnel, versions side by side."""

from __future__ import annotations

import csv
import hmac
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

import httpx
import pytest

from engine.clock import wall
from engine.credentials.kek import find_kek
from engine.operations.key_status import status
from engine.operations.publish import publish, read_text
from tests.integration.furnished import JOURNEY, Browser, Furnished, furnished

SIGNS, NEXT = "what-the-shop-signs-with", "what-it-signs-with-from-now-on"
NAMING = """\
dsl: 1
journey: naming
entry: {triggers: [{event: lapsed, where: user.tier == 'gold'}]}
steps: [{id: out, type: exit}]
"""
POLICY = "contact_policy:\n  suppress: user.unsubscribed\nattributes: {plan: text}\n"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    with furnished(tmp_path_factory.mktemp("console")) as here:
        yield here


@pytest.fixture
def ada(console: Furnished) -> Browser:
    return console.browser("ada")


# --- webhooks ------------------------------------------------------------------------------------


def _sent(console: Furnished, secret: str, number: int) -> httpx.Response:
    body = json.dumps({"customer": {"id": 7}, "total": number}).encode()
    signature = b64encode(hmac.digest(secret.encode(), body, sha256)).decode()
    headers = {"x-shopify-hmac-sha256": signature, "x-shopify-topic": "orders/create"}
    with console.served.client() as client:
        return client.post("/hooks/shop", content=body, headers=headers)


def test_a_webhook_is_made_takes_events_is_changed_rotated_and_deleted(
    console: Furnished, ada: Browser
) -> None:
    form = {"name": "shop", "preset": "shopify", "user": "event.customer.id", "secret": SIGNS}
    assert ada.post("/webhooks/_new", form).headers["location"] == "/webhooks/shop"
    page = ada.get("/webhooks/shop").text
    assert f"{console.served.url}/hooks/shop</code>" in page
    assert SIGNS not in page
    assert _sent(console, SIGNS, 1).json() == {"taken": True}
    assert console.served.inbox()[-1][2] == "orders/create"

    change = {"preset": "shopify", "user": "event.customer.id", "event": "ordered"}
    given = {"when": "event.total > 5", "properties": '{"sum": "{{ event.total }}"}'}
    assert ada.post("/webhooks/shop/edit", change | given).status_code == 303
    assert _sent(console, SIGNS, 2).json() == {"taken": False}
    assert _sent(console, SIGNS, 9).json() == {"taken": True}
    assert console.served.inbox()[-1][2::3] == ("ordered", '{"sum":9}')
    edit = ada.get("/webhooks/shop/edit").text
    assert 'value="event.total &gt; 5"' in edit
    assert ada.post("/webhooks/shop/edit", change | {"event": ""}).status_code == 303
    assert _sent(console, SIGNS, 3).json() == {"taken": True}
    assert console.served.inbox()[-1][2] == "orders/create"

    assert ada.post("/webhooks/shop/rotate", {"secret": NEXT, "overlap": "1h"}).status_code == 303
    assert _sent(console, SIGNS, 4).status_code == _sent(console, NEXT, 5).status_code == 200
    assert "The one before is good until" in ada.get("/webhooks/shop").text
    assert ada.post("/webhooks/shop/rotate", {"secret": SIGNS}).status_code == 303
    assert _sent(console, NEXT, 6).status_code == 401

    assert "answered 404" in ada.get("/webhooks/shop/delete").text
    assert ada.post("/webhooks/shop/delete").status_code == 303
    assert _sent(console, SIGNS, 7).status_code == 404


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "No Name"}, "lower-case letters"),
        ({"secret": "short"}, "could be guessed"),
        ({"user": "event.customer.("}, "user:"),
        ({"properties": "[1]"}, "are an object"),
        ({"properties": "{"}, "not JSON"),
        ({"preset": "morse"}, "needs a preset"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_said_and_its_secret_doesnt_come_back(
    ada: Browser, given: dict[str, str], said: str
) -> None:
    form = {"name": "wrong", "preset": "github", "user": "event.sender.login", "secret": SIGNS}
    answer = ada.post("/webhooks/_new", form | given)
    assert answer.status_code == 409
    assert said in answer.text
    assert SIGNS not in answer.text
    assert "event.sender.login" in answer.text or "user" in given


def test_a_builder_sees_webhooks_and_a_viewer_doesnt(console: Furnished) -> None:
    assert console.browser("ben").get("/webhooks").status_code == 200
    assert "New webhook" not in console.browser("ben").get("/webhooks").text
    assert console.browser("vic").get("/webhooks").status_code == 403


# --- the key ring --------------------------------------------------------------------------------


def test_the_data_key_is_rotated_and_the_old_one_retired(console: Furnished, ada: Browser) -> None:
    assert ada.post("/keys/retire").status_code == 303
    assert "each is still needed" in ada.get("/keys").text
    assert ada.post("/keys/rotate").status_code == 303
    page = ada.get("/keys").text
    assert "sealed anew" in page
    assert "decrypt only" in page
    assert "opens nothing any more" in " ".join(page.split())
    assert ada.post("/keys/retire").status_code == 303
    assert "retired" in ada.get("/keys").text
    kek = find_kek(console.served.post.settings)
    assert kek is not None
    with console.served.database.read() as connection:
        ring = status(connection, kek).keys
    assert [key.state for key in ring] == ["retired", "active"]
    rows = list(csv.DictReader(io.StringIO(ada.get("/keys?format=csv").text)))
    assert [row["state"] for row in rows] == ["retired", "active"]


# --- policy and catalogue ------------------------------------------------------------------------


def test_policy_and_catalogue_are_checked_applied_and_shown(ada: Browser) -> None:
    checked = ada.post("/policy", {"text": POLICY, "do": "check"})
    assert "What applying it changes" in checked.text
    assert "None: every call is made" in ada.get("/policy").text
    assert ada.post("/policy", {"text": POLICY, "do": "apply"}).status_code == 303
    page = ada.get("/policy").text
    assert "contact policy created; attribute plan created" in page
    assert "suppress: user.unsubscribed" in page
    assert "Nothing would change" in ada.post("/policy", {"text": POLICY, "do": "check"}).text
    assert ada.post("/policy", {"text": "contact_policy: none\n", "do": "apply"}).status_code == 303
    assert "None: every call is made" in ada.get("/policy").text


def test_what_is_declared_is_deleted_unless_a_journey_names_it(
    console: Furnished, ada: Browser
) -> None:
    text = "attributes: {tier: text}\nevents: {app/opened: {}, lapsed: {}}\n"
    assert ada.post("/policy", {"text": text, "do": "apply"}).status_code == 303
    with console.served.database.write() as connection:
        publish(connection, [read_text("naming.yaml", NAMING.encode())], now=wall(), actor="ada")
    asked = ada.get("/policy/delete?kind=event&name=lapsed")
    assert "It is in use" in asked.text
    assert "journey naming" in asked.text
    refused = ada.post("/policy/delete?kind=event&name=lapsed")
    assert refused.status_code == 409
    assert "lapsed" in ada.get("/policy").text
    forced = ada.post("/policy/delete?kind=event&name=lapsed", {"force": "yes"})
    assert forced.headers["location"] == "/policy"
    with console.served.client("admin") as api:
        catalogue = "/api/v1/catalogue"
        used = api.delete(f"{catalogue}/attributes/tier")
        assert (used.status_code, used.json()["used_by"]) == (409, ["journey naming"])
        gone = api.delete(f"{catalogue}/events/app%2Fopened")
        assert (gone.status_code, gone.json()) == (200, {"used_by": [], "notes": []})
        again = api.delete(f"{catalogue}/events/app%2Fopened")
        assert again.status_code == 404
        forced_again = api.delete(f"{catalogue}/attributes/tier?force=true")
        assert forced_again.json()["used_by"] == ["journey naming"]
    assert "tier" not in ada.get("/policy").text


def test_what_is_wrong_with_a_policy_is_printed_as_the_compiler_does(ada: Browser) -> None:
    answer = ada.post("/policy", {"text": "contact_policy:\r\n  supress: user.x\r\n"})
    assert answer.status_code == 422
    assert "policy.yaml:2:3: error:" in answer.text
    assert "did you mean `suppress`?" in answer.text
    assert "      | " in answer.text  # the caret's line
    foreign = "endpoints:\n  evil: {base_url: http://127.0.0.1:9/}\n"
    refused = ada.post("/policy", {"text": foreign, "do": "apply"})
    assert (refused.status_code, "isn&#39;t changed here" in refused.text) == (422, True)
    assert ada.get("/endpoints/evil").status_code == 404


def test_only_who_changes_journeys_changes_the_policy(console: Furnished) -> None:
    vic = console.browser("vic")
    assert "As a text" not in vic.get("/policy").text
    assert vic.post("/policy", {"text": POLICY, "do": "apply"}).status_code == 403


# --- journeys ------------------------------------------------------------------------------------


def test_two_versions_are_shown_beside_one_another(console: Furnished, ada: Browser) -> None:
    second = JOURNEY.replace("P1D", "P2D").replace("greet", "beside").encode()
    third = second.replace(b"steps:\n", b"steps:\n  - {id: first, type: wait, for: PT1H}\n")
    texts = (JOURNEY.replace("greet", "beside").encode(), second, third)
    with console.served.database.write() as connection:
        for text in texts:
            publish(connection, [read_text("beside.yaml", text)], now=wall(), actor="ada")
    newest = ada.get("/journeys/beside/changes").text
    assert "From version 2 to 3" in newest
    assert '<span class="sign">+</span>  - {id: first, type: wait, for: PT1H}' in newest
    older = ada.get("/journeys/beside/changes?from=1&to=2").text
    assert "Bring version 2 back" in older
    assert '<span class="badge is-warn">changed</span> rest' in older
    assert "P1D" in ada.get("/journeys/_publish?journey=beside&version=1").text
    assert "These are one version" in ada.get("/journeys/beside/changes?from=2&to=2").text
    assert ada.get("/journeys/beside/changes?to=9").status_code == 404
    assert ada.get("/journeys/nowhere/changes").status_code == 404


def test_the_page_of_a_journey_has_its_funnel(ada: Browser) -> None:
    page = ada.get("/journeys/greet").text
    funnel = page[page.index('class="funnel"') :]
    assert funnel.index(">score<") < funnel.index(">rest<")


def test_a_journeys_problems_are_printed_as_the_compiler_does(ada: Browser) -> None:
    wrong = ada.post("/journeys/_publish", {"text": "dsl: 1\njourney: x\nstepps: []\n"})
    assert "journey.yaml:3:1: error:" in wrong.text


# --- endpoints and home --------------------------------------------------------------------------


def test_a_lost_profiles_place_is_taken_by_another_one(console: Furnished, ada: Browser) -> None:
    form = {"name": "lost", "base_url": "http://127.0.0.1:9/lost", "auth": "none"}
    assert ada.post("/endpoints/_new", form).status_code == 303
    with console.served.database.write() as connection:
        connection.exec_driver_sql("UPDATE endpoints SET auth_lost = 'gone' WHERE name = 'lost'")
    assert "its auth profile gone was deleted" in ada.get("/").text
    assert "calls fail" in ada.get("/endpoints").text
    assert ada.post("/endpoints/lost/auth", {"auth": "crm-oauth"}).status_code == 303
    assert '<option value="crm-oauth" selected>' in ada.get("/endpoints/lost").text
    assert "its auth profile gone" not in ada.get("/").text


def test_a_test_request_as_a_user_fills_in_path_and_body(ada: Browser) -> None:
    form = {"method": "POST", "path": "/{{ user.id }}", "user": "u_1", "body": "{{ user.plan }}"}
    refused = ada.post("/endpoints/ping/test", form)
    assert (refused.status_code, "the body is not JSON" in refused.text) == (409, True)
    refused = ada.post("/endpoints/ping/test", form | {"body": '{"a": "{{ user. }}"}'})
    assert (refused.status_code, "the body can&#39;t be filled in" in refused.text) == (409, True)


def test_home_tells_everybody_what_he_may_see(console: Furnished, ada: Browser) -> None:
    made = ada.post("/tokens", {"name": "ends-soon", "kind": "journeys", "expires": "12d"})
    assert made.status_code == 200
    page = ada.get("/").text
    assert "this API token ends in 1" in page
    assert "No worker runs" in page
    assert "greet" in page
    vic = console.browser("vic").get("/").text
    assert "greet" in vic
    assert "ends-soon" not in vic
    assert "Changed last" not in vic
