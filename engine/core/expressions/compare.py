"""Comparisons as closures: the common shapes get one of their own, the rest the general rule."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes

from engine.core.expressions.operators import (
    COMPARISONS,
    Comparison,
    Evaluate,
)
from engine.core.expressions.references import Reading, constant_of
from engine.core.expressions.scope import Scope
from engine.core.expressions.step_words import check_words

CompileNode = Callable[[nodes.Expr, Reading], Evaluate]


def compile_comparison(
    node: nodes.Compare, reading: Reading, compile_node: CompileNode
) -> Evaluate:
    """``a == b``, ``a < b <= c``, ``a in b``."""
    check_words(node)
    if len(node.ops) == 1:
        return _pair(node.expr, node.ops[0], reading, compile_node)
    return _chain(node, reading, compile_node)


def _pair(
    left_node: nodes.Expr, operand: nodes.Operand, reading: Reading, compile_node: CompileNode
) -> Evaluate:
    left = compile_node(left_node, reading)
    right = compile_node(operand.expr, reading)
    excerpt, op = reading.excerpt, operand.op
    left_known, left_value = constant_of(left_node)
    known, value = constant_of(operand.expr)
    if op in ("eq", "ne") and (known and value is None):
        return _is_none(left, op)
    if op in ("eq", "ne") and (left_known and left_value is None):
        return _is_none(right, op)
    if known and isinstance(value, str) and op in ("eq", "ne"):
        return _with_text(left, op, value, excerpt)
    if known and (type(value) is int or type(value) is float) and op in _WITH_NUMBER:
        return _WITH_NUMBER[op](left, value, COMPARISONS[op], excerpt)
    if op in ("in", "notin") and isinstance(operand.expr, nodes.List):
        texts = _texts(operand.expr)
        if texts is not None:
            return _among(left, op == "in", texts)
    compare = COMPARISONS[op]
    return lambda scope: compare(left(scope), right(scope), scope, excerpt)


def _chain(node: nodes.Compare, reading: Reading, compile_node: CompileNode) -> Evaluate:
    first = compile_node(node.expr, reading)
    links = [(COMPARISONS[operand.op], compile_node(operand.expr, reading)) for operand in node.ops]
    excerpt = reading.excerpt

    def chained(scope: Scope) -> object:
        left = first(scope)
        for compare, operand in links:
            right = operand(scope)
            if not compare(left, right, scope, excerpt):
                return False
            left = right
        return True

    return chained


def _is_none(side: Evaluate, op: str) -> Evaluate:
    if op == "eq":
        return lambda scope: side(scope) is None
    return lambda scope: side(scope) is not None


def _with_text(left: Evaluate, op: str, text: str, excerpt: str) -> Evaluate:
    general = COMPARISONS[op]

    def equal(scope: Scope) -> object:
        value = left(scope)
        if type(value) is str:
            return value == text
        return general(value, text, scope, excerpt)

    def unequal(scope: Scope) -> object:
        value = left(scope)
        if type(value) is str:
            return value != text
        return general(value, text, scope, excerpt)

    return equal if op == "eq" else unequal


def _texts(node: nodes.List) -> frozenset[str] | None:
    values = [constant_of(item) for item in node.items]
    texts = frozenset(value for known, value in values if known and isinstance(value, str))
    return texts if values and all(k and isinstance(v, str) for k, v in values) else None


def _among(left: Evaluate, wanted: bool, texts: frozenset[str]) -> Evaluate:
    def among(scope: Scope) -> object:
        value = left(scope)
        return (value in texts) is wanted if type(value) is str else not wanted

    return among


# One closure per operator: the operator in the source is what makes it fast.


def _eq(left: Evaluate, bound: float, general: Comparison, excerpt: str) -> Evaluate:
    def run(scope: Scope) -> object:
        value = left(scope)
        if type(value) is int or type(value) is float:
            return value == bound
        return general(value, bound, scope, excerpt)

    return run


def _lt(left: Evaluate, bound: float, general: Comparison, excerpt: str) -> Evaluate:
    def run(scope: Scope) -> object:
        value = left(scope)
        if type(value) is int or type(value) is float:
            return value < bound
        return general(value, bound, scope, excerpt)

    return run


def _lteq(left: Evaluate, bound: float, general: Comparison, excerpt: str) -> Evaluate:
    def run(scope: Scope) -> object:
        value = left(scope)
        if type(value) is int or type(value) is float:
            return value <= bound
        return general(value, bound, scope, excerpt)

    return run


def _gt(left: Evaluate, bound: float, general: Comparison, excerpt: str) -> Evaluate:
    def run(scope: Scope) -> object:
        value = left(scope)
        if type(value) is int or type(value) is float:
            return value > bound
        return general(value, bound, scope, excerpt)

    return run


def _gteq(left: Evaluate, bound: float, general: Comparison, excerpt: str) -> Evaluate:
    def run(scope: Scope) -> object:
        value = left(scope)
        if type(value) is int or type(value) is float:
            return value >= bound
        return general(value, bound, scope, excerpt)

    return run


_WITH_NUMBER: dict[str, Callable[[Evaluate, float, Comparison, str], Evaluate]] = {
    "eq": _eq,
    "lt": _lt,
    "lteq": _lteq,
    "gt": _gt,
    "gteq": _gteq,
}
