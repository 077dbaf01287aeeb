"""What is known of a passage at a place of the journey: which vars are set, how steps ended.

A :class:`State` is what holds on every way that leads to the place. A condition that is true, or
false, makes it narrower. Sets of names are bits of an int, so that two states are joined in one
operation however many names there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jinja2 import nodes

from engine.core.expressions.references import constant_of, unroll

Fact = tuple[str, ...]
"""Something that may be null: ``('vars', name)`` or ``('steps', id, key)``."""

NOT_RUN, SUCCEEDED, FAILED, SKIPPED = 1, 2, 4, 8
"""How a step's last visit may have ended, as bits; ``NOT_RUN``: it was never begun."""

ANY_END = NOT_RUN | SUCCEEDED | FAILED | SKIPPED
_ENDS = {"succeeded": SUCCEEDED, "failed": FAILED, "skipped": SKIPPED, None: NOT_RUN}
_NEEDED = {
    "status": SUCCEEDED | FAILED | SKIPPED,
    "visits": SUCCEEDED | FAILED | SKIPPED,
    "attempts": SUCCEEDED | FAILED | SKIPPED,
    "arm": SUCCEEDED,
    "http_status": SUCCEEDED,
    "failure": FAILED,
}
"""``steps.ID.KEY`` → the ends with which it is there for certain."""


class Subjects(NamedTuple):
    """What is looked at: ``steps`` and ``vars`` by number, and the bits of the ``vars`` that each
    step has written once it succeeded.
    """

    steps: Mapping[str, int]
    vars: Mapping[str, int]
    writes: Mapping[str, int]


class State(NamedTuple):
    """``ends`` holds four bits for each step: how it may have ended. ``certain`` holds one bit for
    each var: it is set. ``choices`` are arms and conditions that are settled on this way.
    """

    ends: int
    certain: int = 0
    choices: frozenset[Fact] = frozenset()

    def joined(self, other: State) -> State:
        """What holds whichever of the two does."""
        if self == other:
            return self
        return State(
            self.ends | other.ends, self.certain & other.certain, self.choices & other.choices
        )

    def of(self, number: int) -> int:
        """How the step of this number may have ended."""
        return self.ends >> 4 * number & ANY_END

    def ended(self, number: int, ends: int) -> State:
        """The same, where the step has ended in one of these ways."""
        cleared = self.ends & ~(ANY_END << 4 * number)
        return self._replace(ends=cleared | ends << 4 * number)

    def with_choice(self, kind: str, name: str, value: str) -> State:
        """The same, where this was chosen; an earlier choice of it is forgotten."""
        kept = frozenset(one for one in self.choices if one[:2] != (kind, name))
        return self._replace(choices=kept | {(kind, name, value)})

    def choice(self, kind: str, name: str) -> str | None:
        """What was chosen, if that is settled."""
        return next((one[2] for one in self.choices if one[:2] == (kind, name)), None)


def is_known(fact: Fact, state: State, subjects: Subjects) -> bool:
    """Whether ``fact`` is there for certain; of what isn't looked at nothing is said."""
    if fact[0] == "vars":
        number = subjects.vars.get(fact[1])
        return number is None or bool(state.certain >> number & 1)
    number = subjects.steps.get(fact[1])
    return number is None or not state.of(number) & ~_NEEDED[fact[2]]


def narrowed(state: State, node: nodes.Expr, truth: bool, subjects: Subjects) -> State | None:
    """What is known where the condition ``node`` is true (or false); None: it can't be there."""
    if isinstance(node, nodes.Not):
        return narrowed(state, node.node, not truth, subjects)
    if isinstance(node, nodes.And | nodes.Or):
        both = isinstance(node, nodes.And) is truth
        first = narrowed(state, node.left, truth, subjects)
        if both:
            return first and narrowed(first, node.right, truth, subjects)
        otherwise = narrowed(state, node.left, not truth, subjects)
        second = otherwise and narrowed(otherwise, node.right, truth, subjects)
        return first.joined(second) if first and second else first or second
    if isinstance(node, nodes.Compare) and len(node.ops) == 1:
        return _compared(state, node, truth, subjects)
    if (reference := reference_of(node)) and reference[0] == "steps":
        return _of_step(state, reference, truth, subjects)
    return _certain(state, needed(node), subjects) if truth else state


