from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import pytest

from tests.partners import (
    CRM,
    Answers,
    AuthorizationServer,
    Desk,
    Echo,
    Faulty,
    Loyalty,
    Messenger,
    Partner,
    Remote,
    TokenBook,
    bodies_by_key,
    running,
    spawned,
)

FORM = "application/x-www-form-urlencoded"


def ask(
    partner: Partner | Remote,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    timeout: float = 5,
) -> tuple[int, Any, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(urlsplit(partner.url).netloc, timeout=timeout)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(content), answer.headers
    except ValueError:
        return answer.status, content, answer.headers


def basic(user: str, password: str) -> dict[str, str]:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {encoded}"}


def token(
    server: AuthorizationServer | Remote, headers: Mapping[str, str] | None = None, **form: str
) -> tuple[int, Any]:
    body = urlencode({"grant_type": "client_credentials"} | form).encode()
    status, said, _ = ask(
        server, "POST", "/oauth/token", body=body, headers={"content-type": FORM, **(headers or {})}
    )
    return status, said


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def test_a_client_authenticates_by_form_encoded_basic_or_in_the_body_but_not_both() -> None:
    secret = "s:%3A+ş"
    encoded = basic(quote_plus("crm-client"), quote_plus(secret))
    with running(AuthorizationServer(secrets=[secret])) as oauth:
        assert token(oauth, encoded)[0] == 200
        assert token(oauth, basic("crm-client", secret)) == (401, {"error": "invalid_client"})
        assert token(oauth, client_id="crm-client", client_secret=secret)[0] == 200
        assert token(oauth, encoded, client_id="crm-client", client_secret=secret)[0] == 400
        assert token(oauth)[1] == {"error": "invalid_client"}
        oauth.client_auth = {"raw_basic"}
        assert token(oauth, basic("crm-client", secret))[0] == 200
        assert oauth.counts["token.requests"] == 6
        assert oauth.counts["token.issued"] == 3
        assert oauth.counts["token.refused.invalid_client"] == 2


def test_a_token_opens_the_crm_until_it_ends_or_is_revoked() -> None:
    now = [0.0]
    oauth = AuthorizationServer(life=8, book=TokenBook(lambda: now[0]))
    with running(oauth), running(CRM(oauth.book)) as crm:
        said = token(oauth, basic("crm-client", "s3cret"))[1]
        assert said["expires_in"] == 8
        good = bearer(said["access_token"])
        assert ask(crm, "POST", "/v2/users/u%2F1/score", headers=good)[1]["user"] == "u%2F1"
        assert ask(crm, "POST", "/v2/tasks", headers=good)[0] == 201
        assert crm.log[0].credential == "s3cret"
        now[0] = 8.0
        status, _, headers = ask(crm, "GET", "/users/u1/score", headers=good)
        assert status == 401
        assert 'error="invalid_token"' in headers["www-authenticate"]
        ask(crm, "GET", "/users/u1/score")
        ask(crm, "GET", "/users/u1/score", headers=bearer("x"))
        causes = {name: n for name, n in crm.counts.items() if name.startswith("401.")}
        assert causes == {"401.expired": 1, "401.missing": 1, "401.unknown": 1}


def test_a_rotation_refuses_the_old_secret_and_its_tokens_unless_they_overlap() -> None:
    with running(AuthorizationServer()) as oauth, running(CRM(oauth.book)) as crm:
        old = token(oauth, basic("crm-client", "s3cret"))[1]["access_token"]
        oauth.rotate("second", overlap=True)
        assert token(oauth, basic("crm-client", "s3cret"))[0] == 200
        assert ask(crm, "GET", "/users/u1/score", headers=bearer(old))[0] == 200
        oauth.rotate("third")
        assert token(oauth, basic("crm-client", "second"))[0] == 401
        assert ask(crm, "GET", "/users/u1/score", headers=bearer(old))[0] == 401
        assert crm.counts["401.revoked"] == 1
        assert token(oauth, basic("crm-client", "third"))[0] == 200


def test_the_password_grant_gives_a_refresh_token_that_is_spent_once() -> None:
    with running(AuthorizationServer(users={"ada": "pw"})) as oauth:
        client = basic("crm-client", "s3cret")
        form = {"grant_type": "password", "username": "ada"}
        assert token(oauth, client, **form, password="no")[1] == {"error": "invalid_grant"}
        first = token(oauth, client, **form, password="pw")[1]["refresh_token"]
        again = {"grant_type": "refresh_token", "refresh_token": first}
        assert token(oauth, client, **again)[0] == 200
        assert token(oauth, client, **again)[1] == {"error": "invalid_grant"}
        assert token(oauth, client, grant_type="magic")[1] == {"error": "unsupported_grant_type"}


def test_token_answers_can_be_odd_or_malformed() -> None:
    client = basic("crm-client", "s3cret")
    with running(AuthorizationServer()) as oauth:
        oauth.answer_with = {"expires_in": "3600", "token_type": "bearer"}
        assert token(oauth, client)[1]["expires_in"] == "3600"
        oauth.answer_without = ["expires_in"]
        assert "expires_in" not in token(oauth, client)[1]
        for malformed in ("html", "empty", "truncated"):
            oauth.malformed = malformed
            assert isinstance(token(oauth, client)[1], bytes)
        oauth.malformed = "form"
        assert token(oauth, client)[1].startswith(b"access_token=at_")
        oauth.malformed = "huge"
        assert len(token(oauth, client)[1]["padding"]) == 1 << 20


def test_a_token_server_that_refuses_everybody_counts_each_request() -> None:
    with running(AuthorizationServer()) as oauth:
        oauth.behaviour.reject = True
        assert token(oauth, basic("crm-client", "s3cret")) == (401, {"error": "invalid_client"})
        oauth.behaviour.reject = False
        oauth.behaviour.statuses = [503, 500]
        assert [token(oauth, basic("crm-client", "s3cret"))[0] for _ in range(3)] == [503, 500, 200]
        assert oauth.counts["token.requests"] == 4


def test_the_loyalty_api_wants_the_present_password() -> None:
    with running(Loyalty({"bot": "pässword"})) as loyalty:
        good = basic("bot", "pässword")
        assert ask(loyalty, "POST", "/coupons", headers=good)[1] == {"code": "C-000001"}
        assert ask(loyalty, "GET", "/members/u1", headers=good)[0] == 200
        assert ask(loyalty, "POST", "/coupons")[0] == 401
        loyalty.change(passwords={"bot": ["new", "newer"]})
        assert ask(loyalty, "POST", "/coupons", headers=good)[0] == 401
        assert ask(loyalty, "POST", "/coupons", headers=basic("bot", "newer"))[0] == 201
        assert loyalty.counts["401.wrong_password"] == 1
        assert loyalty.counts["401.missing"] == 1
        assert [seen.credential for seen in loyalty.log] == ["pässword"] * 2 + ["", "", "newer"]


@pytest.mark.parametrize("place", ["header", "query", "body", "form"])
def test_the_messenger_wants_every_key_in_its_place(place: str) -> None:
    keys = {"X-Api-Key": "k1", "app": "k2"}
    body = urlencode(keys) if place == "form" else json.dumps(keys) if place == "body" else "{}"
    path = "/messages" + (f"?{urlencode(keys)}" if place == "query" else "")
    headers = keys if place == "header" else {}
    with running(Messenger(keys, place="body" if place == "form" else place)) as messenger:
        assert ask(messenger, "POST", path, body=body.encode(), headers=headers)[0] == 202
        assert ask(messenger, "POST", "/messages", body=b"{}")[0] == 401
        messenger.change(keys={"X-Api-Key": "other"})
        assert ask(messenger, "POST", path, body=body.encode(), headers=headers)[0] == 401
        assert messenger.counts["401.missing"] == messenger.counts["401.wrong_key"] == 1


@pytest.mark.parametrize(("prefix", "header"), [("Bearer", "Bearer t1"), ("", "t1")])
def test_the_desk_wants_a_fixed_token_behind_its_prefix(prefix: str, header: str) -> None:
    with running(Desk({"t1"}, prefix=prefix)) as desk:
        assert ask(desk, "POST", "/tickets", headers={"authorization": header})[0] == 201
        assert desk.log[-1].credential == "t1"
        assert ask(desk, "POST", "/tickets", headers={"authorization": header + "x"})[0] == 401
        assert ask(desk, "POST", "/tickets")[0] == 401
        assert (desk.counts["401.unknown"], desk.counts["401.missing"]) == (1, 1)


def test_a_partner_records_what_it_got_and_groups_bodies_by_key() -> None:
    with running(Echo()) as echo:
        for body in (b"one", b"one"):
            headers = {"Idempotency-Key": "k1", "X-A": "b"}
            said = ask(echo, "POST", "/a%20b?c=d", body=body, headers=headers)[1]
        seen = echo.log[0]
        assert (seen.method, seen.path, seen.raw_path) == ("POST", "/a b", "/a%20b")
        assert seen.query == {"c": "d"}
        assert seen.headers["x-a"] == "b"
        assert said["body"] == "one"
        assert bodies_by_key(echo.log) == {"k1": [b"one", b"one"]}
        assert echo.counts["requests"] == echo.counts["status.200"] == 2


def test_a_partner_misbehaves_on_demand() -> None:
    with running(Answers()) as server:
        server.behaviour.fail_first = 1
        server.behaviour.retry_after = "7"
        for key, expected in (("a", 503), ("b", 503), ("a", 200), ("b", 200)):
            status, _, headers = ask(server, "POST", "/", headers={"idempotency-key": key})
            assert status == expected
            assert headers["retry-after"] == ("7" if expected == 503 else None)
        server.change(fail_first=0, status=429)
        assert ask(server, "GET", "/")[0] == 429
        server.change(down=True)
        with pytest.raises(OSError):
            ask(server, "GET", "/")
        assert server.counts["status.0"] == 1
        with pytest.raises(ValueError, match="no setting 'colour'"):
            server.change(colour="red")


def test_requests_on_one_connection_are_answered_in_order() -> None:
    with running(Faulty()) as server:
        where = urlsplit(server.url)
        with socket.create_connection((where.hostname or "", where.port or 0), 5) as connection:
            connection.sendall(
                b"GET /slow/0.05 HTTP/1.1\r\n\r\n"
                b"GET /status/418 HTTP/1.1\r\nConnection: close\r\n\r\n"
            )
            got = b"".join(iter(lambda: connection.recv(4096), b""))
    assert got.index(b"HTTP/1.1 200") < got.index(b"HTTP/1.1 418")


def test_a_stopped_partner_comes_back_at_its_port() -> None:
    with running(Answers()) as server:
        port = urlsplit(server.url).port or 0
    with pytest.raises(ConnectionRefusedError):
        ask(server, "GET", "/")
    with running(server, port=port):
        assert ask(server, "GET", "/")[0] == 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/status/503", 503),
        ("/redirect/307", 307),
        ("/huge/5000000", 200),
        ("/badjson/0", 200),
        ("/deep/100", 200),
        ("/header/5000", 200),
        ("/informational/2", 103),  # http.client takes any but 100 for final
        ("/drip/0.2", 200),
        ("/anything", 200),
        ("/garbage/0", http.client.BadStatusLine),
        ("/close/0", http.client.RemoteDisconnected),
        ("/reset/0", ConnectionError),
        ("/half/0", http.client.IncompleteRead),
        ("/stall/10", TimeoutError),
        ("/header/100000", http.client.LineTooLong),
    ],
)
def test_the_faulty_server_does_what_the_path_says(
    path: str, expected: int | type[Exception]
) -> None:
    with running(Faulty()) as server:
        if isinstance(expected, int):
            assert ask(server, "GET", path)[0] == expected
        else:
            with pytest.raises(expected):
                ask(server, "GET", path, timeout=0.3)


def test_partners_run_as_a_process_and_are_changed_from_outside() -> None:
    with spawned("oauth", "crm", "load", oauth={"life": 8}) as remote:
        oauth, crm, load = remote["oauth"], remote["crm"], remote["load"]
        said = token(oauth, basic("crm-client", "s3cret"))[1]
        assert said["expires_in"] == 8
        assert ask(crm, "POST", "/tasks", headers=bearer(said["access_token"]))[0] == 201
        oauth.change(rotate={"secret": "new", "overlap": False}, delay=0.001)
        assert ask(crm, "POST", "/tasks", headers=bearer(said["access_token"]))[0] == 401
        assert oauth.counts["token.issued"] == 1
        assert [seen["status"] for seen in crm.log] == [201, 401]
        ask(load, "POST", "/x", body=b"{}")
        assert load.counts["requests"] == 1
        with pytest.raises(ValueError, match="no setting"):
            crm.change(colour="red")
