"""Roots and dotted paths as closures: what may be named is checked here, what is read is noted."""

from __future__ import annotations

from itertools import takewhile

from jinja2 import nodes

from engine.core.expressions.compare import CompileNode
from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.functions import FUNCTION_NAMES
from engine.core.expressions.operators import Evaluate
from engine.core.expressions.reads import (
    SCALAR_ROOTS,
    read_item,
    read_path,
    read_root,
    walk,
)
from engine.core.expressions.references import (
    Part,
    Reading,
    check_path,
    check_root,
    unroll,
)


def compile_root(node: nodes.Name, reading: Reading) -> Evaluate:
    """A root by itself: ``now``, ``event_name``, or the whole of ``user``."""
    _note_root(node, reading)
    if node.name != "now":
        reading.references.add((node.name,))
    return read_root(node.name)


def _note_root(node: nodes.Name, reading: Reading, parts: tuple[str, ...] = ()) -> None:
    if node.name in FUNCTION_NAMES:
        raise ExpressionError(
            f"'{node.name}' is a function", node.lineno, f"with its arguments: {node.name}(...)"
        )
    check_root(node.name, node.lineno, reading, parts)
    if node.name == "now":
        reading.functions.add(("now",))
        reading.depends_on_time = True


def compile_dotted(node: nodes.Expr, reading: Reading, compile_node: CompileNode) -> Evaluate:
    """``user.address.city``, ``response.body.items[0]``, ``x[computed]``, from any start."""
    base, parts = unroll(node)
    if isinstance(base, nodes.Const):
        raise ExpressionError("a constant has no parts", parts[0].offset)
    if not isinstance(base, nodes.Name):
        return _onward(compile_node(base, reading), parts, reading, compile_node)
    static = tuple(str(part.key) for part in takewhile(lambda p: isinstance(p.key, str), parts))
    _note_root(base, reading, static)
    if base.name in SCALAR_ROOTS:
        raise ExpressionError(f"'{base.name}' has no parts", parts[0].offset)
    check_path((base.name, *static), parts[0].offset)
    reading.references.add((base.name, *static))
    if not static:
        return _onward(read_root(base.name), parts, reading, compile_node)
    read = read_path(base.name, static)
    return _onward(read, parts[len(static) :], reading, compile_node)


def _onward(
    read: Evaluate, parts: list[Part], reading: Reading, compile_node: CompileNode
) -> Evaluate:
    """From what ``read`` gives on along ``parts``, literal ones in one go."""
    keys: list[str | int] = []
    for part in parts:
        if not isinstance(part.key, nodes.Expr):
            keys.append(part.key)
            continue
        read = read_item(walk(read, tuple(keys)), compile_node(part.key, reading))
        keys = []
    return walk(read, tuple(keys))
