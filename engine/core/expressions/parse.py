"""Text → Jinja2's syntax tree, with bounds before and places after.

Jinja2's own lexer cuts the tokens and Jinja2's own parser reads them; in between every token gets
its offset in place of its line number, so that errors and nodes know their column. Brackets and
prefix operators are counted before the parser, which recurses, sees them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, operators
from jinja2.parser import Parser

from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.limits import MAX_DEPTH, MAX_INTEGER, MAX_NODES, MAX_SOURCE
from engine.core.expressions.slips import CHARACTERS, check_pairs, syntax_error

_ENVIRONMENT = Environment(keep_trailing_newline=True)  # noqa: S701 - nothing is rendered with it
_PREFIXES = frozenset({"sub", "add"})
_OPENING = frozenset({"lparen", "lbracket", "lbrace"})
_CLOSING = frozenset({"rparen", "rbracket", "rbrace"})
_OPERANDS = _CLOSING | {"name", "string", "integer", "float"}
_KEYWORDS = frozenset({"and", "or", "not", "in", "if", "else", "is"})

_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "\n": ""}


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
    check_pairs(tokens)
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
        said = error.message or "not an expression"
        raise syntax_error(source, tokens, current, said) from None
    except RecursionError:
        raise ExpressionError("nested too deeply", 0, "divide it with a set step") from None
    if parser.stream.current.type != "eof":
        raise syntax_error(source, tokens, parser.stream.current, "")
    return tree


def _tokens(source: str) -> Iterator[Token]:
    offset = 0
    try:
        for _, kind, text in _ENVIRONMENT.lexer.tokeniter(source, None, None, "variable"):
            if kind != "whitespace":
                yield _token(kind, text, offset)
            offset += len(text)
    except TemplateSyntaxError as error:
        both, character = source[offset : offset + 2], source[offset : offset + 1]
        found = both if both in CHARACTERS else character
        if found in CHARACTERS or "unexpected char" in (error.message or ""):
            message = f"unexpected {found!r}"
            raise ExpressionError(message, offset, CHARACTERS.get(found, "")) from None
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
