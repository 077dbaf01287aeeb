"""A journey as what is drawn of it: nodes, and the ways between them, nested as in the file.

An :class:`Item` stands above the next one of its sequence; a way with a body leads into a sequence
beside it. Every way knows its target, so who only wants nodes and edges needs no nesting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from engine.core.drawing.counts import Counts
from engine.core.drawing.words import entry_lines, occurrence, percent, purpose, span
from engine.core.dsl.program import END
from engine.core.steps.branch import BranchStep
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.exit import ExitStep
from engine.core.steps.split import SplitStep
from engine.core.steps.wait import WaitStep
from engine.core.steps.wait_for import WaitForStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.dsl.program import Node as Step
    from engine.core.dsl.program import Program
    from engine.core.steps.base import Exit
    from engine.core.steps.model import StepModel

Group = Literal["", "on_enter", "on_exit"]
Kind = Literal["on", "arm", "failure"]


@dataclass(slots=True, frozen=True)
class Node:
    """What gets a box. ``type`` is the step's, or ``entry``, or ``end`` (what ends a passage and is
    no step; its ``title`` is the outcome). ``id`` is '' for what is no step.
    """

    number: int
    type: str
    id: str
    title: str
    details: tuple[str, ...] = ()
    when: str = ""
    group: Group = ""


@dataclass(slots=True, frozen=True)
class Label:
    """What stands on a way: a name, and a condition or a share below it."""

    name: str = ""
    detail: str = ""

    def __bool__(self) -> bool:
        return bool(self.name or self.detail)


@dataclass(slots=True, frozen=True)
class Way:
    """A way to the node ``target``: into a ``body``, or (``onward``) to where the step goes on
    without doing anything special, or a jump.
    """

    target: int
    label: Label = Label()
    kind: Kind = "on"
    body: tuple[Item, ...] = ()
    onward: bool = False


@dataclass(slots=True, frozen=True)
class Item:
    """A node in its place, and its ways in the order of the file."""

    node: int
    ways: tuple[Way, ...]


@dataclass(slots=True, frozen=True)
class Graph:
    """``nodes`` by number, and ``items`` from top to bottom: the entry, on_enter, the steps, the
    end if somebody comes there, on_exit.
    """

    nodes: tuple[Node, ...]
    items: tuple[Item, ...]

    def edges(self) -> Iterator[tuple[int, Way]]:
        """Every way with the number of the node it comes from."""
        waiting = list(reversed(self.items))
        while waiting:
            item = waiting.pop()
            for way in item.ways:
                yield item.node, way
            waiting += [inner for way in reversed(item.ways) for inner in reversed(way.body)]


def graph_of(program: Program, counts: Counts | None = None) -> Graph:
    """What is drawn of ``program``; with ``counts`` the arms of splits say how many took them."""
    ended = _Building(program, counts or Counts(), with_end=True)
    graph = ended.graph()
    if any(way.target == ended.end for _, way in graph.edges()):
        return graph
    return _Building(program, counts or Counts(), with_end=False).graph()


_IN_WORDS = {"past": "too late", "missing": "no date", "on_failure": "if it fails"}


class _Building:
    """The entry is node 0, step n of the program node n + 1, the end follows if there is one, then
    what else ends a passage.
    """

    def __init__(self, program: Program, counts: Counts, *, with_end: bool) -> None:
        self._program = program
        self._counts = counts
        self._with_end = with_end
        self.end = len(program.nodes) + 1
        self._leaving = len(program.nodes) - len(program.journey.on_exit)
        self._nodes: dict[int, Node] = {}
        self._next = 0

    def graph(self) -> Graph:
        journey = self._program.journey
        self._nodes[0] = Node(0, "entry", "", "Entry", tuple(entry_lines(journey.entry)))
        if self._with_end:
            self._nodes[self.end] = Node(self.end, "end", "", "completed")
        entry = Item(0, (Way(self._program.first + 1, onward=True),))
        inside = self._sequence(journey.on_enter) + self._sequence(journey.steps)
        leaving = self._sequence(journey.on_exit)
        end = (Item(self.end, ()),) if self._with_end else ()
        nodes = tuple(self._nodes[number] for number in range(len(self._nodes)))
        return Graph(nodes, (entry, *inside, *end, *leaving))

    def _sequence(self, steps: Sequence[StepModel]) -> tuple[Item, ...]:
        return tuple(self._item(step) for step in steps)

    def _item(self, step: StepModel) -> Item:
        place = self._program.nodes[self._next]
        self._next += 1
        number = place.number + 1
        self._nodes[number] = Node(
            number=number,
            type=step.type,
            id=step.id,
            title=step.title or (step.outcome if isinstance(step, ExitStep) else step.id),
            details=_details(step),
            when=step.when.source if step.when else "",
            group=self._group(place.number),
        )
        ways = [self._exit(step, place, at) for at in range(len(place.exits))]
        ways += self._endings(step, place)
        ways += self._onward(step, place)
        return Item(number, tuple(way for way in ways if way.target >= 0))

    def _group(self, number: int) -> Group:
        if number >= self._leaving:
            return "on_exit"
        return "on_enter" if number < len(self._program.journey.on_enter) else ""

    def _node_at(self, target: int, place: Step) -> int:
        """The node of a place; behind the last call of on_exit there is none."""
        if target != END:
            return target + 1
        return -1 if self._group(place.number) == "on_exit" else self.end

    def _exit(self, step: StepModel, place: Step, at: int) -> Way:
        exit_ = step.exits()[at]
        body = self._sequence(cast("Sequence[StepModel]", exit_.steps or ()))
        target = self._node_at(place.exits[at], place)
        kind: Kind = "failure" if exit_.name == "on_failure" else "arm"
        return Way(target, self._label(step, exit_, at), kind, body)

    def _label(self, step: StepModel, exit_: Exit, at: int) -> Label:
        match step:
            case SplitStep():
                label = self._arm(step, at)
            case BranchStep() if at < len(step.paths):
                label = Label(step.paths[at].name, step.paths[at].when.source)
            case WaitForStep() if at < len(step.any):
                what = step.any[at]
                narrowed = what.where.source if what.where else ""
                label = Label(what.event, narrowed) if what.event else Label("", occurrence(what))
            case WaitForStep():
                label = Label(f"after {span(step.within)}")
            case _:
                label = Label(_IN_WORDS.get(exit_.name, exit_.name))
        return label

    def _arm(self, step: SplitStep, at: int) -> Label:
        arm = step.arms[at]
        share = percent(100 * arm.weight / sum(one.weight for one in step.arms))
        taken = self._counts.arms.get(step.id)
        return Label(arm.name, share if taken is None else f"{share}: {taken.get(arm.name, 0):,}")

    def _endings(self, step: StepModel, place: Step) -> list[Way]:
        """Ways on which a passage ends at once, without a step of its own."""
        if isinstance(step, CallApiStep) and step.on_failure == "exit":
            return [self._ending(f"failed:{step.id}", "if it fails", place)]
        if isinstance(step, WaitStep) and step.until is not None:
            ways = (("no date", step.until.missing), ("too late", step.until.past))
            why = " or ".join(word for word, way in ways if way == "exit")
            return [self._ending(f"missed:{step.id}", why, place)] if why else []
        return []

    def _ending(self, outcome: str, why: str, place: Step) -> Way:
        number = self.end + sum(1 for node in self._nodes if node >= self.end)
        node = Node(number, "end", "", outcome, group=self._group(place.number))
        self._nodes[number] = node
        return Way(number, Label(why), "failure", (Item(number, ()),))

    def _onward(self, step: StepModel, place: Step) -> list[Way]:
        follow, behind = self._node_at(place.follow, place), self._node_at(place.behind, place)
        otherwise = getattr(step, "otherwise", None)
        goes_on = not isinstance(step, ExitStep | SplitStep) and otherwise is None
        ways = [Way(follow, _onward_label(step), onward=True)] if goes_on else []
        if step.when is not None and not (ways and follow == behind):
            ways.append(Way(behind, Label("else"), onward=True))
        return ways


def _onward_label(step: StepModel) -> Label:
    if isinstance(step, BranchStep):
        return Label("otherwise")
    return Label(f"after {span(step.within)}") if isinstance(step, WaitForStep) else Label()


def _details(step: StepModel) -> tuple[str, ...]:
    line = purpose(step)
    return (line,) if line else ()
