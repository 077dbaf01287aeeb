"""Texts from outside, made inert: nothing in them steers what shows them."""

from __future__ import annotations

REPLACEMENT = "\ufffd"

_JOINERS = "\u200c\u200d"
"""ZERO WIDTH NON-JOINER and JOINER. Scripts of India, Iran and Sri Lanka spell names with them, and
emoji are made of others by them: <https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters>."""


def inert(text: str, kept: str = "", instead: str = REPLACEMENT) -> str:
    """``text`` with every character replaced that can't be seen or steers what shows it: controls,
    those that turn the direction of writing, spaces of odd widths. Those in ``kept`` stay, and so
    does a joiner behind a visible character beyond ASCII; elsewhere nobody spells with one, and
    what only seems to be the same text could be told apart by nobody.
    """
    if text.isprintable():
        return text
    shown: list[str] = []
    before = ""
    for character in text:
        joins = character in _JOINERS and before.isprintable() and not before.isascii()
        stays = joins or character.isprintable() or character in kept
        shown.append(character if stays else instead)
        before = character
    return "".join(shown)
