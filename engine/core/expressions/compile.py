"""Jinja2's syntax tree → closures over plain data.

Every node type that the language has is in one table, ``_NODES``; any other is refused. Nothing is
generated and nothing looks at Python's attributes. A node is compiled in one of two ways: plainly,
or as a *tail*, where the expression's result comes from; there a written ``none`` gives
``EXPLICIT_NULL``, so that a value can tell it from a null that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes

from engine.core.expressions import calls, compare
from engine.core.expressions.errors import ExpressionError, Unfillable
from engine.core.expressions.limits import check_string
from engine.core.expressions.names import compile_dotted, compile_root
from engine.core.expressions.operators import (
    ADD,
    DIVIDE,
    MODULO,
    MULTIPLY,
    SUBTRACT,
    Evaluate,
    Operation,
    kind_of,
    text_of,
)
from engine.core.expressions.references import Reading, constant_of
from engine.core.expressions.scope import Scope

EXPLICIT_NULL = object()
"""What a tail gives for a ``none`` that the author wrote."""


def compile_node(node: nodes.Expr, reading: Reading, tail: bool = False) -> Evaluate:
    """The closure of ``node``; what it names is added to ``reading``.

    Raises :class:`ExpressionError` for what isn't in the language.
    """
    compiler = _NODES.get(type(node))
    if compiler is None:
        message, remedy = _REFUSED.get(type(node), ("this is not part of the language", ""))
        raise ExpressionError(message, node.lineno, remedy)
    return compiler(node, reading, tail)


def has_special_tail(node: nodes.Expr) -> bool:
    """Whether ``node`` as a tail differs from ``node`` compiled plainly."""
    special = (nodes.Const, nodes.CondExpr, nodes.And, nodes.Or, nodes.List, nodes.Dict)
    if isinstance(node, nodes.Name):
        return node.name == "null"
    return isinstance(node, special) or (isinstance(node, nodes.Filter) and node.name == "default")


def _constant(node: nodes.Const, _: Reading, tail: bool) -> Evaluate:
    value = node.value
    if value is None and tail:
        value = EXPLICIT_NULL
    return lambda scope: value


def _name(node: nodes.Name, reading: Reading, tail: bool) -> Evaluate:
    if node.name == "null":
        return _constant(nodes.Const(None, lineno=node.lineno), reading, tail)
    return compile_root(node, reading)


def _path(node: nodes.Getattr | nodes.Getitem, reading: Reading, _: bool) -> Evaluate:
    return compile_dotted(node, reading, compile_node)


def _operands(node: nodes.And | nodes.Or) -> list[nodes.Expr]:
    """A left-leaning chain of the same operator, in order."""
    chain: list[nodes.Expr] = []
    here: nodes.Expr = node
    while type(here) is type(node):
        assert isinstance(here, nodes.And | nodes.Or)  # noqa: S101 - for the type checker
        chain.append(here.right)
        here = here.left
    return [here, *reversed(chain)]


def _and(node: nodes.And, reading: Reading, tail: bool) -> Evaluate:
    *before, last_node = _operands(node)
    first, *between = [compile_node(operand, reading) for operand in before]
    last = compile_node(last_node, reading, tail)
    if not between:
        return lambda scope: last(scope) if (value := first(scope)) else value

    def every(scope: Scope) -> object:
        value = first(scope)
        if not value:
            return value
        for operand in between:
            value = operand(scope)
            if not value:
                return value
        return last(scope)

    return every


def _or(node: nodes.Or, reading: Reading, tail: bool) -> Evaluate:
    *before, last_node = _operands(node)
    first, *between = [compile_node(operand, reading) for operand in before]
    last = compile_node(last_node, reading, tail)
    if not between:
        return lambda scope: first(scope) or last(scope)

    def either(scope: Scope) -> object:
        value = first(scope)
        if value:
            return value
        for operand in between:
            value = operand(scope)
            if value:
                return value
        return last(scope)

    return either


def _not(node: nodes.Not, reading: Reading, _: bool) -> Evaluate:
    inner = compile_node(node.node, reading)
    return lambda scope: not inner(scope)


def _condition(node: nodes.CondExpr, reading: Reading, tail: bool) -> Evaluate:
    if node.expr2 is None:
        raise ExpressionError("'if' without 'else'", node.lineno, "add: else none")
    test = compile_node(node.test, reading)
    then = compile_node(node.expr1, reading, tail)
    otherwise = compile_node(node.expr2, reading, tail)
    return lambda scope: then(scope) if test(scope) else otherwise(scope)


def _operation(operation: Operation, symbol: str) -> Compiler:
    def compiler(node: nodes.BinExpr, reading: Reading, _: bool) -> Evaluate:
        for side in (node.left, node.right):
            known, value = constant_of(side)
            if known and isinstance(value, str) and symbol != "+":
                raise ExpressionError(
                    f"{symbol!r} doesn't take a text", side.lineno, "'~' joins texts"
                )
        left, right = compile_node(node.left, reading), compile_node(node.right, reading)
        excerpt = reading.excerpt
        return lambda scope: operation(left(scope), right(scope), scope, excerpt)

    return compiler


def _sign(node: nodes.Neg | nodes.Pos, reading: Reading, tail: bool) -> Evaluate:
    known, value = constant_of(node)
    if known:
        return _constant(nodes.Const(value, lineno=node.lineno), reading, tail)
    inner = compile_node(node.node, reading)
    excerpt = reading.excerpt
    operation = SUBTRACT if isinstance(node, nodes.Neg) else ADD
    return lambda scope: operation(0, inner(scope), scope, excerpt)


def _concat(node: nodes.Concat, reading: Reading, _: bool) -> Evaluate:
    parts = [compile_node(part, reading) for part in node.nodes]
    excerpt = reading.excerpt

    def joined(scope: Scope) -> object:
        texts: list[str] = []
        length = 0
        for part in parts:
            value = part(scope)
            if value is None:
                return None
            text = text_of(value, scope)
            if text is None:
                scope.note(f"{excerpt}: {kind_of(value)} has no text; '~' gives null")
                return None
            length += len(text)
            check_string(length)
            texts.append(text)
        return "".join(texts)

    return joined


def _list(node: nodes.List, reading: Reading, tail: bool) -> Evaluate:
    items = [compile_node(item, reading, tail) for item in node.items]
    if not tail:
        return lambda scope: [item(scope) for item in items]
    excerpt = reading.excerpt
    return lambda scope: [_filled(item(scope), excerpt) for item in items]


def _dict(node: nodes.Dict, reading: Reading, tail: bool) -> Evaluate:
    items: dict[str, Evaluate] = {}
    for pair in node.items:
        known, key = constant_of(pair.key)
        if not known or not isinstance(key, str):
            raise ExpressionError("a key is a text in quotes", pair.key.lineno)
        if key in items:
            raise ExpressionError(f"the key '{key}' stands twice", pair.key.lineno)
        items[key] = compile_node(pair.value, reading, tail)
    if not tail:
        return lambda scope: {key: item(scope) for key, item in items.items()}
    excerpt = reading.excerpt
    return lambda scope: {key: _filled(item(scope), excerpt) for key, item in items.items()}


def _filled(value: object, excerpt: str) -> object:
    if value is None:
        raise Unfillable(f"a part of {excerpt} is null; say | default(...)")
    return None if value is EXPLICIT_NULL else value


def _default(node: nodes.Filter, reading: Reading, tail: bool) -> Evaluate:
    value, falsy = calls.default_arguments(node)
    inner = compile_node(calls.subject(node), reading)
    fallback = compile_node(value, reading, tail)
    if falsy:
        return lambda scope: inner(scope) or fallback(scope)
    return lambda scope: fallback(scope) if (found := inner(scope)) is None else found


def _filter(node: nodes.Filter, reading: Reading, tail: bool) -> Evaluate:
    if node.name == "default":
        return _default(node, reading, tail)
    return calls.compile_filter(node, reading, compile_node)


def _call(node: nodes.Call, reading: Reading, _: bool) -> Evaluate:
    return calls.compile_call(node, reading, compile_node)


def _comparison(node: nodes.Compare, reading: Reading, _: bool) -> Evaluate:
    return compare.compile_comparison(node, reading, compile_node)


Compiler = Callable[..., Evaluate]

_NODES: dict[type[nodes.Node], Compiler] = {
    nodes.Const: _constant,
    nodes.Name: _name,
    nodes.Getattr: _path,
    nodes.Getitem: _path,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.Not: _not,
    nodes.Compare: _comparison,
    nodes.CondExpr: _condition,
    nodes.Add: _operation(ADD, "+"),
    nodes.Sub: _operation(SUBTRACT, "-"),
    nodes.Mul: _operation(MULTIPLY, "*"),
    nodes.Div: _operation(DIVIDE, "/"),
    nodes.Mod: _operation(MODULO, "%"),
    nodes.Neg: _sign,
    nodes.Pos: _sign,
    nodes.Concat: _concat,
    nodes.List: _list,
    nodes.Dict: _dict,
    nodes.Filter: _filter,
    nodes.Call: _call,
}

_REFUSED: dict[type[nodes.Node], tuple[str, str]] = {
    nodes.Pow: ("'**' is not an operator of the language", ""),
    nodes.FloorDiv: ("'//' is not an operator of the language", "did you mean (a / b) | int?"),
    nodes.Tuple: ("a list stands in [ ]", "did you mean [a, b]?"),
    nodes.Slice: ("a slice is not part of the language", "| first, | last, or [0]"),
    nodes.Test: (
        "'is' is not part of the language",
        "x == none tests for a missing one, x != none for one that is there",
    ),
}
