"""Quotes and brackets that are opened in a line and not closed where their author thought."""

from __future__ import annotations

import re

from engine.core.dsl.problems import Lines, Place

_VALUE = re.compile(r"""^[ \t]*(?:-[ \t]+)*(?:["']?[\w.$-]+["']?:[ \t]+)?(?P<quote>["'])""")
_FARTHEST = 2_000
_LONGEST_LINE = 4_000


def unclosed_quote(lines: Lines, mark: Place) -> Place | None:
    """Where the quoted value begins that YAML ends in the line of ``mark``, lines below, or never.

    A value in quotes may go on over lines; one that does and behind whose end YAML stumbles was
    not meant to.
    """
    for number in range(mark.line, max(0, mark.line - _FARTHEST), -1):
        line = lines.raw(number)
        found = _VALUE.match(line) if len(line) <= _LONGEST_LINE else None
        if found is None:
            continue
        start, quote = found.start("quote"), found["quote"]
        if closing_quote(line, start + 1, quote) >= 0:
            continue
        end = _closing_line(lines, number + 1, mark.line, quote)
        return Place(number, start + 1, 1) if end is None or end == mark.line else None
    return None


def _closing_line(lines: Lines, first: int, last: int, quote: str) -> int | None:
    for number in range(first, last + 1):
        if closing_quote(lines.raw(number), 0, quote) >= 0:
            return number
    return None


def closing_quote(line: str, start: int, quote: str) -> int:
    """Where the quote that closes stands in ``line`` from ``start`` on, or -1."""
    at = start
    while at < len(line):
        if line[at] == "\\" and quote == '"':
            at += 1
        elif line[at] == quote:
            if quote == '"' or line[at + 1 : at + 2] != "'":
                return at
            at += 1
        at += 1
    return -1


def unclosed_bracket(lines: Lines, mark: Place, opened: Place) -> Place | None:
    """Where the outermost bracket stands that is still open at the end of the line ``opened``, if
    YAML stumbled in a later line that isn't indented as if it stood inside.
    """
    line, later = lines.raw(opened.line), lines.raw(mark.line)
    if mark.line <= opened.line or len(line) > _LONGEST_LINE or _indent(later) > _indent(line):
        return None
    quote, open_at = "", []
    for at, c in enumerate(line):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'" and line[at - 1 : at] in (" ", ",", "[", "{", ""):
            quote = c
        elif c in "[{":
            open_at.append(at)
        elif c in "]}" and open_at:
            open_at.pop()
    return Place(opened.line, open_at[0] + 1, 1) if open_at else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
