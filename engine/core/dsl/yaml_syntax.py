"""A YAML syntax error in words that say what to do.

The parser says where it could go on no more; the slip often stands earlier: a quote or a bracket
that was opened and never closed, a line that lacks its colon. What to blame is judged from the
lines, as they stand, around the parser's two marks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.core.dsl import yaml_traps
from engine.core.dsl.problems import Lines, Place
from engine.core.dsl.unclosed import hidden_closing, unclosed_bracket, unclosed_quote

if TYPE_CHECKING:
    from engine.errors import Problem

_TAB_REMEDY = "indent with spaces"
_INDENT = "check the indentation: keys that belong together stand in line"

_WORDS = (
    ("mapping values are not allowed", "`: ` can't stand here", f"quote the value, or {_INDENT}"),
    (
        "expected ',' or '}'",
        "a `,` is missing, or a `{` isn't closed",
        "put a `,` between the entries, close it with `}`, or quote the value",
    ),
    (
        "expected ',' or ']'",
        "a `,` is missing, or a `[` isn't closed",
        "put a `,` between the items, close it with `]`, or quote the value",
    ),
    ("unexpected end of stream", "a quote isn't closed", "close it with the quote that opened it"),
    ("expected key", "a key is expected here", f"{_INDENT}; quote a value that holds quotes"),
    (
        "expected '-' indicator",
        "a list item (`- `) is expected here",
        "begin the item with `- `, or check the indentation",
    ),
    ("expected <block end>", "this doesn't fit the lines above", _INDENT),
    ("expected <document start>", "this doesn't fit the lines above", _INDENT),
    ("could not find expected ':'", "a key without `:`", "write `key: value`"),
    ("cannot start any token", "a value can't begin with this character", "quote the value"),
    ("invalid Unicode character", "this escape stands for no character", "take it out"),
    ("unknown directive", "YAML directives (`%`) aren't read here", "take the line out"),
    ("incompatible YAML", "YAML of another version", "take the line with `%YAML` out"),
    ("duplicate %", "YAML directives (`%`) aren't read here", "take the lines out"),
    ("unknown escape character", "there is no such escape in double quotes", "use single quotes"),
    (
        "sequence entries are not allowed",
        "a list item can't stand here",
        "begin the list on its own line",
    ),
)
_COLONLESS = ("could not find expected ':'", "mapping values are not allowed")
_IN_COLLECTION = ("expected ',' or '}'", "expected ',' or ']'")

_WORD = re.compile(r"(?P<before>\s*(?:- +)*)(?P<key>[A-Za-z_][\w-]*)(?P<rest>[^'\"{\[|>#]*)")
_ODD_SPACE = re.compile(r"[ \t]*([\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff])")
_SPACES = {"\u00a0": "a no-break space", "\u3000": "a wide space"}


def syntax_problem(lines: Lines, places: list[Place], said: str) -> Problem:
    """The problem where YAML stumbled: ``places`` say where, then what it was reading."""
    return (
        _indentation(lines, places)
        or _cut(lines, places)
        or _not_closed(lines, places, said)
        or _trap(lines, places)
        or _without_colon(lines, places, said)
        or _dash(lines, places[0])
        or _in_words(lines, places, said)
    )


def _indentation(lines: Lines, places: list[Place]) -> Problem | None:
    """A tab, or a space that isn't one, before the first word of a line."""
    for place in places:
        if yaml_traps.tab_indents(lines.raw(place.line), place.column):
            return lines.problem("yaml.tab", "a tab can't indent YAML", place, _TAB_REMEDY)
    for line in (places[0].line, places[0].line - 1, places[-1].line):
        if found := _ODD_SPACE.match(lines.raw(line)):
            space = found[1]
            name = _SPACES.get(space, "an invisible character")
            message = f"{name} (U+{ord(space):04X}) can't indent YAML"
            return lines.problem("yaml.syntax", message, Place(line, found.end()), _TAB_REMEDY)
    return None


