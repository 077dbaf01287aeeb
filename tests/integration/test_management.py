"""The management API does what the commands do, for who may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.core.expressions.assignment import bucket_of
from engine.telemetry.redact import known_secrets
from tests.contract.people import NOW, add_passage, add_version, insert
from tests.integration.serving import NO_TLS, Served, serving

JOURNEY = """\
dsl: 1
journey: greet
entry: {triggers: [{event: hello}], inputs: {n: number}}
steps:
  - {id: greet, type: call_api, endpoint: api, path: "/greet/{{ user.id }}", body: {n: 1}}
"""
SECRET = "canary-5ac1d7c0ffee"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    from tests.databases import databases_on

    folder = tmp_path_factory.mktemp("served")
    if request.param == "sqlite":
        with serving(folder) as served:
            yield served
        return
    with databases_on(request.getfixturevalue("postgresql")), serving(folder) as served:
        yield served


@pytest.fixture
def admin(served: Served) -> Iterator[httpx.Client]:
    with served.client("admin") as client:
        client.base_url = httpx.URL(f"{served.url}/api/v1")
        yield client


def _put_endpoint(admin: httpx.Client, name: str = "api", /, **fields: Any) -> httpx.Response:
    return admin.put(f"/endpoints/{name}", json={"base_url": "https://api.example", **fields})


def test_a_journey_is_published_paused_and_goes_on(admin: httpx.Client) -> None:
    bad = admin.post("/journeys", json={"text": JOURNEY.replace("call_api", "cal_api")})
    assert (bad.status_code, bad.json()["problems"][0]["line"]) == (422, 5)
    assert _put_endpoint(admin).status_code == 200
    plan = admin.post("/plans", json={"text": JOURNEY}).json()
    assert plan["journey"] == "greet"
    done = admin.post("/journeys", json={"text": JOURNEY})
    assert (done.status_code, done.json()["done"]) == (200, "published"), done.text
    assert admin.get("/journeys/greet/text").text == JOURNEY
    assert admin.get("/journeys").json()["items"][0]["state"] == "active"
    assert admin.post("/journeys/greet/pause").json() == {"journey": "greet", "users": 0}
    assert admin.post("/journeys/greet/pause").status_code == 409
    assert admin.get("/journeys/greet").json()["state"] == "paused"
    assert admin.post("/journeys/greet/resume", json={"overdue": "skip"}).status_code == 204
    assert admin.get("/journeys/greet/report").json()["entered"] == 0
    assert admin.get("/journeys/nobody").status_code == 404
    used = admin.delete("/endpoints/api")
    assert used.status_code == 409
    assert "greet" in used.json()["used_by"][0]


def test_users_are_let_in_once_for_each_key(served: Served, admin: httpx.Client) -> None:
    _put_endpoint(admin)
    admin.post("/journeys", json={"text": JOURNEY})
    users = [{"id": f"u{n}", "inputs": {"n": n}, "attributes": {"x": 1}} for n in range(3)]
    key = {"Idempotency-Key": "k1"}
    first = admin.post("/journeys/greet/enroll", json={"users": users}, headers=key)
    again = admin.post("/journeys/greet/enroll", json={"users": users}, headers=key)
    assert first.json() == again.json() == {"accepted": 3}
    assert again.headers["idempotent-replayed"] == "true"
    assert [row[1] for row in served.inbox()] == [1, 2] * 3
    other = admin.post("/journeys/greet/enroll", json={"users": users[:1]}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "request.key_reused")
    bad = [*users, {"id": "u9", "inputs": {"n": "x"}}]
    refused = admin.post("/journeys/greet/enroll", json={"users": bad})
    assert refused.status_code == 409 or refused.status_code == 422, refused.text
    assert "input" in refused.json()["detail"]
    assert admin.post("/journeys/nobody/enroll", json={"users": users}).status_code == 404
    many = [{"id": "u", "inputs": {"n": 1}}] * 1_001
    assert admin.post("/journeys/greet/enroll", json={"users": many}).status_code == 422
    assert len(served.inbox()) == 6


def test_a_secret_goes_in_and_comes_out_nowhere(admin: httpx.Client) -> None:
    said = [
        admin.put(
            "/auth-profiles/crm",
            json={
                "kind": "basic",
                "fields": {"username": "bot"},
                "secrets": {"password": {"value": SECRET}},
            },
        ),
        admin.get("/auth-profiles/crm"),
        admin.get("/auth-profiles"),
        admin.post("/auth-profiles/crm/rotate", json={"secret": SECRET + "2"}),
        admin.put("/auth-profiles/x", json={"kind": "basic", "fields": {"password": SECRET}}),
        admin.put("/auth-profiles/x", json={"kind": "basic", "secrets": {"password": SECRET}}),
        admin.post("/auth-profiles/crm/rotate", json={"secret": [SECRET]}),
        admin.post("/auth-profiles/crm/test"),
        admin.get("/audit"),
    ]
    statuses = [each.status_code for each in said]
    assert statuses == [200, 200, 200, 200, 409, 422, 422, 200, 200], [s.text for s in said]
    assert not [each for each in said if SECRET in each.text]
    assert said[1].json()["secrets"][0]["is_set"]
    _put_endpoint(admin, "billing", auth="crm")
    assert admin.delete("/auth-profiles/crm").status_code == 409
    gone = admin.delete("/auth-profiles/crm", params={"force": True})
    assert "billing" in gone.json()["used_by"][0], gone.text
    for given, lost in (({"title": "B"}, "crm"), ({"auth": None}, None)):
        assert admin.put("/endpoints/billing", json=given).status_code == 200
        assert admin.get("/endpoints/billing").json().get("auth_lost") == lost


def test_an_endpoint_moves_with_its_secret_when_the_secret_is_shown(admin: httpx.Client) -> None:
    secret, wrong = "canary-of-the-mover", "canary-of-a-guesser"
    written = {"kind": "bearer", "secrets": {"token": {"value": secret}}}
    assert admin.put("/auth-profiles/mover", json=written).status_code == 200
    _put_endpoint(admin, "movable", auth="mover")
    moved = {"base_url": "https://elsewhere.example"}
    said = [
        _put_endpoint(admin, "movable", **moved, secrets=secrets)
        for secrets in ({}, {"token": wrong}, {"other": secret}, {"token": [wrong]})
    ]
    assert [(each.status_code, each.json()["code"]) for each in said] == [
        *[(409, "auth.secret_again")] * 3,
        (422, "request.invalid"),
    ]
    said.append(_put_endpoint(admin, "movable", **moved, secrets={"token": secret}))
    assert said[-1].json()["fields"] == ["base_url"], said[-1].text
    assert admin.get("/endpoints/movable").json()["base_url"] == moved["base_url"]
    said.append(admin.get("/audit"))
    assert not [each.text for each in said if "canary-of" in each.text]
    assert secret not in known_secrets.redact(f"GET /?{secret}")


def test_an_endpoint_keeps_its_name(admin: httpx.Client) -> None:
    _put_endpoint(admin, "mine")
    _put_endpoint(admin, "yours")
    before = admin.get("/endpoints/yours").json()
    assert _put_endpoint(admin, "mine", name="yours", title="gone").status_code == 422
    assert admin.get("/endpoints/yours").json() == before
    assert _put_endpoint(admin, "mine", name="mine", title="T").json()["fields"] == ["title"]


def test_lists_go_on_where_their_cursor_says(admin: httpx.Client) -> None:
    for n in range(5):
        _put_endpoint(admin, f"page-{n}")
    found: list[str] = []
    cursor = None
    while True:
        page = admin.get(
            "/endpoints",
            params={"limit": 2, "text": "page", "cursor": cursor or ""}
            if cursor
            else {"limit": 2, "text": "page"},
        ).json()
        found += [each["name"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [f"page-{n}" for n in range(5)]
    assert admin.get("/endpoints", params={"cursor": "!"}).status_code == 400


def test_tokens_are_made_masked_and_ended(served: Served, admin: httpx.Client) -> None:
    made = admin.post("/tokens", json={"name": "shop", "kind": "journeys", "expires_in_days": 1})
    assert made.status_code == 201
    token = made.json()["token"]
    listed = admin.get("/tokens")
    assert token not in listed.text
    assert {"shop", "admin"} <= {each["name"] for each in listed.json()["items"]}
    rotated = admin.post("/tokens/shop/rotate", json={"overlap_s": 60}).json()["token"]
    assert rotated != token
    assert admin.delete("/tokens/shop").status_code == 204
    assert admin.delete("/tokens/shop").status_code == 404


def test_hooks_are_kept_without_their_secret(admin: httpx.Client) -> None:
    hook = {"preset": "github", "user": "event.sender.login", "secret": SECRET}
    made = admin.put("/hooks/repo", json=hook)
    assert made.json()["created"] is True
    assert SECRET not in made.text + admin.get("/hooks").text
    assert admin.post("/hooks/repo/rotate", json={"secret": SECRET + "9"}).status_code == 204
    assert admin.put("/hooks/repo", json={"user": "event."}).status_code == 409
    assert admin.delete("/hooks/repo").status_code == 204


def test_the_rest_can_be_read(admin: httpx.Client) -> None:
    for path, status in (
        ("/users", 200),
        ("/users/nobody", 404),
        ("/events?user=ada", 200),
        ("/events/explain?user=ada&which=1", 404),
        ("/enrollments?state=waiting", 200),
        ("/enrollments/7", 404),
        ("/calls?failed=true", 200),
        ("/audit?limit=1", 200),
        ("/nowhere", 404),
    ):
        assert admin.get(path).status_code == status, path
    assert admin.post("/calls/redrive", json={}).json() == {"calls": 0, "by": [], "marked": 0}


def test_failed_calls_are_counted_and_then_marked_to_be_sent_again(
    served: Served, admin: httpx.Client
) -> None:
    place = {"bucket": bucket_of("redriven"), "enrollment": 7, "step": 0, "visit": 1, "redrive": 0}
    call = {"run_id": 0, "endpoint": "api", "journey": "redriven", "method": "POST", "target": "/"}
    sent = {
        "headers": "[]",
        "body": b"",
        "key": "k",
        "attempts": 2,
        "tries": 2,
        "failure": "call.timed_out",
    }
    with served.database.write() as connection:
        source = JOURNEY.replace("journey: greet", "journey: redriven")
        version = add_version(connection, "redriven", source)
        add_passage(connection, "redriven", "redriven", version, 7)
        insert(connection, "calls", **place, **call, **sent, finished_at=NOW)
    alike = {"journey": "redriven", "step": "greet", "endpoint": "api"}
    by = [alike | {"failure": "call.timed_out", "calls": 1}]
    wanted = {"journey": "redriven", "dry": True}
    dry = admin.post("/calls/redrive", json=wanted)
    assert dry.json() == {"calls": 1, "by": by, "marked": 0}
    done = admin.post("/calls/redrive", json=wanted | {"dry": False})
    assert done.json() == {"calls": 1, "by": by, "marked": 1}
    assert admin.post("/calls/redrive", json=wanted).json()["calls"] == 0
    (change,) = admin.get("/audit", params={"text": "redrive"}).json()["items"]
    assert (change["kind"], change["name"], change["fields"]) == ("calls", "api", "1")


def test_what_a_body_may_not_be_is_said_as_a_problem(admin: httpx.Client) -> None:
    for content, code in (
        (b"{", "request.bad_json"),
        (b'{"text": "a", "text": "b"}', "request.bad_json"),
        (b'{"text": "\\u0000"}', "request.nul"),
        (b'{"txt": "a"}', "request.invalid"),
        (b"[" * 100_000, "request.bad_json"),
    ):
        answer = admin.post(
            "/journeys", content=content, headers={"content-type": "application/json"}
        )
        assert answer.headers["content-type"] == "application/problem+json"
        assert (400 <= answer.status_code <= 422, answer.json()["code"]) == (True, code)
    for kind in ({}, {"content-type": "text/plain"}):
        answer = admin.post("/journeys", content=b'{"text": "a"}', headers=kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "request.content_type")
    assert admin.get("/users/%00").status_code == 400
    for query in ("limt=3", "limit=3&limit=4"):
        assert admin.get(f"/journeys?{query}").json()["code"] == "request.parameter"
    for path in ("/journeys", "/events"):
        answer = admin.put(path, json={})
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_of_two_tokens_in_one_request_none_counts(served: Served) -> None:
    good = f"Bearer {served.tokens['admin']}"
    for second in ("Bearer x", good):
        headers = [("authorization", good), ("authorization", second)]
        answer = httpx.get(f"{served.url}/api/v1/users", headers=headers, verify=NO_TLS)
        assert answer.status_code == 401


def test_whoever_has_no_token_is_turned_away_before_his_body_is_read(served: Served) -> None:
    with served.client() as nobody:
        for content in (b"{", b"[" * 100_000):
            answer = nobody.post("/api/v1/journeys", content=content)
            assert (answer.status_code, answer.json()["code"]) == (401, "access.token")


def test_the_document_names_every_problem(admin: httpx.Client) -> None:
    document = admin.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert json.dumps(document["components"]["schemas"]["Problem"])
    for methods in document["paths"].values():
        for operation in methods.values():
            assert "default" in operation["responses"]
            assert operation["security"]


def test_the_bound_of_bodies_holds_for_it_too(tmp_path: Path) -> None:
    with serving(tmp_path, largest_body="100") as served, served.client("admin") as client:
        answer = client.post("/api/v1/journeys", json={"text": "x" * 200})
        assert answer.status_code == 413
