"""What is known at each step of a journey: the states on all ways to it, followed to the end.

States that differ in what was chosen (an arm, a condition that stands more than once) are kept
apart, so that what was set on one arm is known where the same arm is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from jinja2 import nodes

from engine.core.dsl.known import (
    ANY_END,
    FAILED,
    NOT_RUN,
    SKIPPED,
    SUCCEEDED,
    Fact,
    State,
    Subjects,
    narrowed,
)
from engine.core.dsl.program import END, Node, Program
from engine.core.expressions.grammar import Expression
from engine.core.expressions.parse import parse
from engine.core.steps.branch import BranchStep
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.exit import ExitStep
from engine.core.steps.set import SetStep
from engine.core.steps.split import SplitStep
from engine.core.steps.wait import WaitStep
from engine.core.steps.wait_for import WaitForStep

_MOST_STATES = 16
"""So many states of one step are kept apart; more are joined."""

_MOST_TURNS = 5_000
"""So many states are followed from a step to the next."""

_JOINED: frozenset[Fact] = frozenset((("joined", "", ""),))
"""Stands for the choices of a state that too many were joined to."""

Known = dict[frozenset[Fact], State]
"""The states at a place, by what was chosen on the way there."""

_Leads = Iterator[tuple[int, State]]


class Conditions(NamedTuple):
    """How conditions narrow a state: ``repeated`` are the texts that stand more than once and
    speak of user and inputs alone, so that they are as true the second time.
    """

    subjects: Subjects
    repeated: frozenset[str]
    trees: dict[str, nodes.Expr]

    def narrowed(self, state: State, condition: Expression, truth: bool) -> State | None:
        """What is known where ``condition`` is true (or false); None: it can't be there."""
        source = condition.source
        if any(path[0] in ("vars", "steps") for path in condition.references):
            tree = self.trees.get(source)
            if tree is None:
                tree = self.trees[source] = parse(source)
            return narrowed(state, tree, truth, self.subjects)
        if source not in self.repeated:
            return state
        settled = state.choice("when", source)
        if settled is not None:
            return state if (settled == "true") is truth else None
        return state.with_choice("when", source, "true" if truth else "false")


def known_at(program: Program, conditions: Conditions) -> list[list[State]]:
    """For each node of ``program`` the states in which users come to it; none: nobody does.

    A journey whose ways are too many to be followed one by one is followed with all states of a
    step joined; one that is too tangled even so gives none at all.
    """
    for most in (_MOST_STATES, 1):
        found = _followed(program, conditions, most)
        if found is not None:
            return found
    return [[] for _ in program.nodes]


def _followed(program: Program, conditions: Conditions, most: int) -> list[list[State]] | None:
    """The same with at most so many states a step; None: it would take too long."""
    numbers = conditions.subjects.steps.values()
    there: list[Known] = [{} for _ in program.nodes]
    waiting: list[int] = []  # in file order, so that most ways to a step are known when it comes
    queued: set[int] = set()

    def arrive(number: int, state: State) -> None:
        if number != END and _add(there[number], state, most) and number not in queued:
            queued.add(number)
            heappush(waiting, number)

    arrive(program.first, State(sum(NOT_RUN << 4 * number for number in numbers)))
    # Whoever leaves may leave from anywhere.
    arrive(program.leaving, State(sum(ANY_END << 4 * number for number in numbers)))
    turns = 0
    while waiting:
        node = program.nodes[heappop(waiting)]
        queued.discard(node.number)
        turns += len(there[node.number])
        if turns > _MOST_TURNS:
            return None
        for state in list(there[node.number].values()):
            for number, after in _leads(node, state, conditions):
                arrive(number, after)
    return [list(known.values()) for known in there]


def taken(node: Node, states: list[State], conditions: Conditions) -> list[State]:
    """The states of those who take the step: its ``when`` is true for them."""
    when = node.step.when
    if when is None:
        return states
    narrower = [conditions.narrowed(state, when, truth=True) for state in states]
    return [state for state in narrower if state is not None]


def _add(known: Known, state: State, most: int) -> bool:
    """Take ``state`` in; whether that says anything new.

    Once there are too many, all are one for good: what was joined and grew again never ended.
    """
    if len(known) >= most and state.choices not in known and _JOINED not in known:
        for other in known.values():
            state = state.joined(other)
        state = state._replace(choices=_JOINED)
        known.clear()
    elif _JOINED in known:
        state = state._replace(choices=_JOINED)
    before = known.get(state.choices)
    joined = state if before is None else before.joined(state)
    known[state.choices] = joined
    return joined != before