def _cut(lines: Lines, places: list[Place]) -> Problem | None:
    """A `` #`` in or right above the line of a mark that hides what closes a bracket."""
    for number in sorted({places[0].line - 1, places[0].line, places[-1].line}):
        line = lines.raw(number)
        if (at := hidden_closing(line)) >= 0:
            message = "YAML takes ` #` as the beginning of a comment and cuts the line there"
            remedy = f"quote the value: {line[at:].split(',')[0].strip(' }]')!r}"
            return lines.problem("yaml.cut", message, Place(number, at + 1), remedy)
    return None


def _not_closed(lines: Lines, places: list[Place], said: str) -> Problem | None:
    """A quote or a bracket that was opened in a line above, and never closed there."""
    if place := unclosed_quote(lines, places[0]):
        quote = lines.raw(place.line)[place.column - 1]
        remedy = f"close it with {quote} at the end of the value"
        return lines.problem("yaml.syntax", "this quote isn't closed", place, remedy)
    in_collection = any(words in said for words in _IN_COLLECTION)
    if in_collection and (place := unclosed_bracket(lines, places[0], places[-1])):
        bracket = lines.raw(place.line)[place.column - 1]
        closing = "]" if bracket == "[" else "}"
        message = f"this `{bracket}` isn't closed"
        return lines.problem("yaml.syntax", message, place, f"close it with `{closing}`")
    at = lines.raw(places[0].line)[places[0].column - 1 : places[0].column]
    if at and at in "}]" and not in_collection:
        message = f"this `{at}` closes nothing"
        return lines.problem("yaml.syntax", message, places[0], "take it out, or quote the value")
    return None


def _trap(lines: Lines, places: list[Place]) -> Problem | None:
    """A value that YAML takes apart, in the line of a mark or the one above."""
    for place in (*places, Place(places[0].line - 1, 1)):
        if trap := yaml_traps.explain(lines.raw(place.line), place.column):
            at = Place(place.line, trap.column)
            return lines.problem(trap.code, trap.message, at, trap.remedy)
    return None


def _without_colon(lines: Lines, places: list[Place], said: str) -> Problem | None:
    """A line that should have been ``key: value``: the one that YAML was reading, or stands above
    the one where it gave up.
    """
    if not any(words in said for words in _COLONLESS):
        return None
    for number in sorted({places[-1].line, places[0].line - 1, places[0].line}):
        line = lines.raw(number)
        found = _WORD.fullmatch(line.rstrip())
        if found is None or ": " in line or line.rstrip().endswith(":"):
            continue
        rest = found["rest"].strip().lstrip(":=\uff1a").strip()
        shown = f"{found['before'].strip()} {found['key']}: {rest}".strip()
        place = Place(number, found.start("key") + 1, len(found["key"]))
        spaced = found["rest"].startswith((":", "\uff1a"))
        message = "a space is missing behind the colon" if spaced else "a key without `:`"
        return lines.problem("yaml.syntax", message, place, f"write `{shown}`")
    return None


def _dash(lines: Lines, place: Place) -> Problem | None:
    """A ``-`` that doesn't begin an item, or begins one where there is no list; a lone ``:``."""
    line = lines.raw(place.line)
    text = line[place.column - 1 :].rstrip()
    if re.match(r":(?:\s|$)", text) and not line[: place.column - 1].strip(" -"):
        return lines.problem("yaml.key", "a key is missing here", place, "write `key: value`")
    if re.match(r"-[^\s-]", text):
        message = "a space is missing behind `-`"
        return lines.problem("yaml.syntax", message, place, f"write `- {text[1:60]}`")
    above = next((lines.raw(n) for n in range(place.line - 1, 0, -1) if lines.raw(n).strip()), "")
    if text.startswith("- ") and ":" in above and not above.rstrip().endswith(":"):
        message = "a list item can't stand among keys"
        remedy = f"take out `- ` to make it a key of the lines above, or {_INDENT}"
        return lines.problem("yaml.syntax", message, place, remedy)
    return None


def _in_words(lines: Lines, places: list[Place], said: str) -> Problem:
    for words, message, remedy in _WORDS:
        if words in said:
            place = places[-1] if "end of stream" in words else places[0]
            return lines.problem("yaml.syntax", message, place, remedy)
    return lines.problem(
        "yaml.syntax", "this isn't YAML", places[0], "check quotes and indentation"
    )
