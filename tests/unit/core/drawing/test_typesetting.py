from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.drawing.typesetting import Face, clean, shortened, wrap

FACE, CODE = Face(12, 16), Face(10, 14, mono=True)


@given(st.text(max_size=200), st.integers(1, 4), st.floats(20, 300))
def test_no_line_is_too_wide_and_none_too_many(text: str, most: int, width: float) -> None:
    lines = wrap(text, FACE, width, most)
    assert len(lines) <= most
    assert all(FACE.width(line) <= width or len(line) <= 2 for line in lines)


@given(st.text(max_size=200))
def test_nothing_is_lost_where_there_is_room(text: str) -> None:
    kept = "".join(wrap(text, FACE, 60, 1_000)).replace(" ", "")
    assert kept == clean(text).replace(" ", "")


def test_lines_end_at_spaces_and_long_words_behind_their_punctuation() -> None:
    assert wrap("until the next morning", CODE, 60, 3) == ("until the", "next", "morning")
    assert wrap("/users/{user.id}/score", CODE, 110, 3) == ("/users/{user.id}/", "score")


def test_what_does_not_fit_is_an_ellipsis() -> None:
    assert wrap("one two three four", CODE, 60, 2) == ("one two", "three…")
    assert shortened("a long condition", 8) == "a long…"


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\x1b", "\ufffe", "\ud800"])
def test_what_cannot_be_seen_is_shown_as_such(character: str) -> None:
    assert clean(f"a{character}b\n c") == "a\ufffdb c"


def test_wide_characters_are_wide_and_accents_take_no_room() -> None:
    assert FACE.width("退出") > FACE.width("mm") > FACE.width("ii")
    assert FACE.width("e\u0301") == FACE.width("e")
    assert Face(12, 16, bold=True).width("abc") > FACE.width("abc")