def _leads(node: Node, state: State, conditions: Conditions) -> _Leads:
    """Where a user in ``state`` goes from ``node``, and what is known of him then."""
    step = node.step
    number = conditions.subjects.steps.get(step.id)

    def ended(state: State, ends: int) -> State:
        return state if number is None else state.ended(number, ends)

    if step.when is not None:
        passed = conditions.narrowed(state, step.when, truth=False)
        if passed is not None:
            yield node.behind, ended(passed, SKIPPED)
        taken = conditions.narrowed(state, step.when, truth=True)
        if taken is None:
            return
        state = taken
    leads = _LEADS.get(type(step))
    if leads is None:
        yield node.follow, ended(state, SUCCEEDED | FAILED)
    else:
        yield from leads(node, state, conditions, ended)


_Ended = Callable[[State, int], State]


def _call(node: Node, state: State, conditions: Conditions, ended: _Ended) -> _Leads:
    step = node.step
    assert isinstance(step, CallApiStep)  # noqa: S101 - for the type checker
    yield node.follow, _set(ended(state, SUCCEEDED), step.outputs, conditions)
    if step.on_failure != "exit":
        yield node.exits[0] if node.exits else node.follow, ended(state, FAILED)


def _set_values(node: Node, state: State, conditions: Conditions, ended: _Ended) -> _Leads:
    step = node.step
    assert isinstance(step, SetStep)  # noqa: S101 - for the type checker
    written = {name: value for name, value in step.values.items() if value.raw is not None}
    emptied = _bits(dict.fromkeys(step.values.keys() - written.keys(), 0), conditions.subjects)
    after = _set(ended(state, SUCCEEDED | FAILED), written, conditions)
    yield node.follow, after._replace(certain=after.certain & ~emptied)


def _wait(node: Node, state: State, _: Conditions, ended: _Ended) -> _Leads:
    after = ended(state, SUCCEEDED | FAILED)
    for exit_ in node.exits:
        yield exit_, after
    yield node.follow, after


def _wait_for(node: Node, state: State, conditions: Conditions, ended: _Ended) -> _Leads:
    step = node.step
    assert isinstance(step, WaitForStep)  # noqa: S101 - for the type checker
    after = ended(state, SUCCEEDED | FAILED)
    for one, exit_ in zip(step.any, node.exits, strict=False):
        yield exit_, _set(after, one.outputs, conditions)
    yield node.follow if step.otherwise is None else node.exits[-1], after


def _branch(node: Node, state: State, conditions: Conditions, ended: _Ended) -> _Leads:
    step = node.step
    assert isinstance(step, BranchStep)  # noqa: S101 - for the type checker
    left: State | None = ended(state, SUCCEEDED | FAILED)
    for path, exit_ in zip(step.paths, node.exits, strict=False):
        if left is None:
            return
        taken = conditions.narrowed(left, path.when, truth=True)
        if taken is not None:
            yield exit_, taken
        left = conditions.narrowed(left, path.when, truth=False)
    if left is not None:
        yield node.follow if step.otherwise is None else node.exits[-1], left


def _split(node: Node, state: State, _: Conditions, ended: _Ended) -> _Leads:
    step = node.step
    assert isinstance(step, SplitStep)  # noqa: S101 - for the type checker
    for arm, exit_ in zip(step.arms, node.exits, strict=True):
        if arm.weight:
            yield exit_, ended(state, SUCCEEDED).with_choice("arm", step.id, arm.name)


def _exit(*_: object) -> _Leads:
    yield from ()


_LEADS: dict[type, Callable[[Node, State, Conditions, _Ended], _Leads]] = {
    BranchStep: _branch,
    CallApiStep: _call,
    ExitStep: _exit,
    SetStep: _set_values,
    SplitStep: _split,
    WaitForStep: _wait_for,
    WaitStep: _wait,
}


def _set(state: State, written: Mapping[str, object], conditions: Conditions) -> State:
    """The same, where everything of ``written`` (vars.NAME or user.NAME) is set."""
    bits = _bits(written, conditions.subjects)
    return state._replace(certain=state.certain | bits) if bits else state


def _bits(written: Mapping[str, object], subjects: Subjects) -> int:
    names = (target.removeprefix("vars.") for target in written if target.startswith("vars."))
    return sum(1 << subjects.vars[name] for name in names if name in subjects.vars)
