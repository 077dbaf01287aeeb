"""Which step leads to which: what is never reached, and what never ends.

The graph has an edge for each way a user may take from a step. A user leaves it where an edge leads
to END.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from engine.core.dsl.document import Path
from engine.core.steps.base import Exit
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.exit import ExitStep
from engine.core.steps.model import StepModel
from engine.core.steps.split import SplitStep
from engine.core.steps.start_journey import StartJourneyStep
from engine.core.steps.wait import WaitStep
from engine.core.steps.wait_for import WaitForStep

END = ""
"""Where the journey is over; no step has this id."""


class Edge(NamedTuple):
    """A way from ``source`` to ``target`` (ids); ``place`` is the path of what says so. ``waits``:
    nobody takes it without having waited.
    """

    source: str
    target: str
    place: Path
    waits: bool = False
    jump: bool = False


def edges(steps: Sequence[StepModel], path: Path = ("steps",), behind: str = END) -> Iterator[Edge]:
    """Every way through ``steps`` that stand at ``path``; behind the last one comes ``behind``.

    Targets may be ids that no step has.
    """
    for index, step in enumerate(steps):
        here = (*path, index)
        after = steps[index + 1].id if index + 1 < len(steps) else behind
        follow = step.next or after
        if step.when is not None:
            yield Edge(step.id, after, here)
        yield from _onward(step, here, follow)
        for exit_ in step.exits():
            yield from _way(step, exit_, here, follow)


def _onward(step: StepModel, here: Path, follow: str) -> Iterator[Edge]:
    """The way to the following step, where a step has one besides failing."""
    place = (*here, "next") if step.next else here
    jump = step.next is not None
    if isinstance(step, ExitStep):
        yield Edge(step.id, END, here)
    elif isinstance(step, SplitStep) or getattr(step, "otherwise", None) is not None:
        return
    else:
        yield Edge(step.id, follow, place, waits=_waits(step), jump=jump)
        if isinstance(step, CallApiStep) and step.on_failure == "exit":
            yield Edge(step.id, END, here)


def _way(step: StepModel, exit_: Exit, here: Path, follow: str) -> Iterator[Edge]:
    place = (*here, *exit_.at)
    if isinstance(step, SplitStep) and step.arms[int(exit_.at[-1])].weight == 0:
        if exit_.steps:
            yield from edges(_bodies(exit_), (*place, "steps"), follow)
        return
    waits = _waits(step) and exit_.name not in ("past", "missing")
    if exit_.steps:
        body = _bodies(exit_)
        yield Edge(step.id, body[0].id, place, waits=waits)
        yield from edges(body, (*place, "steps"), follow)
    else:
        jump = exit_.next is not None
        yield Edge(step.id, exit_.next or follow, place, waits=waits, jump=jump)


def _bodies(exit_: Exit) -> tuple[StepModel, ...]:
    return tuple(step for step in exit_.steps or () if isinstance(step, StepModel))


def _waits(step: StepModel) -> bool:
    return isinstance(step, (WaitStep, WaitForStep)) or (
        isinstance(step, StartJourneyStep) and step.await_
    )


def reachable(start: str, graph: Iterable[Edge]) -> set[str]:
    """The ids of the steps that somebody who begins at ``start`` may come to."""
    targets: dict[str, list[str]] = {}
    for edge in graph:
        targets.setdefault(edge.source, []).append(edge.target)
    seen, waiting = {start}, [start]
    while waiting:
        for target in targets.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def endless(graph: Iterable[Edge], limits: Mapping[str, frozenset[str]]) -> list[list[Edge]]:
    """Groups of edges that go round for ever: without a wait, and without a limit.

    ``limits`` says whose visits a step's conditions look at; such a step ends a loop that it and
    one of those are in. Each group is one knot of loops.
    """
    found: list[list[Edge]] = []
    waiting = [[edge for edge in graph if not edge.waits and edge.target != END]]
    while waiting:
        for knot in _knots(waiting.pop()):
            inside = {edge.source for edge in knot}
            limited = {name for name in inside if limits.get(name, frozenset()) & inside}
            if limited:
                waiting.append([edge for edge in knot if edge.source not in limited])
            else:
                found.append(knot)
    return found


def _knots(graph: Sequence[Edge]) -> list[list[Edge]]:
    """The edges inside each strongly connected part (Kosaraju's algorithm, without recursion)."""
    ahead: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    for edge in graph:
        ahead.setdefault(edge.source, []).append(edge.target)
        back.setdefault(edge.target, []).append(edge.source)
    part: dict[str, int] = {}
    for number, name in enumerate(reversed(_finished(ahead))):
        waiting = [name]
        while waiting:
            at = waiting.pop()
            if at not in part:
                part[at] = number
                waiting.extend(back.get(at, ()))
    knots: dict[int, list[Edge]] = {}
    for edge in graph:
        if part[edge.source] == part[edge.target]:
            knots.setdefault(part[edge.source], []).append(edge)
    return list(knots.values())


def _finished(ahead: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids in the order in which a depth-first walk is done with them."""
    done: list[str] = []
    seen: set[str] = set()
    for start in ahead:
        stack = [(start, iter(ahead[start]))] if start not in seen else []
        seen.add(start)
        while stack:
            at, targets = stack[-1]
            target = next((name for name in targets if name not in seen), None)
            if target is None:
                done.append(at)
                stack.pop()
            else:
                seen.add(target)
                stack.append((target, iter(ahead.get(target, ()))))
    return done
