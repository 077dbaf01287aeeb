from __future__ import annotations

import gzip
import json
import string
import zlib
from base64 import b64encode
from collections.abc import Callable
from html import escape
from time import thread_time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        *(SECRET.upper(), SECRET.swapcase(), escape(SECRET), quote_plus(SECRET)),
        json.dumps(SECRET).replace("/", "\\/"),
        "".join(f"\\u{ord(each):04X}" for each in SECRET),
        "".join(f"&#{ord(each)};" for each in SECRET),
        "".join(f"&#x{ord(each):04x};" for each in SECRET),
        "".join(f"%{octet:02x}" for octet in SECRET.encode()),
        "".join(f"\\u{ord(each):04x}" if n % 3 else each for n, each in enumerate(SECRET)),
        "".join(f"&#{ord(each)};" if n % 2 else each for n, each in enumerate(SECRET)),
        repr(SECRET.encode())[2:-1],
        SECRET.encode("utf-16-le").decode("latin-1"),
        SECRET.encode("utf-16-be").decode("latin-1"),
    ],
)
def test_what_a_server_repeats_is_taken_out_of_body_and_headers(echoed: str) -> None:
    answer = Answer(401, {"x-you-sent": echoed, "x-other": "1"}, f"<{echoed}>".encode())
    clean = without_echo(answer, credential(SECRET))
    said = clean.body + clean.headers["x-you-sent"].encode()
    assert said.count(b"[redacted]") == 2
    assert not any(piece in said.decode() for piece in ("nary", "9d1f", echoed))
    assert (clean.status, clean.headers["x-other"]) == (401, "1")


@pytest.mark.parametrize("way", ["utf-16-le", "utf-16-be"])
def test_a_wide_encoding_is_taken_out(way: str) -> None:
    answer = Answer(200, {}, b"{" + SECRET.encode(way) + b"}")
    assert without_echo(answer, credential(SECRET)).body == b"{[redacted]}"


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_body_with_an_echo_is_taken_out_whole(pack: Callable[[bytes], bytes]) -> None:
    body = pack(json.dumps({"you_sent": SECRET}).encode())
    assert without_echo(Answer(200, {}, body), credential(SECRET)).body == b"[redacted]"
    honest = Answer(200, {}, pack(b"nothing"))
    assert without_echo(honest, credential(SECRET)) is honest
    cut = Answer(200, {}, body[:9])
    assert without_echo(cut, credential(SECRET)) is cut


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


@given(
    secret=st.text(string.ascii_letters + string.digits + "-_+/=\"'<ü\U0001f511", min_size=8),
    ways=st.lists(st.integers(0, 9), min_size=1),
    around=st.sampled_from(["", "\\", "%", "&", "\\u00", "a\\n", "\\\\"]),
)
def test_any_mix_of_escapes_is_taken_out(secret: str, ways: list[int], around: str) -> None:
    echoed = "".join(_written(each, ways[at % len(ways)]) for at, each in enumerate(secret))
    answer = Answer(200, {}, f"<{around} {echoed} {around}>".encode())
    clean = without_echo(answer, credential(secret))
    assert clean.body == f"<{around} [redacted] {around}>".encode()


def test_json_that_repeats_a_secret_is_json_still() -> None:
    secret = '"quoted" secret'
    answer = Answer(400, {}, json.dumps({"sent": secret}).encode())
    assert json.loads(without_echo(answer, credential(secret)).body) == {"sent": "[redacted]"}


def _written(character: str, way: int) -> str:
    octets = character.encode()
    units = character.encode("utf-16-be").hex()
    ways = [
        json.dumps(character)[1:-1],
        "".join(f"\\u{units[at : at + 4].upper()}" for at in range(0, len(units), 4)),
        "".join(f"%{octet:02x}" for octet in octets),
        "".join(f"%{octet:02X}" for octet in octets),
        "".join(f"\\x{octet:02x}" for octet in octets),
        *(f"&#{ord(character)};", f"&#X00{ord(character):x};", escape(character)),
        "\\/" if character == "/" else character,
    ]
    return ways[way] if way < len(ways) else character


def test_what_is_looked_for_is_made_in_a_moment_for_each_of_thousands_of_profiles() -> None:
    began = thread_time()
    for number in range(1000):
        answer = Answer(200, {}, b'{"id": 1, "path": "a\\/b"}')
        assert without_echo(answer, credential(f"{SECRET}-{number:06}")) is answer
    assert thread_time() - began < 1
