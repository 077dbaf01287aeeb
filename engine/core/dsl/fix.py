"""What can be repaired in a file without asking: lines that YAML reads otherwise than meant.

The loader explains such a trap and shows the line quoted right; here that line takes the place of
the one in the file. Everything else stays as it is, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.dsl.literal_secrets import masked
from engine.core.dsl.load import read_journey
from engine.core.dsl.problems import MOST_PROBLEMS
from engine.errors import DefinitionError

if TYPE_CHECKING:
    from engine.errors import Problem

_BREAK = re.compile("(\r\n|[\n\r\x85\u2028\u2029])")
_SHOWN_RIGHT = re.compile(
    r"(?:quote the value|say `not`|an expression stands without \{\{ \}\}): (.+)"
)
_ADDED = re.compile(r"""["'\\!{}]|\bnot\b|\s""")
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Repair:
    """A line that was changed: its number, and how it reads now (without its break)."""

    line: int
    now: str


def repaired(source: bytes, file: str) -> tuple[bytes, tuple[Repair, ...]]:
    """A journey's text with every trap of YAML's that can be helped, and what was changed.

    What can't be helped stays. Repairing twice changes nothing more, and a file without traps is
    returned as it is. Never raises for what an author wrote.
    """
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError:
        return source, ()
    mark = _MARK if text.startswith(_MARK) else ""
    pieces = _BREAK.split(text.removeprefix(_MARK))  # lines at even places, breaks between them
    given_up: set[int] = set()
    changed: set[int] = set()
    for _ in range(MOST_PROBLEMS):
        found = {
            problem.line: now
            for problem in _problems("".join(pieces), file)
            if (now := _right(problem, pieces, given_up))
        }
        if not found:
            break
        for line, now in found.items():
            if line in changed:  # it was repaired and is wrong still: one repair a line
                given_up.add(line)
                continue
            pieces[2 * (line - 1)] = now
            changed.add(line)
    repairs = tuple(Repair(line, pieces[2 * (line - 1)]) for line in sorted(changed))
    return (mark + "".join(pieces)).encode() if repairs else source, repairs


def _problems(text: str, file: str) -> tuple[Problem, ...]:
    try:
        return tuple(read_journey(text.encode(), file)[2])
    except DefinitionError as error:
        return error.problems


def _right(problem: Problem, pieces: list[str], given_up: set[int]) -> str:
    """The whole line as the problem's remedy shows it; '' if it shows none, or not all of it."""
    shown = _SHOWN_RIGHT.fullmatch(problem.remedy)
    if not problem.code.startswith("yaml.") or not shown or problem.line in given_up:
        return ""
    line = pieces[2 * (problem.line - 1)]
    bare = line.strip()
    if masked(line) != line or not bare.isprintable():
        return ""  # what is shown isn't what stands there
    if _ADDED.sub("", shown[1]) != _ADDED.sub("", bare):
        return ""
    start = line.index(bare)
    return line[:start] + shown[1] + line[start + len(bare) :]
