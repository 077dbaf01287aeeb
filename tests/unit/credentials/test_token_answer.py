from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.expressions.durations import SECOND
from engine.core.message import Answer
from engine.credentials.access_tokens.answer import Grant, Refused, read_answer
from engine.credentials.kinds.oauth2 import OAuth2
from tests.unit.credentials.installation import profile

TTL = 300 * SECOND
NOW = 1_445_412_480 * SECOND
"""Wed, 21 Oct 2015 07:28:00 GMT."""
ODD_LIVES: list[object] = [
    *(None, 0, -1, True, [], {}, 10**12, 10**400),
    *("", "soon", "1e999", "nan", "inf", "-5"),
]


def client(**written: Any) -> OAuth2:
    model = profile(
        kind="oauth2",
        token_url="https://id.example.com/t",
        client_id="crm",
        client_secret={"env": "S"},
        **written,
    )
    assert isinstance(model, OAuth2)
    return model


CLIENT = client()


def read(body: object, status: int = 200, **headers: str) -> Grant | Refused:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(Answer(status, named, raw), CLIENT, NOW)


def test_a_token_is_read_as_json_whatever_the_content_type_says() -> None:
    for kind in ("application/json", "text/html", "", "application/octet-stream"):
        found = read({"access_token": "at", "expires_in": 60}, content_type=kind)
        assert found == Grant("at", 60 * SECOND)


def test_a_token_may_come_as_a_form() -> None:
    found = read(b"access_token=at%2B1&expires_in=60&refresh_token=rt&token_type=bearer")
    assert found == Grant("at+1", 60 * SECOND, "rt")


@pytest.mark.parametrize(
    ("written", "life"),
    [
        (3600, 3600 * SECOND),
        ("3600", 3600 * SECOND),
        (3599.5, 3599_500_000),
        ("3599.5", 3599_500_000),
        (1, SECOND),
        *((odd, TTL) for odd in ODD_LIVES),
    ],
)
def test_the_life_is_read_in_every_form_and_guessed_where_it_cannot_be(
    written: object, life: int
) -> None:
    found = read({"access_token": "at", "expires_in": written})
    assert isinstance(found, Grant)
    assert found.life == life
    assert bool(found.warning) == (life == TTL)


def test_an_answer_without_a_life_has_the_profiles() -> None:
    assert read({"access_token": "at"}) == Grant(
        "at", TTL, warning="no usable expires_in: default_ttl is used"
    )


def test_token_and_life_are_found_where_the_profile_says() -> None:
    wrapped = client(token_path="data.0.token", expiry_path="data.0.life.seconds")
    body = b'{"data": [{"token": "at", "life": {"seconds": 7}}]}'
    assert read_answer(Answer(200, {}, body), wrapped, NOW) == Grant("at", 7 * SECOND)
    dotted = client(token_path="x.y")
    assert isinstance(read_answer(Answer(200, {}, b'{"x.y": "at"}'), dotted, NOW), Grant)


@pytest.mark.parametrize(
    "token", ["a b", "a\r\nb", "tökén", "", None, 7, ["at"], "x" * 40_000, "a\tb", "\x00"]
)
def test_what_cannot_be_sent_as_a_token_is_malformed_and_never_shown(token: object) -> None:
    found = read({"access_token": token, "expires_in": 60})
    assert isinstance(found, Refused)
    assert found.permanent
    assert "malformed" in found.text
    if isinstance(token, str) and token:
        assert token not in found.text


@pytest.mark.parametrize("kind", ["bearer", "BEARER", "Bearer ", "jwt", None, 3])
def test_token_types_are_compared_loosely(kind: object) -> None:
    assert isinstance(read({"access_token": "at", "token_type": kind, "expires_in": 6}), Grant)


@pytest.mark.parametrize("kind", ["DPoP", "mac", "PoP"])
def test_a_token_that_needs_a_proof_is_malformed(kind: str) -> None:
    assert isinstance(read({"access_token": "at", "token_type": kind}), Refused)


@pytest.mark.parametrize(
    ("status", "body", "permanent", "said"),
    [
        (400, {"error": "invalid_grant"}, True, "username and password"),
        (401, {"error": "invalid_client"}, True, "basic_encoding: raw"),
        (401, b"", True, "client_id and client_secret"),
        (401, b"<html>no</html>", True, "401"),
        (200, {"error": "invalid_client"}, True, "invalid_client"),
        (403, b"", True, "403"),
        (404, b"", True, "token_url"),
        (302, b"", True, "redirect"),
        (500, {"error": "invalid_client"}, False, "500"),
        (503, b"", False, "503"),
        (429, b"", False, "429"),
        (408, b"", False, "408"),
        (400, {"error": "temporarily_unavailable"}, False, "temporarily_unavailable"),
        (200, b"<html>welcome</html>", False, "neither JSON nor a form"),
        (200, b"", False, "neither JSON"),
        (200, [], False, "neither JSON"),
        (200, {}, True, "no access_token"),
        (200, b'{"access_token": "a", "access_token": "b"}', False, "neither JSON"),
        (200, b'{"access_token": "a"', False, "neither JSON"),
        (200, b"[" * 10_000, False, "neither JSON"),
    ],
)
def test_failures_are_told_apart_with_their_cure(
    status: int, body: object, permanent: bool, said: str
) -> None:
    found = read(body, status)
    assert isinstance(found, Refused)
    assert found.permanent is permanent
    assert said in found.text
    assert "\n" not in found.text


