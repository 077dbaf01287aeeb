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
    open_at = _open(line)
    return Place(opened.line, open_at[0] + 1, 1) if open_at else None


def hidden_closing(line: str) -> int:
    """Where the comment begins that holds what closes a bracket of ``line``, or -1."""
    at = _comment(line) if len(line) <= _LONGEST_LINE else -1
    before = line[:at].rstrip()
    if at < 0 or before[-1:] in ("", ",", "[", "{") or not _open(before):
        return -1
    return at if any(c in "]}" for c in line[at:]) else -1


def _open(line: str) -> list[int]:
    """Where the brackets stand that are still open at the end of ``line``, the outermost first."""
    quote, found = "", []
    for at, c in enumerate(line):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'" and line[at - 1 : at] in (" ", ",", "[", "{", ""):
            quote = c
        elif c in "[{":
            found.append(at)
        elif c in "]}" and found:
            found.pop()
    return found


def _comment(line: str) -> int:
    """Where the comment of ``line`` begins, or -1."""
    quote = ""
    for at, c in enumerate(line):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'" and line[at - 1 : at] in (" ", ",", "[", "{", ""):
            quote = c
        elif c == "#" and line[at - 1 : at] in (" ", "\t"):
            return at
    return -1


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
