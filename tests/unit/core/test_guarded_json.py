from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import guarded_json
from engine.core.guarded_json import NotGuardedJSON

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
).filter(lambda value: not _has_surrogate(value))


def _has_surrogate(value: object) -> bool:
    return any(0xD800 <= ord(c) <= 0xDFFF for c in json.dumps(value, ensure_ascii=False))


@given(values)
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_back(value: object) -> None:
    assert guarded_json.parse(guarded_json.dumps(value)) == value


@given(values)
@settings(max_examples=100, deadline=None)
def test_it_is_written_as_pythons_own_encoder_writes_it(value: object) -> None:
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert guarded_json.dumps(value) == written.encode()


@pytest.mark.parametrize("text", ["", " ", "1 2", '\n{"a": 1}\n\n ]', "\n\n  [1,\n]", "\u00a01"])
def test_a_slip_is_found_where_pythons_own_decoder_finds_it(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(NotGuardedJSON) as refused:
        guarded_json.parse(text)
    place = f"line {expected.value.lineno}, column {expected.value.colno}"
    assert str(refused.value) == f"not JSON at {place}"


def test_blanks_around_it_are_passed_over() -> None:
    assert guarded_json.parse(b" \t\r\n[1] \t\r\n") == [1]


def test_what_holds_itself_is_not_written() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="deep"):
        guarded_json.dumps(endless)


@given(st.binary(max_size=200) | st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_input_is_a_value_or_a_refusal(data: bytes | str) -> None:
    try:
        guarded_json.parse(data)
    except NotGuardedJSON as refusal:
        assert "\n" not in str(refusal)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"a": 1, "a": 1}', "a key stands twice"),
        ('[{"x": {"b": 1, "b": 2}}]', "a key stands twice"),
        ("NaN", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ("1e999", "too large"),
        ("1" * 5000, "too long"),
        (b"\xff\xfe", "not UTF-8"),
        ('"\ud800"', "lone surrogate"),
        (r'"\ud800"', "lone surrogate"),
        (r'{"\uDFFF": 1}', "lone surrogate"),
        ("", "not JSON at line 1, column 1"),
        ("{} {}", "not JSON"),
        ("\ufeff{}", "not JSON"),
        ("[" * 65 + "]" * 65, "deeper than 64"),
        ('{"a":' * 65 + "1" + "}" * 65, "deeper than 64"),
        ("[" * 100_000, "deeper than 64"),
        ("[" * 100_000 + "]" * 100_000, "deeper than 64"),
    ],
)
def test_a_trap_is_refused_with_its_reason(data: bytes | str, reason: str) -> None:
    with pytest.raises(NotGuardedJSON, match=reason):
        guarded_json.parse(data)


def test_a_refusal_quotes_no_data() -> None:
    with pytest.raises(NotGuardedJSON) as refusal:
        guarded_json.parse('{"token": "s3cret", "token": "s3cret"}')
    assert "s3cret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_the_depth_limit_itself_is_allowed() -> None:
    assert guarded_json.parse("[" * 64 + "]" * 64)
    assert guarded_json.parse("[" + "[]," * 100 + "[]]")


def test_brackets_in_strings_are_no_depth() -> None:
    assert guarded_json.parse('"' + "[{" * 200 + '"') == "[{" * 200


def test_integers_pass_whatever_their_size() -> None:
    assert guarded_json.parse("9223372036854775808123") == 9223372036854775808123


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert guarded_json.parse(r'"\ud83d\ude00"') == "😀"


def test_bytes_may_begin_with_a_byte_order_mark() -> None:
    assert guarded_json.parse(b"\xef\xbb\xbf[1]") == [1]


def test_text_is_written_compact_as_utf8_in_the_order_given() -> None:
    assert guarded_json.dumps({"ş": [1, None], "a": "ü"}) == '{"ş":[1,null],"a":"ü"}'.encode()


def test_what_json_has_not_got_is_not_written() -> None:
    with pytest.raises(ValueError):
        guarded_json.dumps(math.nan)
    with pytest.raises(TypeError):
        guarded_json.dumps({1, 2})