def _compared(state: State, node: nodes.Compare, truth: bool, subjects: Subjects) -> State | None:
    """``a == b``, ``a in [...]`` and their like."""
    operand = node.ops[0]
    left, right, operator = node.expr, operand.expr, operand.op
    if operator in ("ne", "notin"):
        truth, operator = not truth, {"ne": "eq", "notin": "in"}[operator]
    if operator == "eq" and constant_of(left)[0]:
        left, right = right, left
    values = _constants(right, operator)
    reference = reference_of(left)
    if values is not None and reference and reference[0] == "steps":
        return _end_among(state, reference, values, truth, subjects)
    if values == [None]:
        return state if truth else _certain(state, needed(left), subjects)
    if not truth or (values is not None and None in values):
        return state
    return _certain(state, needed(left) | needed(right), subjects)


def _constants(node: nodes.Expr, operator: str) -> list[object] | None:
    """The constants on the right of ``==`` and ``in``; None if they aren't known."""
    items = [node] if operator == "eq" else node.items if isinstance(node, nodes.List) else []
    read = [constant_of(item) for item in items]
    usable = operator in ("eq", "in") and read and all(known for known, _ in read)
    return [value for _, value in read] if usable else None


def _end_among(
    state: State, reference: Fact, values: list[object], truth: bool, subjects: Subjects
) -> State | None:
    """``steps.X.KEY`` is (or isn't) one of ``values``."""
    _, step, key = reference
    if key == "arm":
        arm = state.choice("arm", step)
        return None if arm is not None and (arm in values) is not truth else state
    if key == "status":
        ends = sum(
            {_ENDS[value] for value in values if isinstance(value, str | None) and value in _ENDS}
        )
        return _limited(state, step, ends if truth else ~ends, subjects)
    absent = values == [None]
    if None in values and not absent:
        return state
    return _of_step(state, reference, truth is not absent, subjects) if absent or truth else state


def _of_step(state: State, reference: Fact, truth: bool, subjects: Subjects) -> State | None:
    """``steps.X.KEY`` is there, or it isn't."""
    _, step, key = reference
    if key in ("status", "failure"):
        ends = _NEEDED[key]
        return _limited(state, step, ends if truth else ~ends, subjects)
    there = {"http_status": SUCCEEDED | FAILED}.get(key, _NEEDED[key])
    return _limited(state, step, there, subjects) if truth else state


def _limited(state: State, step: str, ends: int, subjects: Subjects) -> State | None:
    """The step has ended in one of these ways; if it can only have succeeded, it wrote."""
    number = subjects.steps.get(step)
    if number is None:
        return state
    left = state.of(number) & ends
    if not left:
        return None
    narrower = state.ended(number, left)
    if left == SUCCEEDED:
        narrower = narrower._replace(certain=state.certain | subjects.writes.get(step, 0))
    return narrower


def _certain(state: State, facts: frozenset[Fact], subjects: Subjects) -> State:
    bits = 0
    for fact in facts:
        if fact[0] == "vars" and fact[1] in subjects.vars:
            bits |= 1 << subjects.vars[fact[1]]
    return state._replace(certain=state.certain | bits) if bits else state


def reference_of(node: nodes.Node) -> Fact | None:
    """``vars.x`` or ``steps.X.status`` as a fact, whatever is read below it; None for all else."""
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return None
    base, parts = unroll(node)
    length = {"vars": 1, "steps": 2}.get(base.name, 0) if isinstance(base, nodes.Name) else 0
    keys = [part.key for part in parts[:length]]
    if not length or len(keys) < length or not all(isinstance(key, str) for key in keys):
        return None
    assert isinstance(base, nodes.Name)  # noqa: S101 - for the type checker
    return (base.name, *(str(key) for key in keys))


def needed(node: nodes.Node) -> frozenset[Fact]:
    """The facts without which ``node`` is null, or as good as false, whatever else holds."""
    reference = reference_of(node)
    if reference is not None:
        return frozenset((reference,))
    if isinstance(node, nodes.Filter):
        known = node.name != "default" and node.node is not None
        return needed(node.node) if known and node.node else frozenset()
    if isinstance(node, nodes.BinExpr) and not isinstance(node, nodes.Or):
        return needed(node.left) | needed(node.right)
    if isinstance(node, nodes.UnaryExpr) and not isinstance(node, nodes.Not):
        return needed(node.node)
    if isinstance(node, nodes.Concat):
        return frozenset().union(*(needed(part) for part in node.nodes))
    return frozenset()