def test_an_error_code_is_shown_only_if_it_is_one() -> None:
    for odd in ("a b", "<script>", "x" * 61, "a\nb", {"code": "e" * 99}, 7, ["x"]):
        found = read({"error": odd}, 400)
        assert isinstance(found, Refused)
        assert "unreadable error" in found.text


@pytest.mark.parametrize(
    ("written", "pause"),
    [
        ("5", 5 * SECOND),
        ("Wed, 21 Oct 2015 07:28:10 GMT", 10 * SECOND),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("9" * 40, int("9" * 40) * SECOND),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(written: str, pause: int | None) -> None:
    found = read(b"", 429, retry_after=written, date="Wed, 21 Oct 2015 07:28:00 GMT")
    assert isinstance(found, Refused)
    assert found.retry_after == pause


def test_a_date_of_a_server_that_tells_no_time_is_read_by_our_clock() -> None:
    found = read(b"", 429, retry_after="Wed, 21 Oct 2015 07:28:30 GMT")
    assert isinstance(found, Refused)
    assert found.retry_after == 30 * SECOND


@pytest.mark.parametrize(
    ("failure", "permanent"),
    [("call.timed_out", False), ("call.unreachable", False), ("call.blocked", True)],
)
def test_no_answer_is_a_failure_too(failure: str, permanent: bool) -> None:
    found = read_answer(Answer(failure=failure, text="what happened"), CLIENT, NOW)
    assert found == Refused("the token server gave no answer: what happened", permanent)


@given(st.binary(max_size=200), st.sampled_from([200, 201, 400, 401, 500, 302]))
def test_whatever_is_answered_is_a_token_or_a_named_failure(body: bytes, status: int) -> None:
    found = read_answer(Answer(status, {}, body), CLIENT, NOW)
    assert isinstance(found, Grant | Refused)


@pytest.mark.parametrize(
    ("unit", "written", "life"),
    [("milliseconds", 90_000, 90), ("minutes", "5", 300), ("seconds", " 60 ", 60)],
)
def test_a_life_may_be_counted_in_another_unit(unit: str, written: object, life: int) -> None:
    body = json.dumps({"access_token": "at", "expires_in": written}).encode()
    found = read_answer(Answer(200, {}, body), client(expiry_unit=unit), NOW)
    assert found == Grant("at", life * SECOND)


@pytest.mark.parametrize("written", ["1_000", "\u0663\u0660", "0x10", "1e3", "+5"])
def test_a_life_that_only_python_would_read_is_none(written: str) -> None:
    found = read({"access_token": "at", "expires_in": written})
    assert isinstance(found, Grant)
    assert found.life == TTL
    assert found.warning


def test_the_servers_own_words_are_kept_unless_they_are_a_book() -> None:
    said = {"error": "invalid_client", "error_description": "client is disabled"}
    found = read(said, 401)
    assert isinstance(found, Refused)
    assert found.said == "client is disabled"
    for odd in ("x" * 4_001, None, 7, ["x"]):
        found = read(said | {"error_description": odd}, 401)
        assert isinstance(found, Refused)
        assert found.said == ""


@pytest.mark.parametrize(
    ("status", "error", "grant", "of_secret"),
    [
        (401, "invalid_client", "client_credentials", True),
        (400, "invalid_client", "client_credentials", True),
        (401, "", "client_credentials", True),
        (400, "invalid_grant", "client_credentials", False),
        (400, "invalid_grant", "password", True),
        (400, "invalid_scope", "password", False),
        (503, "invalid_client", "client_credentials", False),
    ],
)
def test_a_refusal_that_another_secret_might_mend_is_known(
    status: int, error: str, grant: str, of_secret: bool
) -> None:
    user = {"username": "u", "password": {"env": "P"}} if grant == "password" else {}
    body = json.dumps({"error": error} if error else {}).encode()
    found = read_answer(Answer(status, {}, body), client(grant=grant, **user), NOW)
    assert isinstance(found, Refused)
    assert found.of_secret is of_secret
