"""Events come in over HTTP: Segment's routes, the plain one, and what is refused."""

from __future__ import annotations

import gzip
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.access import issuing
from engine.clock import wall
from tests.integration.serving import Served, serving

EVENT, CHANGE, LINK = 0, 1, 4
SECOND = 1_000_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with served.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM inbox")
    with served.client("user_data") as client:
        yield client


def _track(**more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "ada", "event": "bought", "messageId": "m1", **more}


def test_a_tracked_event_is_in_the_inbox_when_it_is_answered(
    served: Served, client: httpx.Client
) -> None:
    answer = client.post("/v1/track", json=_track(properties={"total": 12.5}))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"success": True}
    ((user, kind, name, at, message, data),) = served.inbox()
    assert (user, kind, name, message) == ("ada", EVENT, "bought", "m1")
    assert json.loads(str(data)) == {"total": 12.5}
    assert abs(int(str(at)) - wall()) < 60 * SECOND


def test_each_call_means_what_the_page_says(served: Served, client: httpx.Client) -> None:
    batch = [
        {"type": "identify", "userId": "ada", "traits": {"id": "ada", "plan": "pro"}},
        {"type": "identify", "anonymousId": "a1", "context": {"traits": {"plan": "free"}}},
        {"type": "page", "userId": 7, "name": "Home", "properties": {"url": "/"}},
        {"type": "screen", "userId": "ada", "name": "Cart", "category": "shop"},
        {"type": "group", "userId": "ada", "groupId": "g1", "traits": {"size": 3}},
        {"type": "alias", "userId": "ada", "previousId": "old"},
        _track(context={"library": {"name": "x"}, "page": {"path": "/"}}),
    ]
    assert client.post("/v1/batch", json={"batch": batch}).json() == {"success": True}
    found = [
        (user, kind, name, json.loads(str(data))) for user, kind, name, _, _, data in served.inbox()
    ]
    assert found == [
        ("ada", CHANGE, "", {"plan": "pro"}),
        ("anon:a1", CHANGE, "", {"plan": "free"}),
        ("7", EVENT, "page", {"name": "Home", "url": "/"}),
        ("ada", EVENT, "screen", {"name": "Cart", "category": "shop"}),
        ("ada", EVENT, "group", {"group_id": "g1", "traits": {"size": 3}}),
        ("ada", EVENT, "alias", {"previous_id": "old"}),
        ("anon:old", LINK, "ada", {}),
        ("ada", EVENT, "bought", {"context": {"page": {"path": "/"}}}),
    ]


def test_a_clock_that_is_wrong_is_corrected_by_when_the_batch_was_sent(
    served: Served, client: httpx.Client
) -> None:
    hour_slow = {"sentAt": "2020-01-01T10:00:00Z"}
    message = _track(timestamp="2020-01-01T09:59:50Z")
    assert client.post("/v1/batch", json={"batch": [message], **hour_slow}).is_success
    told = _track(timestamp="2020-01-01T09:00:00Z", originalTimestamp="2020-01-01T09:59:50Z")
    assert client.post("/v1/batch", json={"batch": [told], **hour_slow}).is_success
    corrected, as_told = (int(str(row[3])) for row in served.inbox())
    assert abs(wall() - corrected - 10 * SECOND) < 60 * SECOND
    assert as_told == 1_577_869_200 * SECOND


def test_gzip_and_a_write_key_as_user_name_are_taken(served: Served, client: httpx.Client) -> None:
    token = client.headers.pop("authorization").removeprefix("Bearer ")
    answer = client.post(
        "/v1/batch",
        content=gzip.compress(json.dumps({"batch": [_track()]}).encode()),
        headers={
            "content-encoding": "gzip",
            "authorization": "Basic " + b64encode(f"{token}:".encode()).decode(),
        },
    )
    assert answer.status_code == 200, answer.text
    assert len(served.inbox()) == 1


