"""Text → Jinja2's syntax tree, with bounds before and places after.

Jinja2's own lexer cuts the tokens and Jinja2's own parser reads them; in between every token gets
its offset in place of its line number, so that errors and nodes know their column. Brackets and
prefix operators are counted before the parser, which recurses, sees them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, operators
from jinja2.parser import Parser

from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.limits import MAX_DEPTH, MAX_INTEGER, MAX_NODES, MAX_SOURCE

_ENVIRONMENT = Environment(keep_trailing_newline=True)  # noqa: S701 - nothing is rendered with it
_PREFIXES = frozenset({"sub", "add"})
_OPENING = frozenset({"lparen", "lbracket", "lbrace"})
_CLOSING = frozenset({"rparen", "rbracket", "rbrace"})
_OPERANDS = _CLOSING | {"name", "string", "integer", "float"}
_KEYWORDS = frozenset({"and", "or", "not", "in", "if", "else", "is"})

_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "\n": ""}

_CHARACTERS = {
    "&": "did you mean 'and'?",
    "!": "did you mean 'not'?",
    "?": "did you mean 'x if condition else y'?",
    "$": "names stand bare: user.email",
    "'": "a quote is not closed",
    '"': "a quote is not closed",
    "#": "there are no comments in an expression",
}
_PAIRS = {
    ("pipe", "pipe"): ("'||' is not an operator", "did you mean 'or'?"),
    ("eq", "assign"): ("'===' is not an operator", "did you mean '=='?"),
    ("ne", "assign"): ("'!==' is not an operator", "did you mean '!='?"),
    ("lt", "gt"): ("'<>' is not an operator", "did you mean '!='?"),
    ("assign", "gt"): ("'=>' is not an operator", "did you mean '>='?"),
    ("lbrace", "lbrace"): (
        "'{{' has no place inside an expression",
        "an expression stands bare: user.email, not {{ user.email }}",
    ),
    ("string", "string"): ("two texts side by side", "a ',' or a '~' is missing between them"),
}
_WORDS = {
    "AND": "did you mean 'and'?",
    "OR": "did you mean 'or'?",
    "NOT": "did you mean 'not'?",
    "IN": "did you mean 'in'?",
    "contains": "did you mean: 'x' in user.tags?",
    "like": "did you mean: 'x' in user.name?",
    "then": "did you mean 'x if condition else y'?",
    "is": "did you mean '=='? 'x == none' tests for a missing one",
}


def parse(source: str) -> nodes.Expr:
    """The syntax tree of one expression; ``lineno`` of each node is its offset in ``source``.

    Raises :class:`ExpressionError` for anything that isn't one expression within the bounds.
    """
    if not isinstance(source, str):
        raise ExpressionError("an expression is a text", remedy=f"in quotes: '{source}'")
    if len(source) > MAX_SOURCE:
        raise ExpressionError(
            f"longer than {MAX_SOURCE:,} characters", MAX_SOURCE, "divide it with a set step"
        )
    tokens = list(_tokens(source.replace("\r\n", " \n").replace("\r", "\n")))
    if not tokens:
        raise ExpressionError("an expression is missing")
    _check_pairs(tokens)
    _check_nesting(tokens)
    tree = _read(source, tokens)
    _check_size(tree)
    return tree


def _read(source: str, tokens: list[Token]) -> nodes.Expr:
    parser = Parser(_ENVIRONMENT, "", state="variable")
    parser.stream = TokenStream(iter(tokens), None, None)
    try:
        tree = parser.parse_expression()
    except TemplateSyntaxError as error:
        current = parser.stream.current
        raise _syntax_error(source, current, error.message or "not an expression") from None
    except RecursionError:
        raise ExpressionError("nested too deeply", 0, "divide it with a set step") from None
    if parser.stream.current.type != "eof":
        raise _syntax_error(source, parser.stream.current, "")
    return tree


def _tokens(source: str) -> Iterator[Token]:
    offset = 0
    try:
        for _, kind, text in _ENVIRONMENT.lexer.tokeniter(source, None, None, "variable"):
            if kind != "whitespace":
                yield _token(kind, text, offset)
            offset += len(text)
    except TemplateSyntaxError as error:
        character = source[offset : offset + 1]
        if character in _CHARACTERS or "unexpected char" in (error.message or ""):
            message = f"unexpected {character!r}"
            raise ExpressionError(message, offset, _CHARACTERS.get(character, "")) from None
        raise ExpressionError(error.message or "not an expression", offset) from None


def _token(kind: str, text: str, offset: int) -> Token:
    if kind == "operator":
        return Token(offset, operators[text], text)
    if kind == "string":
        return Token(offset, kind, _unescape(text[1:-1], offset + 1))
    if kind == "integer":
        number = int(text.replace("_", ""), 0)
        if number > MAX_INTEGER:
            raise ExpressionError("the number is too large", offset, "in quotes it is a text")
        return Token(offset, kind, number)  # type: ignore[arg-type]
    if kind == "float":
        value = float(text.replace("_", ""))
        if value == float("inf"):
            raise ExpressionError("the number is too large", offset)
        return Token(offset, kind, value)  # type: ignore[arg-type]
    if kind == "name" and not text.isidentifier():
        raise ExpressionError(
            f"{text!r} is not a name", offset, "in brackets and quotes: user['2nd name']"
        )
    return Token(offset, kind, text)


def _unescape(text: str, offset: int) -> str:
    def character(match: re.Match[str]) -> str:
        escape = match[1]
        if escape in _ESCAPES:
            return _ESCAPES[escape]
        code = int(escape[1:], 16) if len(escape) == 5 else 0
        if code == 0 or 0xD800 <= code <= 0xDFFF:
            raise ExpressionError(
                f"unknown escape {match[0]!r}", offset + match.start(), r"a backslash itself is \\"
            )
        return chr(code)

    if "\0" in text:
        raise ExpressionError("a text can't hold the character NUL", offset + text.index("\0"))
    return _ESCAPE.sub(character, text) if "\\" in text else text


def _check_pairs(tokens: list[Token]) -> None:
    for first, second in pairwise(tokens):
        problem = _PAIRS.get((first.type, second.type))
        if problem is None:
            continue
        touching = second.lineno == first.lineno + len(str(first.value))
        if touching or first.type == "string":
            raise ExpressionError(problem[0], first.lineno, problem[1])


def _check_nesting(tokens: list[Token]) -> None:
    """Refuse more than ``MAX_DEPTH`` brackets and prefix operators inside one another."""
    levels: list[int] = []
    depth = prefixes = 0
    operand = False
    for token in tokens:
        word = token.value if token.type == "name" else ""
        if token.type in _OPENING:
            levels.append(prefixes + 1)
            depth += prefixes + 1
            prefixes = 0
        elif token.type in _CLOSING:
            if levels:
                depth -= levels.pop()
            prefixes = 0
        elif word == "not" or (token.type in _PREFIXES and not operand):
            prefixes += 1
        else:
            prefixes = 0
        operand = token.type in _OPERANDS and word not in _KEYWORDS
        if depth + prefixes > MAX_DEPTH:
            raise ExpressionError(
                f"nested deeper than {MAX_DEPTH} levels", token.lineno, "divide it with a set step"
            )


def _check_size(tree: nodes.Expr) -> None:
    """Bound nodes and depth; a path, or a chain of one of ``and`` and ``or``, is one level."""
    count = 0
    waiting: list[tuple[nodes.Node, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        count += isinstance(node, nodes.Expr)
        if count > MAX_NODES or depth > MAX_DEPTH:
            what = f"more than {MAX_NODES} parts" if count > MAX_NODES else "nested too deeply"
            raise ExpressionError(what, node.lineno, "divide it with a set step, or use 'in [...]'")
        waiting.extend(
            (child, depth + (not _same_level(node, child))) for child in node.iter_child_nodes()
        )


def _same_level(node: nodes.Node, child: nodes.Node) -> bool:
    if isinstance(node, nodes.And | nodes.Or):
        return type(child) is type(node) and child is node.left
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        return child is node.node
    return not isinstance(child, nodes.Expr)


def _syntax_error(source: str, token: Token, message: str) -> ExpressionError:
    if token.type == "eof":
        return ExpressionError("the expression ends too early", len(source))
    text = str(token.value)
    if token.type == "assign":
        return ExpressionError("unexpected '='", token.lineno, "did you mean '=='?")
    if token.type == "variable_end":
        return ExpressionError(
            f"unexpected {text.strip()!r}", token.lineno, "an expression stands bare, without {{ }}"
        )
    if token.type == "name" and text in _WORDS:
        return ExpressionError(f"unexpected {text!r}", token.lineno, _WORDS[text])
    if not message or message.startswith("unexpected"):
        return ExpressionError(f"unexpected {text!r}", token.lineno)
    message = message.replace("end of template", "the end")
    return ExpressionError(message, token.lineno)
