"""What the management API does for users, journeys and the installation, as the commands do it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from engine.clock import wall
from engine.core.expressions.assignment import bucket_of
from engine.operations.cursors import cursor_of
from engine.operations.store import ENDED, Finding, Process, put_process
from tests.contract.people import NOW, add_passage, add_version, insert
from tests.integration.furnished import put_event, put_user
from tests.integration.managed import DATABASES, calling, managed
from tests.integration.serving import Served

JOURNEY = """\
dsl: 1
journey: greet
entry: {triggers: [{event: hello, where: event.total > 50}]}
steps:
  - {id: greet, type: call_api, endpoint: api, path: "/greet/{{ user.id }}", body: {n: 1}}
"""
PACKED = {"content-encoding": "gzip"}
APPLIED = """\
auth_profiles:
  crm: {kind: basic, username: bot, password: {env: CRM_PASSWORD}}
endpoints:
  api: {base_url: https://api.example, auth: crm}
contact_policy: {frequency_cap: [{count: 3, per: P7D, then: skip}]}
attributes: {plan: text}
"""


@pytest.fixture(scope="module", params=DATABASES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with managed(request, tmp_path_factory) as served:
        yield served


@pytest.fixture
def admin(served: Served) -> Iterator[httpx.Client]:
    with calling(served) as client:
        yield client


def _import(
    client: httpx.Client, content: bytes, kind: str = "text/csv", **headers: str
) -> httpx.Response:
    return client.post("/users/import", content=content, headers={"content-type": kind, **headers})


def test_users_are_imported_from_a_file_whole_or_not_at_all(
    served: Served, admin: httpx.Client
) -> None:
    before = len(served.inbox())
    rows = [{"id": f"i{n}", "timezone": "UTC", "attributes": {"n": n}} for n in range(3)]
    lines = b"\n".join(json.dumps(row).encode() for row in rows)
    with calling(served, "user_data") as client:
        done = [
            _import(client, b"id,plan\ni0,pro\ni1,free\n"),
            _import(client, lines, "application/x-ndjson; charset=utf-8"),
            _import(client, json.dumps(rows).encode(), "application/json"),
            _import(
                client, gzip.compress(lines), "application/jsonl", **{"content-encoding": "gzip"}
            ),
        ]
    assert [each.json()["accepted"] for each in done] == [2, 3, 3, 3]
    came = served.inbox()[before:]
    assert len(came) == 11
    assert came[2][0] == "i0"
    assert json.loads(str(came[2][5])) == {"n": 0, "timezone": "UTC"}
    bad = lines + b'\n{"id": ""}\n{"id": "i1"}\n'
    refused = _import(admin, bad, "application/x-ndjson")
    assert (refused.status_code, [p["line"] for p in refused.json()["problems"]]) == (422, [4, 5])
    skipping = admin.post(
        "/users/import?skip_bad=true", content=bad, headers={"content-type": "application/jsonl"}
    ).json()
    assert (skipping["accepted"], skipping["skipped"]) == (3, 2)
    assert [each["line"] for each in skipping["problems"]] == [4, 5]


def test_what_no_import_takes_is_said_as_a_problem(served: Served, admin: httpx.Client) -> None:
    for answer, status, code in (
        (_import(admin, b"x", "application/pdf"), 415, "request.content_type"),
        (_import(admin, b"x", **{"content-encoding": "br"}), 415, "request.encoding"),
        (_import(admin, b"x", **PACKED), 400, "request.gzip"),
        (_import(admin, gzip.compress(b"id\nu1\n")[:-3], **PACKED), 400, "request.gzip"),
        (_import(admin, b""), 422, "users.invalid"),
        (_import(admin, b"{}", "application/json"), 422, "request.invalid"),
        (_import(admin, b"[{}", "application/json"), 400, "request.bad_json"),
        (_import(admin, b"id,id\nu1,u2\n"), 422, "users.repeated_column"),
        (_import(admin, b'[{"id": "u", "event": "e"}]', "application/json"), 422, "users."),
        (_import(admin, b"[" + b" " * 1_100_000 + b"]", "application/json"), 413, "request."),
    ):
        said = answer.json()
        assert (answer.status_code, said["code"].startswith(code)) == (status, True), said
        assert answer.headers["content-type"] == "application/problem+json"


def test_two_files_are_imported_at_once_and_a_third_waits(served: Served) -> None:
    with calling(served, "user_data") as client:

        def slowly() -> Iterator[bytes]:
            yield b"id\n"
            with calling(served, "user_data") as second:

                def too() -> Iterator[bytes]:
                    yield b"id\n"
                    with calling(served, "user_data") as third:
                        busy = _import(third, b"id\nu1\n")
                    assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
                    yield b"u1\n"

                kind = {"content-type": "text/csv"}
                assert second.post("/users/import", content=too(), headers=kind).is_success
            yield b"u1\n"

        done = client.post("/users/import", content=slowly(), headers={"content-type": "text/csv"})
    assert done.json()["accepted"] == 1


def test_users_are_found_by_their_attributes(served: Served, admin: httpx.Client) -> None:
    for n in range(5):
        put_user(served, f"a{n}", {"plan": "pro" if n % 2 else "free", "n": n})
    found = admin.get("/users", params={"attribute": "plan=pro"}).json()
    assert sorted(each["id"] for each in found["items"]) == ["a1", "a3"]
    one = admin.get("/users", params={"attribute": ["plan=pro", "n=3"]}).json()
    assert [each["id"] for each in one["items"]] == ["a3"]
    first = admin.get("/users", params={"attribute": "plan=free", "limit": 2}).json()
    rest = admin.get(
        "/users", params={"attribute": "plan=free", "limit": 2, "cursor": first["next"]}
    ).json()
    assert sorted(e["id"] for e in first["items"] + rest["items"]) == ["a0", "a2", "a4"]
    assert admin.get("/users", params={"attribute": "plan"}).status_code == 422


def test_a_person_is_erased_and_only_by_an_admin(served: Served, admin: httpx.Client) -> None:
    put_user(served, "gone/for good", {"mail": "ada@example.com"})
    with calling(served, "user_data") as data:
        assert data.delete("/users/gone/for%20good").status_code == 403
    gone = admin.delete("/users/gone/for%20good")
    assert (gone.status_code, gone.json()["erased"]["users"]) == (200, 1)
    assert not served.holds("ada@example.com")
    assert admin.delete("/users/gone/for%20good").status_code == 404
    (change,) = admin.get("/audit", params={"text": "erase"}).json()["items"]
    assert change["actor"] == "token admin"
    assert "gone" not in change["name"]


def test_a_file_is_rehearsed_and_applied(served: Served, admin: httpx.Client) -> None:
    dry = admin.post("/apply", json={"text": APPLIED, "dry_run": True})
    assert [each["verb"] for each in dry.json()["changes"]] == ["created"] * 4, dry.text
    assert admin.get("/endpoints/api").status_code == 404
    assert admin.get("/contact-policy").json()["policy"] is None
    done = admin.post("/apply", json={"text": APPLIED}).json()
    assert [(each["kind"], each["verb"]) for each in done["changes"]] == [
        ("auth profile", "created"),
        ("endpoint", "created"),
        ("contact policy", "created"),
        ("attribute", "created"),
    ]
    again = admin.post("/apply", json={"text": APPLIED}).json()
    assert {each["verb"] for each in again["changes"]} == {"unchanged"}
    assert admin.get("/contact-policy").json()["policy"]["frequency_cap"][0]["count"] == 3
    assert admin.get("/catalogue").json()["attributes"] == {"plan": "text"}
    literal = "canary-in-a-file"
    wrong = admin.post("/apply", json={"text": APPLIED.replace("{env: CRM_PASSWORD}", literal)})
    assert (wrong.status_code, wrong.json()["problems"][0]["line"]) == (422, 2)
    assert literal not in wrong.text


def test_versions_differ_and_are_drawn_and_reported(served: Served, admin: httpx.Client) -> None:
    admin.put("/endpoints/api", json={"base_url": "https://api.example"})
    for text in (JOURNEY, JOURNEY.replace("n: 1", "n: 2")):
        assert admin.post("/journeys", json={"text": text}).is_success
    versions = admin.get("/journeys/greet/versions", params={"limit": 1}).json()
    assert [each["number"] for each in versions["items"]] == [2]
    older = admin.get("/journeys/greet/versions", params={"cursor": versions["next"]}).json()
    assert [(each["number"], each["triggers_on"]) for each in older["items"]] == [(1, True)]
    diff = admin.get("/journeys/greet/diff", params={"before": 1, "after": 2}).json()
    assert diff["changes"]["steps"] == [{"step": "greet", "what": "changed", "keys": ["body"]}]
    assert "+  - {id: greet" in diff["text"]
    missing = admin.get("/journeys/greet/diff", params={"before": 1, "after": 9})
    assert missing.status_code == 404
    picture = admin.get("/journeys/greet/graph", params={"counts": True})
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.startswith("<svg")
    assert "sandbox" in picture.headers["content-security-policy"]
    written = admin.get("/journeys/greet/graph?format=mermaid&version=1")
    assert "flowchart" in written.text
    said = admin.get("/openapi.json").json()["paths"]["/api/v1/journeys/{journey}/graph"]
    kinds = {each.headers["content-type"].partition(";")[0] for each in (picture, written)}
    assert kinds == said["get"]["responses"]["200"]["content"].keys()
    report = admin.get("/journeys/greet/report", params={"since": "7d", "by": "arm"}).json()
    assert (report["entered"], report["by_arm"]) == (0, [])
    assert report["since"]
    assert admin.get("/journeys/greet/report?run=7").status_code == 404
    assert admin.get("/journeys/greet/report?run=7&since=7d").status_code == 422
    assert admin.get("/journeys/greet/report?since=never").status_code == 422


def test_a_text_is_checked_against_what_is_here(admin: httpx.Client) -> None:
    right = admin.post("/checks", json={"text": JOURNEY}).json()
    assert right["journey"] == "greet"
    wrong = admin.post("/checks", json={"text": JOURNEY.replace("call_api", "cal_api")}).json()
    assert wrong["journey"] is None
    assert [(p["line"], p["severity"]) for p in wrong["problems"]] == [(5, "error")]


def test_an_event_is_explained_by_its_name_too(served: Served, admin: httpx.Client) -> None:
    admin.put("/endpoints/api", json={"base_url": "https://api.example"})
    admin.post("/journeys", json={"text": JOURNEY})
    put_event(served, "eve", "hello", {"total": 7}, NOW)
    for which in ({}, {"which": "hello"}, {"which": str(NOW)}):
        told = admin.get("/events/explain", params={"user": "eve", **which}).json()
        assert told["fact"]["event"] == "hello"
        (verdict,) = [each for each in told["journeys"] if each["journey"] == "greet"]
        assert verdict["entered"] is False
    assert admin.get("/events/explain", params={"user": "eve", "which": "bye"}).status_code == 404


def test_lists_of_calls_go_on_behind_the_last_one(served: Served, admin: httpx.Client) -> None:
    call = {"run_id": 0, "endpoint": "api", "journey": "paged", "method": "POST", "target": "/"}
    sent = {"headers": "[]", "body": b"", "key": "k", "attempts": 2, "tries": 2}
    with served.database.write() as connection:
        source = JOURNEY.replace("journey: greet", "journey: paged")
        version = add_version(connection, "paged", source)
        for n in range(5):
            user = f"p{n}"
            add_passage(connection, user, "paged", version, 100 + n)
            failed = {"failure": "call.timed_out", "finished_at": NOW + n // 2} if n < 4 else {}
            place = {"bucket": bucket_of(user), "enrollment": 100 + n, "step": 0}
            turn = {"visit": 1, "redrive": 0, "next_try_at": None if n < 4 else NOW}
            insert(connection, "calls", **place, **turn, **call, **sent, **failed)
    for only, count in (("true", 4), ("false", 5)):
        found: list[int] = []
        after: dict[str, str] = {}
        while True:
            page = admin.get(
                "/calls", params={"journey": "paged", "failed": only, "limit": 2, **after}
            ).json()
            found += [each["enrollment"] for each in page["items"]]
            if page["next"] is None:
                break
            after = {"cursor": page["next"]}
        assert sorted(found) == [100 + n for n in range(count)]
    for forged in ([NOW, 1, 2, 0, 1, 0], [0, NOW, "api\udc80", "paged", 1, 2, 0, 1, 0]):
        other = admin.get("/calls", params={"cursor": cursor_of(forged)})
        assert (other.status_code, other.json()["code"]) == (400, "request.cursor")


@pytest.mark.parametrize(
    ("path", "first", "second"),
    [
        ("/endpoints/tagged", {"base_url": "https://a.example"}, {"title": "B"}),
        (
            "/auth-profiles/tagged",
            {"kind": "basic", "fields": {"username": "a"}, "secrets": {"password": {"value": "p"}}},
            {"title": "B"},
        ),
        (
            "/hooks/tagged",
            {"preset": "github", "user": "event.a", "secret": "a secret of the sender"},
            {"when": "event.b"},
        ),
    ],
)
def test_a_change_is_made_for_what_was_seen_or_not_at_all(
    admin: httpx.Client, path: str, first: dict[str, object], second: dict[str, object]
) -> None:
    nothing_there = admin.put(path, json=first, headers={"if-match": "*"})
    assert (nothing_there.status_code, nothing_there.json()["code"]) == (412, "operator.changed")
    made = admin.put(path, json=first)
    assert made.status_code == 200, made.text
    tag = admin.get(path).headers["etag"]
    assert tag == made.headers["etag"]
    changed = admin.put(path, json=second, headers={"if-match": f'"other", {tag}'})
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] == admin.get(path).headers["etag"] != tag
    for late in (tag, f"W/{tag}", '"x"'):
        refused = admin.put(path, json=second, headers={"if-match": late})
        assert refused.status_code == 412, late
    assert admin.put(path, json=second, headers={"if-match": "*"}).status_code == 200
    assert admin.delete(path).is_success
    admin.put(path, json=first)
    assert admin.get(path).headers["etag"] != tag


def test_events_go_on_before_the_last_one_that_was_shown(
    served: Served, admin: httpx.Client
) -> None:
    place = {"bucket": bucket_of("paged"), "user_id": "paged", "kind": 0, "data": "{}"}
    with served.database.write() as connection:
        for number in range(4):  # two and two at the same moment
            insert(
                connection,
                "facts",
                **place,
                seq=number,
                name=f"f{number}",
                depth=0,
                at=NOW + number // 2,
            )
        for number in range(3):
            insert(connection, "inbox", **place, id=number, name=f"i{number}", at=NOW + 1)
    found: list[str] = []
    asked: dict[str, str | int] = {"user": "paged", "limit": 2}
    for _ in range(4):
        page = admin.get("/events", params=asked).json()
        found += [one["event"] for one in page["items"]]
        asked["cursor"] = page["next"]
    assert found == ["i2", "i1", "i0", "f3", "f2", "f1", "f0"]
    assert page["next"] is None


def test_an_anonymous_user_is_shown_as_the_one_he_turned_out_to_be(
    served: Served, admin: httpx.Client
) -> None:
    put_user(served, "linked", {"plan": "pro"})
    with served.database.write() as connection:
        for one in ("anon:1", "anon:2"):
            link = {"bucket": bucket_of(one), "id": one, "user_id": "linked", "at": NOW}
            insert(connection, "links", **link)
    shown = admin.get("/users/anon:2").json()
    assert (shown["id"], shown["attributes"]) == ("linked", {"plan": "pro"})
    assert shown["anonymous"] == ["anon:1", "anon:2"]
    assert shown == admin.get("/users/linked").json()


def test_changes_are_read_from_either_end_in_pages(admin: httpx.Client) -> None:
    for n in range(4):
        admin.put(f"/endpoints/audited-{n}", json={"base_url": "https://api.example"})
    for order, wanted in (("oldest", [0, 1, 2, 3]), ("newest", [3, 2, 1, 0])):
        names: list[str] = []
        query: dict[str, str | int] = {"text": "audited-", "order": order, "limit": 3}
        while True:
            page = admin.get("/audit", params=query).json()
            names += [each["name"] for each in page["items"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert names == [f"audited-{n}" for n in wanted]
    assert admin.get("/audit", params={"actor": "nobody"}).json()["items"] == []


def test_operators_are_added_changed_and_let_in_no_more(admin: httpx.Client) -> None:
    made = admin.post("/operators", json={"name": "Ada", "role": "admin"})
    assert (made.status_code, made.json()["path"].startswith("/login/")) == (201, True)
    admin.post("/operators", json={"name": "ben", "role": "viewer"})
    link = admin.post("/operators/ben/login-link", json={"link_life_s": 60}).json()
    assert link["path"] not in admin.get("/operators").text + admin.get("/audit").text
    assert admin.put("/operators/ben/role", json={"role": "builder"}).status_code == 204
    found = admin.get("/operators").json()["items"]
    assert [(each["name"], each["role"]) for each in found] == [
        ("ada", "admin"),
        ("ben", "builder"),
    ]
    assert found[0]["password"] is False
    assert admin.post("/operators/ben/logout").json() == {"sessions": 0}
    assert admin.delete("/operators/ben").status_code == 204
    last = admin.delete("/operators/ada")
    assert (last.status_code, last.json()["code"]) == (409, "operators.last_admin")
    assert admin.delete("/operators/nobody").status_code == 404


def test_keys_are_rotated_and_retired_and_secrets_still_open(admin: httpx.Client) -> None:
    secret = {"kind": "bearer", "secrets": {"token": {"value": "canary-of-the-keys"}}}
    assert admin.put("/auth-profiles/sealed", json=secret).is_success
    (before,) = admin.get("/keys").json()["keys"]
    rotated = admin.post("/keys/rotate").json()
    assert rotated["key"] != before["id"]
    assert rotated["values"] >= 1
    assert rotated["unreadable"] == []
    needed = admin.post("/keys/retire", json={"key": rotated["key"]})
    assert needed.status_code == 409
    assert admin.post("/keys/retire").json() == {"keys": [before["id"]]}
    assert admin.post("/auth-profiles/sealed/test").json()["ok"]


def test_an_auth_profile_is_scheduled_settled_renamed_and_tried(admin: httpx.Client) -> None:
    token = {"kind": "bearer", "secrets": {"token": {"value": "first-of-two"}}}
    assert admin.put("/auth-profiles/old-name", json=token).is_success
    coming = {"secret": "second-of-two", "at": "2999-01-01"}
    far = admin.post("/auth-profiles/old-name/rotate", json=coming)
    assert (far.status_code, far.json()["code"]) == (409, "auth.begins")
    for slip in (
        {"at": "soon"},
        {"expires": "soon"},
        {"at": "2999-01-01", "expires": "2999-01-02"},
    ):
        body = {"secret": "x", **slip}
        assert admin.post("/auth-profiles/old-name/rotate", json=body).status_code == 422
    over = {"secret": "second-of-two", "overlap_s": 3_600}
    assert admin.post("/auth-profiles/old-name/rotate", json=over).json()["fields"] == ["token"]
    assert admin.post("/auth-profiles/old-name/settle").json()["fields"] == ["token"]
    assert admin.post("/auth-profiles/old-name/rename", json={"name": "new-name"}).is_success
    assert admin.get("/auth-profiles/old-name").status_code == 404
    assert admin.get("/auth-profiles/new-name/usage").json() == []
    admin.put("/endpoints/unreachable", json={"base_url": "http://127.0.0.1:9"})
    trial = {"endpoint": "unreachable"}
    tried = admin.post("/auth-profiles/new-name/test", json=trial).json()
    assert tried["ok"] is False
    assert "of-two" not in json.dumps(tried)
    assert admin.post("/endpoints/unreachable/test", json={"user": "nobody"}).status_code == 404


def test_health_says_what_runs_and_what_ended_and_which_duties_there_are(
    served: Served, admin: httpx.Client
) -> None:
    found = admin.get("/health").json()
    assert found["checks"][0]["state"] == "ok"
    assert (found["processes"], found["ended"]) == ([], [])
    lives = Process("lives", "api", "elsewhere", 1, wall(), wall())
    bug = (Finding(ENDED, "wrong", "ValueError"),)
    with served.database.write() as connection:
        put_process(connection, lives)
        put_process(connection, replace(lives, id="ended", kind="worker", health=bug))
    found = admin.get("/health").json()
    assert [each["id"] for each in found["processes"]] == ["lives"]
    assert [(each["id"], each["ended"]) for each in found["ended"]] == [
        ("ended", "for a bug: ValueError")
    ]