def test_good_messages_of_a_batch_are_taken_and_the_bad_ones_told(
    served: Served, client: httpx.Client
) -> None:
    batch = [_track(), {"type": "track", "event": "x"}, 7, _track(userId="", anonymousId="")]
    answer = client.post("/v1/batch", json={"batch": batch})
    assert answer.status_code == 200
    said = answer.json()
    assert said["accepted"] == 1 == len(served.inbox())
    assert [(each["index"], each["code"]) for each in said["refused"]] == [
        (1, "events.no_user"),
        (2, "events.bad_json"),
        (3, "events.no_user"),
    ]


def test_a_batch_without_one_good_message_is_answered_400_and_is_not_sent_again(
    client: httpx.Client,
) -> None:
    answer = client.post("/v1/batch", json={"batch": [{"type": "dance", "userId": "ada"}]})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["code"] == "events.bad_type"
    assert said["message"] == said["detail"]  # as SDKs read it


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "not JSON"),
        (b'{"batch": [], "batch": []}', "a key stands twice"),
        (b'{"batch": [NaN]}', "no JSON number"),
        (b'{"batch": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nested deeper"),
        (b'{"batch": [1e999]}', "too large"),
        (b"[]", "no object"),
        (b'{"batch": 3}', "no 'batch'"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_json_with_a_trap_is_refused(client: httpx.Client, body: bytes, why: str) -> None:
    answer = client.post("/v1/batch", content=body)
    assert answer.status_code == 400
    assert why in answer.json()["detail"]


@pytest.mark.parametrize(
    ("trap", "why"),
    [
        (b'"\\ud83d"', "a lone surrogate"),
        (b"NaN", "NaN is no JSON number"),
        (b"1e999", "a number is too large"),
        (b"9" * 5_000, "a number is too long"),
        (b'{"a": 1, "a": 2}', "a key stands twice"),
        (b"[" * 70 + b"]" * 70, "nested deeper than 64"),
    ],
)
def test_a_message_with_a_trap_in_its_json_keeps_none_of_its_batch(
    served: Served, client: httpx.Client, trap: bytes, why: str
) -> None:
    good = json.dumps(_track()).encode()
    bad = b'{"type": "track", "userId": "eve", "event": "x", "properties": {"n": ' + trap + b"}}"
    body = b'{"batch": [%b, %b], "sentAt": NaN}' % (bad, good)
    answer = client.post("/v1/batch", content=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 1
    ((index, said),) = [(each["index"], each["message"]) for each in answer.json()["refused"]]
    assert index == 0
    assert why in said
    assert [row[0] for row in served.inbox()] == ["ada"]


def test_gzip_of_many_empty_members_costs_nobody_his_turn(client: httpx.Client) -> None:
    packed = gzip.compress(b"") * 25_000
    headers = {"content-encoding": "GZIP"}
    answer = client.post("/api/v1/events", content=packed, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "request.gzip")
    text = json.dumps({"user": "ada", "event": "x", "properties": {"x": "y" * 30_000}}).encode()
    pieces = b"".join(gzip.compress(text[at : at + 500], 0) for at in range(0, len(text), 500))
    assert len(pieces) > 3 * 10_000
    answer = client.post("/api/v1/events", content=pieces, headers=headers)
    assert answer.json() == {"accepted": 1}


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_body_that_says_it_is_not_packed_is_read_as_it_is(
    client: httpx.Client, encoding: str
) -> None:
    answer = client.post("/v1/track", json=_track(), headers={"content-encoding": encoding})
    assert answer.status_code == 200, answer.text


def test_what_is_too_large_is_refused_packed_or_not(client: httpx.Client) -> None:
    large = json.dumps({"batch": [_track(properties={"x": "y" * 600_000})]}).encode()
    assert client.post("/v1/batch", content=large).status_code == 413
    bomb = gzip.compress(gzip.compress(b"0" * 50_000_000))
    headers = {"content-encoding": "gzip"}
    assert (
        client.post("/v1/batch", content=gzip.decompress(bomb), headers=headers).status_code == 413
    )
    chunks = (b"x" * 100_000 for _ in range(10))
    assert client.post("/v1/batch", content=chunks).status_code == 413
    # A message of more than 32 KB is refused alone.
    batch = {"batch": [_track(), _track(properties={"x": "y" * 40_000})]}
    assert client.post("/v1/batch", json=batch).json()["accepted"] == 1


def test_encodings_that_are_none_are_refused(client: httpx.Client) -> None:
    for name, body, status in (("br", b"x", 415), ("gzip", b"x", 400), ("gzip", b"\x1f\x8b", 400)):
        headers = {"content-encoding": name}
        assert client.post("/v1/batch", content=body, headers=headers).status_code == status


def test_nobody_comes_in_without_a_token_that_is_good(served: Served, client: httpx.Client) -> None:
    good = client.headers.pop("authorization").removeprefix("Bearer ")
    typo = good[:-1] + ("0" if good[-1] != "0" else "1")
    for given in ("", "Bearer", f"Bearer {typo}", f"bearer{good}", "Basic !!!", f"Token {good}"):
        answer = client.post("/v1/track", json=_track(), headers={"authorization": given})
        assert answer.status_code == 401, given
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert good[20:] not in answer.text
    with served.client("journeys") as other:
        assert other.post("/v1/track", json=_track()).status_code == 403
    assert served.inbox() == []


def test_events_of_the_plain_route_are_taken_all_or_none(
    served: Served, client: httpx.Client
) -> None:
    event = {"user": "ada", "event": "bought", "properties": {"n": 1}, "id": "e1"}
    change = {"user": "ada", "attributes": {"plan": "pro"}, "at": "2026-01-01T00:00:00Z"}
    assert client.post("/api/v1/events", json=event).json() == {"accepted": 1}
    assert client.post("/api/v1/events", json=[event, change]).json() == {"accepted": 2}
    lines = "\n".join(json.dumps(each) for each in (event, change, event)) + "\n\n"
    headers = {"content-type": "application/x-ndjson"}
    answer = client.post("/api/v1/events", content=lines, headers=headers)
    assert answer.json() == {"accepted": 3}
    answer = client.post("/api/v1/events", json=[event, {"event": "x"}])
    assert answer.status_code == 400
    assert "event 1" in answer.json()["detail"]
    assert len(served.inbox()) == 6


def test_another_method_or_path_is_refused_as_a_problem(client: httpx.Client) -> None:
    answer = client.get("/v1/track")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = client.get("/nowhere?secret=1")
    assert answer.status_code == 404
    assert answer.json()["code"] == "request.not_found"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_events_come_in_on_either_database(tmp_path: Path, either_database: str) -> None:
    with serving(tmp_path) as served, served.client("user_data") as client:
        for n in range(20):
            answer = client.post("/v1/track", json=_track(messageId=str(n), userId=f"u{n}"))
            assert answer.status_code == 200, answer.text
        assert len(served.inbox()) == 20


def test_a_revoked_token_lets_nobody_in_within_a_second(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.client("user_data") as client:
        assert client.post("/v1/track", json=_track()).is_success
        with served.database.write() as connection:
            issuing.revoke(connection, "user_data", actor="ada", now=wall())
        began = time.monotonic()
        while client.post("/v1/track", json=_track()).status_code == 200:
            assert time.monotonic() - began < 1
            time.sleep(0.02)
        assert client.post("/v1/track", json=_track()).status_code == 401


def test_a_token_ends_at_the_moment_it_is_said_to(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.client() as client:
        with served.database.write() as connection:
            ends = wall() + SECOND
            issued = issuing.create(
                connection, "short", "user_data", actor="ada", now=wall(), expires_at=ends
            )
        client.headers["authorization"] = f"Bearer {issued.text}"
        status = 200
        while status == 200:
            asked = wall()
            status = client.post("/v1/track", json=_track()).status_code
            assert status == 401 or asked < ends
        assert (status, wall() >= ends) == (401, True)


def test_whoever_tries_many_tokens_is_told_to_wait_and_a_good_one_is_not(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.client("user_data") as client:
        bad = {"authorization": "Bearer jrn_user_data_guess"}
        statuses = {client.post("/v1/track", headers=bad).status_code for _ in range(150)}
        assert statuses == {401, 429}
        assert int(client.post("/v1/track", headers=bad).headers["retry-after"]) >= 1
        assert client.post("/v1/track", json=_track()).status_code == 200
