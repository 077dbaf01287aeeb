from __future__ import annotations

import json
from typing import Any

import pytest

from engine.core.message import Answer
from engine.credentials.kinds.oauth2 import OAuth2
from engine.credentials.kinds.registry import stored_profile
from tests.unit.credentials.installation import profile


def expired(answer: Answer, **written: Any) -> bool:
    kind = profile(
        kind="oauth2",
        token_url="https://id.example.com/t",
        client_id="crm",
        client_secret={"env": "S"},
        token_expired_when=written,
    )
    again = stored_profile("oauth2", kind.stored_settings())
    assert isinstance(again, OAuth2)
    assert isinstance(kind, OAuth2)
    assert again.token_expired_when == kind.token_expired_when
    assert again.token_expired_when is not None
    return again.token_expired_when.matches(answer)


def answer(status: int, body: object = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, b"" if body is None else json.dumps(body).encode())


def test_a_status_says_that_the_token_is_over() -> None:
    assert expired(answer(498), status=498)
    assert expired(answer(419), status=[498, 419])
    assert not expired(answer(400), status=[498, 419])
    assert not expired(Answer(failure="call.unreachable"), status=498)


def test_a_header_says_it_whatever_its_case() -> None:
    when = {"name": "X-Auth-Status", "holds": "Expired"}
    assert expired(answer(200, x_auth_status="token EXPIRED today"), header=when)
    assert not expired(answer(200, x_auth_status="fine"), header=when)
    assert not expired(answer(200), header=when)


@pytest.mark.parametrize(
    ("body", "is_over"),
    [
        ({"error": {"code": 190}}, True),
        ({"error": {"code": "INVALID_SESSION"}}, True),
        ({"error": {"code": 191}}, False),
        ({"error": {"code": True}}, False),
        ({"error": 190}, False),
        ([], False),
        (None, False),
    ],
)
def test_json_says_it_at_a_path(body: object, is_over: bool) -> None:
    when = {"path": "error.code", "equals": [190, "INVALID_SESSION"]}
    assert expired(answer(200, body), json=when) is is_over


def test_all_that_is_given_must_hold() -> None:
    when: dict[str, Any] = {"status": 403, "json": {"path": "0.code", "equals": "EXPIRED"}}
    assert expired(answer(403, [{"code": "EXPIRED"}]), **when)
    assert not expired(answer(400, [{"code": "EXPIRED"}]), **when)
    assert not expired(answer(403, [{"code": "FORBIDDEN"}]), **when)


def test_a_long_answer_is_not_read_for_it() -> None:
    body = {"code": 1, "padding": "x" * 70_000}
    assert not expired(answer(200, body), json={"path": "code", "equals": 1})
