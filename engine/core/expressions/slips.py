"""What was most likely meant where the parser gave up: other languages' operators and words."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise

from jinja2.lexer import Token

from engine.core.expressions.errors import ExpressionError

_STRAIGHT = "write straight quotes: ' or \""
CHARACTERS = {
    "&": "did you mean 'and'?",
    "!": "did you mean 'not'?",
    "?": "did you mean 'x if condition else y'?",
    "??": "did you mean: x | default(y)?",
    "$": "names stand bare: user.email",
    "'": "a quote is not closed",
    '"': "a quote is not closed",
    "#": "there are no comments in an expression",
    **dict.fromkeys("\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00b4", _STRAIGHT),
    **dict.fromkeys("\u2013\u2014\u2212", "write '-'"),
    "\u00d7": "write '*'",
    "\u2264": "write '<='",
    "\u2265": "write '>='",
    "\u2260": "write '!='",
    "\u00a0": "write a plain space",
}
"""A character that begins no token → what was meant by it."""

_PAIRS = {
    ("pipe", "pipe"): ("'||' is not an operator", "did you mean 'or'?"),
    ("eq", "assign"): ("'===' is not an operator", "did you mean '=='?"),
    ("ne", "assign"): ("'!==' is not an operator", "did you mean '!='?"),
    ("lt", "gt"): ("'<>' is not an operator", "did you mean '!='?"),
    ("assign", "gt"): ("'=>' is not an operator", "did you mean '>='?"),
    ("assign", "lt"): ("'=<' is not an operator", "did you mean '<='?"),
    ("gt", "assign"): ("'> =' is not an operator", "did you mean '>='?"),
    ("lt", "assign"): ("'< =' is not an operator", "did you mean '<='?"),
    ("lbrace", "lbrace"): (
        "'{{' has no place inside an expression",
        "an expression stands bare: user.email, not {{ user.email }}",
    ),
    ("string", "string"): ("two texts side by side", "a ',' or a '~' is missing between them"),
}
_APART = frozenset({("string", "string"), ("gt", "assign"), ("lt", "assign")})
_NONE = "did you mean '=='? x == none tests for a missing one, x != none for one that is there"
_WORDS = {
    "AND": "did you mean 'and'?",
    "OR": "did you mean 'or'?",
    "NOT": "did you mean 'not'?",
    "IN": "did you mean 'in'?",
    "contains": "did you mean: 'x' in user.tags?",
    "includes": "did you mean: 'x' in user.tags?",
    "like": "did you mean: 'x' in user.name?",
    "matches": "did you mean: 'x' in user.name?",
    "then": "did you mean 'x if condition else y'?",
    "between": "did you mean: 1 <= x <= 9?",
    "is": _NONE,
    "IS": _NONE,
    "equals": "did you mean '=='?",
    "eq": "did you mean '=='?",
    "ne": "did you mean '!='?",
    "gt": "did you mean '>'?",
    "gte": "did you mean '>='?",
    "ge": "did you mean '>='?",
    "lt": "did you mean '<'?",
    "lte": "did you mean '<='?",
    "le": "did you mean '<='?",
}
_BEGINNINGS = {
    "if": "leave 'if' out: the key it stands behind says it",
    "when": "leave 'when' out: the key it stands behind says it",
    "where": "leave 'where' out: the key it stands behind says it",
    "unless": "did you mean 'not'?",
}
_OPENING = {"lparen": ")", "lbracket": "]", "lbrace": "}"}
_CLOSING = frozenset({"rparen", "rbracket", "rbrace"})
_FUNCTIONS = frozenset({"visits", "has_event", "event_count", "days_since", "days_until", "date"})


def check_pairs(tokens: Sequence[Token]) -> None:
    """Raise :class:`ExpressionError` for two tokens that make an operator of another language."""
    for first, second in pairwise(tokens):
        kinds = (first.type, second.type)
        if kinds not in _PAIRS:
            continue
        touching = second.lineno == first.lineno + len(str(first.value))
        if touching or kinds in _APART:
            raise ExpressionError(_PAIRS[kinds][0], first.lineno, _PAIRS[kinds][1])


def syntax_error(
    source: str, tokens: Sequence[Token], current: Token, said: str
) -> ExpressionError:
    """The error at the token ``current``, where the parser ``said`` why it gave up ('' if it only
    had enough)."""
    if current.type == "eof":
        return _ends_early(source, tokens)
    at = next((i for i, token in enumerate(tokens) if token is current), len(tokens))
    before = tokens[at - 1] if 0 < at < len(tokens) else None
    text = str(current.value)
    remedy = _remedy(tokens, at, before, current)
    if at == 1 and before is not None and str(before.value) in _BEGINNINGS:
        word = str(before.value)
        return ExpressionError(
            f"an expression doesn't begin with '{word}'", before.lineno, _BEGINNINGS[word]
        )
    if current.type == "name" and current is tokens[0] and text in _BEGINNINGS:
        return ExpressionError(
            f"an expression doesn't begin with '{text}'", current.lineno, _BEGINNINGS[text]
        )
    if current.type == "variable_end":
        message = f"unexpected {text.strip()!r}"
        return ExpressionError(message, current.lineno, "an expression stands bare, without {{ }}")
    if remedy or not said or said.startswith("unexpected"):
        return ExpressionError(f"unexpected {text!r}", current.lineno, remedy)
    return ExpressionError(said.replace("end of template", "the end"), current.lineno)


def _remedy(tokens: Sequence[Token], at: int, before: Token | None, current: Token) -> str:
    """What may have been meant by ``current``, the token at ``at``, behind ``before``."""
    text = str(current.value)
    if current.type == "assign":
        return "did you mean '=='?"
    if current.type == "name" and text in _WORDS:
        return _WORDS[text]
    if before is None:
        return ""
    behind = tokens[at + 1] if at + 1 < len(tokens) else None
    kinds = (before.type, current.type, behind.type if behind else "")
    if kinds == ("integer", "comma", "integer") and behind is not None:
        digits = "00" if str(behind.value) == "0" else behind.value
        return f"a decimal point is a point: {before.value}.{digits}"
    piped = at > 1 and tokens[at - 2].type == "pipe"
    return _side_by_side(before, current, piped) if current.type in _BESIDE else ""


_BESIDE = frozenset({"name", "string", "integer"})


def _side_by_side(before: Token, current: Token, piped: bool) -> str:
    """What is missing between two words; ``piped``: the first is a filter."""
    word = str(before.value) if before.type == "name" else ""
    if word and (piped or word in _FUNCTIONS):
        return f"its argument stands in ( ): {word}(...)"
    if word and get_close_matches(word, ("not",), cutoff=0.6):
        return "did you mean 'not'?"
    return "" if current.type == "integer" else "'and', 'or' or a comparison is missing before it"


def _ends_early(source: str, tokens: Sequence[Token]) -> ExpressionError:
    """The end came too soon: a bracket is open, or an operand is missing."""
    expected: list[tuple[str, Token]] = []
    for token in tokens:
        if token.type in _OPENING:
            expected.append((_OPENING[token.type], token))
        elif token.type in _CLOSING and expected:
            expected.pop()
    message = "the expression ends too early"
    if expected:
        closing, opened = expected[-1]
        return ExpressionError(message, len(source), f"close the '{opened.value}' with '{closing}'")
    last = str(tokens[-1].value) if tokens else ""
    return ExpressionError(message, len(source), f"something is missing behind {last!r}")
