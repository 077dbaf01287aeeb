from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import quote

import pytest

from engine.core.message import Answer
from engine.credentials.credential import Credential, Placement
from engine.credentials.echo import without_echo

SECRET = 'ca"nary/ü+9d1f'


def credential(*secrets: str) -> Credential:
    return Credential(1, "p", "basic", 1, frozenset(), Placement(), "f", secrets)


@pytest.mark.parametrize(
    "echoed",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET, safe=""),
        b64encode(f"bot:{SECRET}".encode()).decode(),
        b64encode(f"a:{SECRET}".encode()).decode(),
        SECRET.encode().hex(),
    ],
)
def test_what_a_server_repeats_is_taken_out_of_body_and_headers(echoed: str) -> None:
    answer = Answer(401, {"x-you-sent": echoed, "x-other": "1"}, f"<{echoed}>".encode())
    clean = without_echo(answer, credential(SECRET))
    said = clean.body + clean.headers["x-you-sent"].encode()
    assert said.count(b"[redacted]") == 2
    assert not any(piece in said.decode() for piece in ("nary", "9d1f", echoed))
    assert (clean.status, clean.headers["x-other"]) == (401, "1")


def test_an_answer_without_an_echo_is_the_same_object() -> None:
    answer = Answer(200, {"a": "b"}, b"x" * 1000)
    assert without_echo(answer, credential(SECRET)) is answer


def test_a_secret_so_short_that_it_stands_in_honest_answers_spoils_none() -> None:
    answer = Answer(200, {}, b'{"state": "gold", "n": 4711}')
    assert without_echo(answer, credential("gold", "4711", "")) is answer


def test_a_secret_within_another_is_taken_out_with_it() -> None:
    answer = Answer(200, {}, b"key=12345678abcd&id=12345678")
    assert without_echo(answer, credential("12345678", "12345678abcd")).body == (
        b"key=[redacted]&id=[redacted]"
    )
