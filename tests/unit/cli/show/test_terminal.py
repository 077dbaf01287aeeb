from __future__ import annotations

import io

import pytest

from engine.cli.show.terminal import Paint, plain


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë · 東京 ✓", "Zoë · 東京 ✓"),
        ("a\nb\tc", "a b c"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("a\u202eb\u2066c\u200bd", "a\ufffdb\ufffdc\ufffdd"),
        ("می\u200cگیریم 👩\u200d🚀 രാജന്\u200d", "می\u200cگیریم 👩\u200d🚀 രാജന്\u200d"),
        ("\u200dada\u200d é\u200c\u200d \u200c", "\ufffdada\ufffd é\u200c\ufffd \ufffd"),
        ("x" * 300, "x" * 199 + "…"),
        ("\x9b31m", "\ufffd31m"),
    ],
)
def test_nothing_but_printable_characters_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_colour_is_for_terminals_that_want_it() -> None:
    assert Paint.of(Terminal(), {})("a", "red", "bold") == "\x1b[31;1ma\x1b[0m"
    assert Paint.of(Terminal(), {"NO_COLOR": "1"})("a", "red") == "a"
    assert Paint.of(Terminal(), {"TERM": "dumb"})("a", "red") == "a"
    assert Paint.of(io.StringIO(), {})("a", "red") == "a"
