"""Texts with ``{{ }}`` in them, cut into literal pieces and expressions."""

from __future__ import annotations

from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.grammar import Expression, compile_expression

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_STATEMENTS = {"{%": "a statement", "{#": "a comment"}
_INSTEAD = {
    "{%": "a choice is {{ 'a' if user.vip else 'b' }}, the characters themselves {{ '{%' }}",
    "{#": "for the characters themselves: {{ '{#' }}",
}


def has_template(text: str) -> bool:
    """Whether ``text`` holds ``{{``, or ``{%`` or ``{#``, which :func:`cut` refuses."""
    return "{{" in text or "{%" in text or "{#" in text


def cut(text: str, allow: frozenset[str]) -> list[str | Expression]:
    """The pieces of ``text`` in order, no empty literals; expressions compiled.

    ``{{`` begins an expression, the first ``}}`` outside its quotes and brackets ends it. A literal
    ``{{`` is written ``{{ '{{' }}``. Raises :class:`ExpressionError` with offsets in ``text``.
    """
    pieces: list[str | Expression] = []
    position = 0
    while position < len(text):
        start = text.find("{{", position)
        literal = text[position : start if start >= 0 else len(text)]
        _check_literal(literal, position)
        if literal:
            pieces.append(literal)
        if start < 0:
            break
        end = _end_of(text, start + 2)
        pieces.append(_compiled(text, start + 2, end, allow))
        position = end + 2
    return pieces


def _check_literal(literal: str, offset: int) -> None:
    for opening, what in _STATEMENTS.items():
        if opening in literal:
            raise ExpressionError(
                f"'{opening}' begins {what}, which a value doesn't have",
                offset + literal.index(opening),
                _INSTEAD[opening],
            )


def _end_of(text: str, start: int) -> int:
    """Where the ``}}`` stands that ends the expression begun before ``start``."""
    expected: list[str] = []
    quote = ""
    position = start
    while position < len(text):
        character = text[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif not expected and text.startswith("}}", position):
            return position
        elif character in _CLOSERS:
            expected.append(_CLOSERS[character])
        elif expected and character == expected[-1]:
            expected.pop()
        position += 1
    if expected and not quote and "}}" in text[start:]:
        remedy = f"close what it opened with '{expected[-1]}', before the '}}}}'"
    else:
        remedy = "a quote is not closed" if quote else "end it with '}}'"
    raise ExpressionError("'{{' is not closed", start - 2, remedy)


def _compiled(text: str, start: int, end: int, allow: frozenset[str]) -> Expression:
    source = text[start:end]
    if source[:1] in ("-", "+") or source[-1:] in ("-", "+"):
        raise ExpressionError(
            "'{{-' and '-}}' are not part of the language",
            start,
            "for a sign leave a space: {{ -1 }}",
        )
    bare = source.strip()
    offset = start + source.find(bare)
    try:
        return compile_expression(bare, allow=allow)
    except ExpressionError as error:
        if source[:1] == "{" and source[-1:] == "}" and ":" not in source:
            remedy = "two braces are enough: {{ user.email }}"
            raise ExpressionError("three braces make an object", start, remedy) from None
        raise error.at((), offset) from None
