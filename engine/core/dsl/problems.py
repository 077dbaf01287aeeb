"""How a problem of a file is made, ordered and shown, the way a compiler does it."""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.core.dsl.literal_secrets import masked, masked_shapes
from engine.core.inert import inert
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_OF_A_KIND = 10
"""So many problems of one kind are reported of YAML's own: what floods a file is one mistake."""

MOST_PROBLEMS = 200
"""So many problems of one file are reported; a file with more is wrong as a whole."""

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_LONGEST_LINE = 2_000
_WINDOW = 160


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a file: line and column count from 1; ``length`` is in characters
    and 0 where it goes on over the line's end.
    """

    line: int
    column: int
    length: int = 0


class Lines:
    """The lines of a source text, broken where YAML breaks them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._raw: list[str] | None = None
        self._shown: list[str] | None = None

    def raw(self, line: int) -> str:
        """Line number ``line`` as written ('' behind the end). Not to be shown."""
        if self._raw is None:
            self._raw = _BREAK.split(self._text)
        return self._raw[line - 1] if 0 < line <= len(self._raw) else ""

    def shown(self, line: int) -> str:
        """Line number ``line`` with secrets as ``*``, cut at 2,000 characters."""
        if self._shown is None:
            self._shown = _BREAK.split(masked(self._text))
        return self._shown[line - 1][:_LONGEST_LINE] if 0 < line <= len(self._shown) else ""

    def problem(
        self,
        code: str,
        message: str,
        place: Place,
        remedy: str = "",
        *,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem at ``place``. Secret-looking parts of ``message`` and ``remedy`` are masked."""
        return Problem(
            code=code,
            message=_one_line(masked_shapes(message)),
            line=place.line,
            column=place.column,
            remedy=_one_line(masked(remedy)),
            text=self.shown(place.line),
            severity=severity,
            end=place.column + place.length if place.length else 0,
        )


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """``problems`` by place, each once; beyond :data:`MOST_PROBLEMS`, and for YAML's own beyond
    :data:`MOST_OF_A_KIND` of one code, the last one counts them.
    """
    kept: list[Problem] = []
    kinds: dict[str, list[Problem]] = {}
    for problem in by_place(problems):
        kind = kinds.setdefault(problem.code, [])
        kind.append(problem)
        if len(kind) <= MOST_OF_A_KIND or not problem.code.startswith("yaml."):
            kept.append(problem)
    for code, kind in kinds.items():
        if code.startswith("yaml.") and len(kind) > MOST_OF_A_KIND:
            kept.append(_more(kind, MOST_OF_A_KIND, "more of this kind"))
    ordered = tuple(sorted(kept, key=lambda problem: (problem.line, problem.column)))
    if len(ordered) <= MOST_PROBLEMS:
        return ordered
    return (*ordered[: MOST_PROBLEMS - 1], _more(ordered, MOST_PROBLEMS - 1, "more problems"))


def _more(problems: Sequence[Problem], known: int, what: str) -> Problem:
    """That ``problems`` go on behind the first ``known`` of them."""
    first = problems[known]
    return Problem(
        code="file.more_problems",
        message=f"and {len(problems) - known} {what} from here on",
        line=first.line,
        column=first.column,
        severity=first.severity,
    )


def by_place(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """``problems`` by place, each once."""
    unique = {(p.line, p.column, p.code, p.message): p for p in problems}
    return tuple(unique[key] for key in sorted(unique))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'did you mean `x`?' for the known word nearest to ``word``, or '' if none is near."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else ""


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The known word nearest to ``word``, or '' if none is near (to a short word: a short one)."""
    longest = len(word) + 1 if len(word) <= 3 else 1_000
    candidates = sorted(name for name in set(known) if len(name) <= longest)
    folded = {name.lower(): name for name in reversed(candidates)}
    near = difflib.get_close_matches(word.lower()[:100], list(folded), n=1, cutoff=cutoff)
    return folded[near[0]] if near else ""


_MOST_NAMED = 24


def one_of(known: Iterable[str]) -> str:
    """'one of a, b, c' of the known words, or '' if there are none or too many to help."""
    names = sorted(set(known))
    return f"one of {', '.join(names)}" if 0 < len(names) <= _MOST_NAMED else ""


def quoted(value: object) -> str:
    """``value`` as it may be shown in a message: masked, on one line, at most 60 characters."""
    if isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    else:
        text = masked(str(value)[:1_000])
    text = _one_line(text)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def render(problem: Problem, file: str) -> str:
    """The problem as a compiler prints it: place, code, the line with a caret, the remedy.

    ::

        journeys/welcome.yaml:7:5: error: unknown key `endpont` in step `tips` [key.unknown]
            7 |     endpont: messenger
              |     ^
              = did you mean `endpoint`?
    """
    head = f"{file}:{problem.line}:{problem.column}: {problem.severity}: {problem.message}"
    shown = [f"{head} [{problem.code}]"]
    text, column = _window(problem.text, problem.column)
    if text.strip():
        number = str(problem.line)
        shown.append(f"{number:>5} | {_visible(text)}")
        if column <= len(text) + 1:
            shown.append(f"      | {' ' * _width(text[: column - 1])}^")
    if problem.remedy:
        shown.append(f"      = {problem.remedy}")
    return "\n".join(shown)


def _window(text: str, column: int) -> tuple[str, int]:
    """The part of a long line around ``column``, and where the column is in it."""
    if len(text) <= _WINDOW:
        return text, column
    start = max(0, min(column - 1 - _WINDOW // 2, len(text) - _WINDOW))
    cut = text[start : start + _WINDOW]
    before = "..." if start else ""
    after = "..." if start + _WINDOW < len(text) else ""
    return f"{before}{cut}{after}", column - start + len(before)


def _visible(text: str) -> str:
    """``text`` with tabs as one space and what isn't printable (terminal codes) as ``?``."""
    return inert(text.replace("\t", " "), instead="?")


def _width(text: str) -> int:
    """How many terminal cells ``text`` takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
