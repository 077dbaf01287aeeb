"""A YAML syntax error in words that say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.dsl import yaml_traps
from engine.core.dsl.problems import Lines, Place

if TYPE_CHECKING:
    from engine.errors import Problem

_TAB_REMEDY = "indent with spaces"

_WORDS = (
    (
        "mapping values are not allowed",
        "`: ` can't stand here",
        "quote the value, or check the indentation",
    ),
    (
        "expected ',' or '}'",
        "a `{` isn't closed, or a `,` is missing",
        "close it, or quote the value",
    ),
    (
        "expected ',' or ']'",
        "a `[` isn't closed, or a `,` is missing",
        "close it, or quote the value",
    ),
    ("unexpected end of stream", "a quote isn't closed", "close it with the quote that opened it"),
    (
        "expected key",
        "a key is expected here",
        "check the indentation; quote a value that holds quotes",
    ),
    ("expected '-' indicator", "a list item (`- `) is expected here", "check the indentation"),
    ("expected <block end>", "this doesn't fit the lines above", "check the indentation"),
    ("expected <document start>", "this doesn't fit the lines above", "check the indentation"),
    ("could not find expected ':'", "a key without `:`", "write `key: value`"),
    ("cannot start any token", "a value can't begin with this character", "quote the value"),
    ("unknown escape character", "there is no such escape in double quotes", "use single quotes"),
    (
        "sequence entries are not allowed",
        "a list item can't stand here",
        "begin the list on its own line",
    ),
)


def syntax_problem(lines: Lines, places: list[Place], said: str) -> Problem:
    """The problem where YAML stumbled: ``places`` say where, then what it was reading."""
    for place in places:
        if yaml_traps.tab_indents(lines.raw(place.line), place.column):
            return lines.problem("yaml.tab", "a tab can't indent YAML", place, _TAB_REMEDY)
    nearby = [*places, Place(places[0].line - 1, 1)]
    for place in nearby:
        if trap := yaml_traps.explain(lines.raw(place.line), place.column):
            at = Place(place.line, trap.column)
            return lines.problem(trap.code, trap.message, at, trap.remedy)
    for words, message, remedy in _WORDS:
        if words in said:
            place = places[-1] if "end of stream" in words else places[0]
            return lines.problem("yaml.syntax", message, place, remedy)
    return lines.problem(
        "yaml.syntax", "this isn't YAML", places[0], "check quotes and indentation"
    )
