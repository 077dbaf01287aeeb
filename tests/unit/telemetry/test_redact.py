from __future__ import annotations

import io
import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from html import escape
from time import thread_time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry.redact import _WINDOW, MASK, RedactionFilter, Redactor

SECRET = 'c4/n+4=r y%&"ü'


def redactor(*values: str) -> Redactor:
    found = Redactor()
    found.learn(values or (SECRET,))
    return found


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote_plus(SECRET),
        re.sub("%..", lambda found: found.group().lower(), quote(SECRET, safe="")),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        escape(SECRET),
        SECRET.encode().hex(),
        repr(SECRET)[1:-1],
    ],
)
def test_a_known_value_is_found_in_every_encoding(form: str) -> None:
    assert redactor().redact(f"before {form} after") == f"before {MASK} after"


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_value_inside_of_anything_in_base64_is_found(before: bytes, after: bytes) -> None:
    secret = "correct horse battery staple"
    whole = before + secret.encode() + after
    for encode in (b64encode, urlsafe_b64encode):
        shown = redactor(secret).redact(encode(whole).decode())
        assert MASK in shown
        assert len(shown) <= len(MASK) + 4 * (len(before) + len(after)) // 3 + 8


def test_a_form_encoded_client_in_basic_is_found() -> None:
    header = b64encode(f"crm:{quote_plus(SECRET)}".encode()).decode()
    assert MASK in redactor().redact(f"authorization: Basic {header}")


@given(st.text(max_size=100))
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    if "never-in-a-text" not in text:
        assert redactor("never-in-a-text-9f2").redact(text) == text


@given(st.lists(st.text(min_size=4, max_size=12), max_size=6), st.text(), st.text())
def test_no_known_value_is_left(secrets: list[str], before: str, after: str) -> None:
    known = redactor("anything", *secrets)
    for secret in secrets:
        shown = known.redact(f"{before}{secret}{after}")
        assert not any(secret in piece for piece in shown.split(MASK))
        assert MASK in shown


def test_the_longest_of_overlapping_values_is_taken() -> None:
    assert redactor("abcd", "abcdefgh").redact("x abcdefgh y") == f"x {MASK} y"


def test_values_too_short_to_be_told_from_text_are_left() -> None:
    assert redactor("is", "a").redact("this is a text") == "this is a text"


def test_old_values_are_forgotten_and_learning_twice_is_learning_once() -> None:
    known = Redactor()
    for number in range(20_010):
        known.learn((f"value-{number:06}",) if number % 2 else ("value-000000-first",))
    assert known.redact("value-000000-first") == MASK
    assert len(known._values) <= 20_000


def test_a_megabyte_is_redacted_in_a_moment_and_a_value_across_two_windows_is_found() -> None:
    known = redactor(*(f"value-{number}-{SECRET}" for number in range(200)))
    text = "lorem ipsum 0123456789 " * 50_000
    began = thread_time()
    assert known.redact(text) == text
    assert thread_time() - began < 1
    for before in range(_WINDOW - 20, _WINDOW + 3):
        assert known.redact("." * before + "value-7-" + SECRET) == "." * before + MASK


def test_thousands_of_values_that_begin_at_random_are_learned_between_lines_in_a_moment() -> None:
    known, line = Redactor(), "auth profile crm: new access token"
    values = [sha256(str(number).encode()).hexdigest()[:20] for number in range(500)]
    values = [b64encode(value.encode()).decode() + value for value in values]
    began = thread_time()
    for value in values:
        known.learn((value,))
        assert known.redact(line) == line
        assert known.redact(f"x {value} y") == f"x {MASK} y"
    assert thread_time() - began < 2


def test_a_log_record_is_redacted_whole() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(where)s"))
    handler.addFilter(RedactionFilter(redactor()))
    log = logging.getLogger("test_redact")
    log.addHandler(handler)
    log.propagate = False
    try:
        raise ValueError(f"bad header {SECRET}")
    except ValueError:
        log.exception("asked %s", f"https://x/?key={quote_plus(SECRET)}", extra={"where": SECRET})
    log.warning("%d", "no number", extra={"where": ""})
    shown = stream.getvalue()
    assert shown.count(MASK) == 3
    assert "Traceback" in shown
    assert "%d" in shown
    assert SECRET not in shown
    assert quote_plus(SECRET) not in shown
