"""Which facts make an expression null if they are missing, place by place.

``a | default(b)``, ``a or b`` and ``a if test else b`` need what is named in them only on some
ways; what is known on each of these is followed.
"""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from engine.core.dsl.known import Fact, State, Subjects, is_known, narrowed, reference_of
from engine.core.expressions.references import unroll

Missing = tuple[Fact, int]
"""A fact, and the offset of its place in the expression."""


def missing_in(node: nodes.Expr, state: State, subjects: Subjects) -> Iterator[Missing]:
    """What may be missing where ``state`` holds, so that ``node`` would be null."""
    reference = reference_of(node)
    if reference is None:
        for part, there in _parts(node, state, subjects):
            if there is not None:
                yield from missing_in(part, there, subjects)
    elif not is_known(reference, state, subjects):
        yield reference, unroll(node)[0].lineno


def _parts(
    node: nodes.Expr, state: State, subjects: Subjects
) -> Iterator[tuple[nodes.Expr, State | None]]:
    """The parts of ``node`` that make it null by being null, and what is known where each counts;
    None: it never does."""
    if isinstance(node, nodes.CondExpr):
        yield node.expr1, narrowed(state, node.test, truth=True, subjects=subjects)
        if node.expr2 is not None:
            yield node.expr2, narrowed(state, node.test, truth=False, subjects=subjects)
    elif isinstance(node, nodes.And):
        yield node.left, state
        yield node.right, narrowed(state, node.left, truth=True, subjects=subjects)
    elif isinstance(node, nodes.Or):
        yield node.right, narrowed(state, node.left, truth=False, subjects=subjects)
    elif isinstance(node, nodes.Filter) and node.name == "default":
        yield from ((argument, state) for argument in node.args)
    elif not isinstance(node, nodes.Not | nodes.Compare):
        yield from (
            (child, state) for child in node.iter_child_nodes() if isinstance(child, nodes.Expr)
        )
