"""What may be written to a terminal, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

Colour = Literal["green", "red", "yellow", "blue", "dim", "bold"]

_CODES = {"green": "32", "red": "31", "yellow": "33", "blue": "34", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts colour on text where a person looks at it."""

    on: bool = False

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str]) -> Paint:
        """Colour for a terminal, unless ``NO_COLOR`` (https://no-color.org) or ``TERM=dumb``."""
        wanted = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        return cls(wanted and stream.isatty())

    def __call__(self, text: str, *colours: Colour) -> str:
        """``text`` in these colours."""
        if not self.on or not colours:
            return text
        return f"\x1b[{';'.join(_CODES[colour] for colour in colours)}m{text}\x1b[0m"


def plain(text: object, most: int = 200) -> str:
    """Text from outside as one line that can't steer a terminal: control characters, invisible
    ones and those that turn the direction of writing are shown as U+FFFD; cut at ``most``.
    """
    line = str(text)[: most + 1]
    shown = line if line.isprintable() else "".join(map(_visible, line))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character in "\t\n\r" else "\ufffd"
