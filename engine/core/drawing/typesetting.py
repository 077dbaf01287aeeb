"""Text measured and broken into lines without a font at hand.

The widths are the widest of five common sans-serif fonts, so a line that fits here fits anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.inert import inert

if TYPE_CHECKING:
    from collections.abc import Iterator

ELLIPSIS = "…"

# Thousandths of the font's size, for the characters from space to tilde.
_WIDTHS = (
    *(286, 360, 414, 754, 638, 889, 732, 247, 362, 362, 551, 754, 286, 460, 286, 413),
    *(625, 572, 605, 636, 642, 608, 624, 572, 616, 624, 303, 303, 754, 754, 754, 556),
    *(1015, 676, 667, 727, 730, 667, 611, 778, 741, 339, 552, 667, 562, 907, 760, 781),
    *(667, 781, 722, 667, 642, 741, 676, 949, 667, 667, 625, 362, 411, 362, 754, 556),
    *(497, 564, 621, 558, 621, 582, 361, 615, 618, 258, 258, 544, 258, 935, 618, 605),
    *(615, 615, 413, 523, 364, 618, 557, 812, 540, 557, 541, 572, 551, 572, 754),
)
_OTHER, _WIDE = 720, 1_050
_BOLD, _MONO = 1.07, 605
_WORDS = re.compile(r"\s*\S+")
_PARTS = re.compile(r"[^/._,:-]*[/._,:-]+|[^/._,:-]+")


@dataclass(slots=True, frozen=True)
class Face:
    """A way to write: ``size`` in pixels, the distance of its lines, and its cut."""

    size: float
    leading: float
    bold: bool = False
    mono: bool = False

    def width(self, text: str) -> float:
        """How many pixels ``text`` takes on one line, at most."""
        if self.mono:
            return sum(_MONO * _cells(character) for character in text) * self.size / 1_000
        width = sum(_width(character) for character in text) * self.size / 1_000
        return width * _BOLD if self.bold else width


def clean(text: str) -> str:
    """``text`` on one line, and inert: control characters, invisible ones, those that turn the
    direction of writing and those that XML can't hold are U+FFFD.
    """
    line = " ".join(text.split())
    return inert(line)


def shortened(text: str, most: int) -> str:
    """``text``, cleaned, in at most so many characters; what is missing is an ellipsis."""
    line = clean(text[: most * 4])
    return line if len(line) <= most else line[: most - 1].rstrip() + ELLIPSIS


def wrap(text: str, face: Face, width: float, lines: int) -> tuple[str, ...]:
    """``text`` on at most so many lines, none wider than ``width`` pixels.

    Broken at spaces; a word wider than a line behind its punctuation, and where that is too wide,
    anywhere. What doesn't fit is an ellipsis.
    """
    broken: list[str] = []
    line = ""
    for token in _tokens(clean(text), face, width):
        if line and face.width((line + token).rstrip()) > width:
            if len(broken) == lines:
                break
            broken.append(line.strip())
            line = token.lstrip()
        else:
            line += token
    if line.strip():
        broken.append(line.strip())
    if len(broken) > lines:
        broken[lines - 1 :] = [_ended(broken[lines - 1], face, width)]
    return tuple(broken)


def _tokens(text: str, face: Face, width: float) -> Iterator[str]:
    """What a line may end behind, none wider than a line."""
    for word in _WORDS.findall(text):
        if face.width(word) <= width:
            yield word
            continue
        for part in _PARTS.findall(word):
            rest = part
            while face.width(rest) > width and len(rest) > 1:
                fits = _fitting(rest, face, width)
                yield rest[:fits]
                rest = rest[fits:]
            yield rest


def _fitting(token: str, face: Face, width: float) -> int:
    """How many of the token's characters fit a line; at least one."""
    taken = 1
    while taken < len(token) and face.width(token[: taken + 1]) <= width:
        taken += 1
    return taken


def _ended(line: str, face: Face, width: float) -> str:
    while len(line) > 1 and face.width(line + ELLIPSIS) > width:
        line = line[:-1]
    return line.rstrip(" .,") + ELLIPSIS


def _width(character: str) -> int:
    code = ord(character)
    if 32 <= code < 127:
        return _WIDTHS[code - 32]
    return _WIDE if _cells(character) == 2 else _OTHER * _cells(character)


def _cells(character: str) -> int:
    """Columns of a terminal: 0 for what stands on the character before it, 2 for wide ones."""
    if character < "\u0300":
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
