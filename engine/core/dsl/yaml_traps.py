"""What YAML did to a line that looked right to its author, and the line quoted right.

An expression is full of characters that mean something else to YAML: ``[ ] { } ,`` inside a flow
mapping, ``: `` anywhere, ``!``, ``*`` and quotes at the beginning, ``#`` behind a space. YAML's own
messages ('did not find expected key') don't say so.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.core.dsl.unclosed import closing_quote

EXPRESSION_KEYS = frozenset(("when", "where", "audience", "key", "date", "suppress"))
"""Keys of the journey language whose value is a bare expression."""

_FREE_MAPS = frozenset(("body", "form", "query", "headers", "properties", "values", "attributes"))
_PAIR = re.compile(
    r"""(?:^[ \t]*(?:-[ \t]+)*|[{,\[][ \t]*)(?P<key>["']?[\w.$-]+["']?):[ \t]+(?=\S)"""
)
_INDEXED = re.compile(r"""[\w)\]'"]\[""")
_BRACES = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_LONGEST_LINE = 4_000


class Trap(NamedTuple):
    """What happened, in words; ``column`` (from 1) is where; ``remedy`` shows the line right.

    ``alone`` says that the value is one word.
    """

    code: str
    message: str
    remedy: str
    column: int
    alone: bool = False


class _Pair(NamedTuple):
    key: str
    start: int
    end: int
    value: str
    flow: bool


def holds_expression(path: tuple[str | int, ...]) -> bool:
    """Whether the journey language has a bare expression at ``path``."""
    names = [step for step in path if isinstance(step, str)]
    if not names or any(name in _FREE_MAPS for name in names[:-1]):
        return False
    if names[-1] in EXPRESSION_KEYS:
        return True
    if len(names) < 2:
        return False
    return names[-2] == "outputs" or (names[-2] == "inputs" and names[:-1] != ["entry", "inputs"])


def explain(line: str, column: int) -> Trap | None:
    """Why YAML stumbled over ``line`` at ``column`` (from 1), if a value's characters did it."""
    if len(line) > _LONGEST_LINE:
        return None
    found = [(pair, why) for pair in _pairs(line) if (why := _misread(pair))]
    if not found:
        return None
    at = column - 1
    pair, why = next((p for p in found if p[0].start <= at <= p[0].end), found[0])
    alone = len(pair.value.split()) == 1
    return Trap("yaml.quote", why, _remedy(line, pair), pair.start + 1, alone)


def explain_cut(line: str, column: int) -> Trap:
    """The trap of a plain scalar at ``column`` (from 1) that a `` #`` behind it ended."""
    head, value = line[: column - 1], line[column - 1 :].rstrip()
    text = value[: _comment(value)].rstrip()
    if unbalanced(text):
        message = "YAML takes ` #` as the beginning of a comment and cuts the value there"
        remedy = f"quote the value: {_shown(head + _quote(value))}"
    else:
        message = (
            "a comment behind an unquoted expression: nobody can tell where the expression ends"
        )
        remedy = "put the comment on a line of its own, or quote the expression"
    return Trap("yaml.cut", message, remedy, column)


def explain_split(line: str, column: int) -> Trap | None:
    """The trap of an unquoted expression at ``column`` that a comma of YAML's ended early."""
    if len(line) > _LONGEST_LINE:
        return None
    for pair in _pairs(line):
        if pair.start == column - 1 and pair.flow:
            why = "inside `{ }` YAML takes `,` and brackets as its own and cuts the value there"
            return Trap("yaml.cut", why, _remedy(line, pair), column)
    return None


def tab_indents(line: str, column: int) -> bool:
    """Whether a tab stands in the indentation of ``line`` at or before ``column`` (from 1)."""
    indentation = line[: len(line) - len(line.lstrip())]
    return "\t" in indentation and column - 1 <= len(indentation)


def unbalanced(text: str) -> bool:
    """Whether a quote or bracket of ``text`` has no partner."""
    quote, depth = "", 0
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
    return bool(quote) or depth != 0


def _pairs(line: str) -> list[_Pair]:
    """The ``key: value`` pairs of a line, those nested in mappings and lists included."""
    pairs, position = [], 0
    while found := _PAIR.search(line, position):
        start = found.end()
        opened = line[: found.start("key")].strip(" \t-")
        flow = bool(opened) or line.rstrip().endswith(",")
        position = start
        if line[start] == "{" and not line.startswith("{{", start):
            continue
        end = _flow_end(line, start) if flow else len(line)
        value = line[start:end].rstrip()
        if value.startswith("[") and _PAIR.search(value):
            continue
        key = found["key"].strip("\"'")
        pairs.append(_Pair(key, start, start + len(value), value, flow))
        if "{{" not in value and not flow:
            break
        position = max(start, start + len(value) - 1)
    return pairs


def _flow_end(line: str, start: int) -> int:
    quote, depth = "", 0
    for at in range(start, len(line)):
        c = line[at]
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            if depth == 0:
                return at
            depth -= 1
        elif c == "," and depth == 0:
            return at
    return len(line)


_FIRST = {
    "*": "YAML takes `*` as an alias",
    "&": "YAML takes `&` as an anchor",
    "%": "a value can't begin with `%` in YAML",
    "@": "a value can't begin with `@` in YAML",
    "`": "a value can't begin with a backtick in YAML",
}


def _misread(pair: _Pair) -> str | None:
    """What YAML does to this unquoted value, in words; None if it takes it as meant."""
    value, first = pair.value, pair.value[:1]
    plain = value[: _comment(value)].rstrip()
    why = _FIRST.get(first)
    if first in "\"'":
        closing = closing_quote(value, 1, first)
        if closing > 0 and value[closing + 1 :].strip() and value[closing + 1 :].strip()[0] != "#":
            why = "YAML ends the value at the closing quote"
    elif first == "!":
        why = f"YAML takes `{value.split()[0]}` as a tag"
    elif value.startswith("{{"):
        why = "YAML reads `{{` as the beginning of a mapping"
    elif value.startswith("- "):
        why = "YAML takes `- ` as the beginning of a list"
    elif first == "[" and not pair.flow and _goes_on(plain):
        why = "YAML takes `[ ]` as a list, and nothing may stand behind it"
    elif not why and ": " in plain and (_expression(pair) or not pair.flow):
        why = "YAML takes `: ` inside the value as a new key"
    elif not why and pair.flow and _broken_by_flow(pair):
        why = "inside `{ }` YAML takes brackets, braces and commas as its own"
    return why


def _goes_on(value: str) -> bool:
    """Whether text stands behind the bracket that closes the one ``value`` begins with."""
    depth = 0
    for at, c in enumerate(value):
        depth += (c in "[{") - (c in "]}")
        if depth == 0:
            return bool(value[at + 1 :].strip())
    return False


def _broken_by_flow(pair: _Pair) -> bool:
    """Whether brackets of an unquoted value end it, and were meant as part of it."""
    if _expression(pair):
        return any(c in pair.value for c in "[]{},")
    return ": " not in pair.value and bool(_INDEXED.search(pair.value))


def _expression(pair: _Pair) -> bool:
    return pair.key in EXPRESSION_KEYS or "{{" in pair.value


def _remedy(line: str, pair: _Pair) -> str:
    before, value, behind = line[: pair.start], pair.value, line[pair.end :]
    tag = value.split()[0] if value.startswith("!") else ""
    if tag and not tag.startswith("!!") and pair.key in EXPRESSION_KEYS:
        right = f"not {value[1:].strip()}"
        return f"say `not`: {_shown(before + right + behind)}"
    if value.startswith("{{") and pair.key in EXPRESSION_KEYS:
        bare = _BRACES.sub(r"\1", value)
        right = bare if _stands_unquoted(_Pair(pair.key, 0, 0, bare, pair.flow)) else _quote(bare)
        return f"an expression stands without {{{{ }}}}: {_shown(before + right + behind)}"
    if tag.startswith("!!"):
        value = value[len(tag) :].strip() or value
    return f"quote the value: {_shown(before + _quote(_unwrapped(value)) + behind)}"


def _stands_unquoted(pair: _Pair) -> bool:
    return _misread(pair) is None and " #" not in pair.value


def _unwrapped(value: str) -> str:
    """``value`` without the quotes around it, if its author meant them to go round all of it."""
    first = value[:1]
    if first not in ("'", '"') or len(value) < 3 or not value.endswith(first):
        return value
    behind = value[value.index(first, 1) + 1 :][:1]
    return value[1:-1] if behind == first or behind.isalnum() else value


def _quote(value: str) -> str:
    if '"' not in value and "\\" not in value:
        return f'"{value}"'
    return "'" + value.replace("'", "''") + "'"


def _shown(line: str) -> str:
    return line.strip()


def _comment(value: str) -> int:
    found = re.search(r"[ \t]#", value)
    return found.start() if found else len(value)
