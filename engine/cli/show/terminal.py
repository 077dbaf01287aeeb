"""What may be written to a terminal, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.core.inert import inert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

Colour = Literal["green", "red", "yellow", "blue", "dim", "bold"]

_SPACES = dict.fromkeys(map(ord, "\t\n\r"), " ")
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
    """Text from outside as one line that can't steer a terminal, made :func:`inert`; cut at
    ``most``.
    """
    line = str(text)[: most + 1]
    shown = line if line.isprintable() else inert(line.translate(_SPACES))
    return shown if len(shown) <= most else shown[: most - 1] + "…"
