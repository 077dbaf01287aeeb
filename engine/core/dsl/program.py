"""A journey as the interpreter walks it: one flat table of steps with explicit successors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from engine.core.dsl.listening import Listens, listens_of, recalls_of

if TYPE_CHECKING:
    from engine.core.dsl.journey import Journey
    from engine.core.expressions.grammar import Expression
    from engine.core.steps.base import Decision, End, Exit, Move, Result, View
    from engine.core.steps.facts import Fact

END = -1
"""The number of the place behind the last step."""


class Step(Protocol):
    """What the interpreter asks of every step type (see ``steps/base.py``)."""

    @property
    def id(self) -> str:
        """The step's id, unique in the journey."""
        ...

    @property
    def type(self) -> str:
        """The step type's name in the language."""
        ...

    @property
    def when(self) -> Expression | None:
        """The condition under which the step is taken at all."""
        ...

    @property
    def next(self) -> str | None:
        """The id of the step to go to afterwards, if it isn't the following one."""
        ...

    def exits(self) -> tuple[Exit, ...]:
        """Places it may go to besides the following step."""
        ...

    def decide(self, view: View) -> Decision:
        """What to do for the user who stands here."""
        ...

    def resume(self, view: View, result: Result) -> Decision:
        """What to do with the answer of the call made here."""
        ...

    def failed(
        self, view: View, failure: str, text: str, http_status: int | None = None
    ) -> Move | End:
        """Where to go when it has failed for good."""
        ...

    def heed(self, view: View, fact: Fact) -> Decision | None:
        """What something that happened means for the user who waits here."""
        ...


@dataclass(slots=True, frozen=True)
class Node:
    """A step in its place. ``follow`` is where FOLLOWING leads (its ``next`` if it has one, else
    the step behind it), ``behind`` the step behind it in the file whatever its ``next`` says (a
    skipped step goes there), ``exits`` where each of its exits leads; END is the end.

    ``id``, ``when`` and ``decide`` are the step's own: a model's attributes take five times as long
    to look up.
    """

    number: int
    step: Step
    follow: int
    behind: int
    exits: tuple[int, ...]
    id: str = field(init=False, repr=False, compare=False)
    when: Expression | None = field(init=False, repr=False, compare=False)
    decide: Callable[[View], Decision] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.step.id)
        object.__setattr__(self, "when", self.step.when)
        object.__setattr__(self, "decide", self.step.decide)


@dataclass(slots=True, frozen=True)
class Program:
    """A journey ready to run. ``nodes`` holds on_enter's calls first, then the steps in file order
    (a body stands directly behind the step that holds it), then on_exit's calls.

    A passage starts at ``first``; when its outcome is fixed it goes to ``leaving`` (END: there is
    no on_exit). ``max_age`` is in microseconds; ``name`` and ``zone`` are the
    journey's. ``recalls`` are the events that are counted, or looked back at: a user's past is
    needed for them.
    """

    journey: Journey
    nodes: tuple[Node, ...]
    numbers: dict[str, int]
    first: int
    leaving: int
    max_age: int
    listens: Listens
    recalls: frozenset[str] = frozenset()
    name: str = field(init=False, repr=False, compare=False)
    zone: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.journey.journey)
        object.__setattr__(self, "zone", self.journey.timezone)


def compile_journey(journey: Journey) -> Program:
    """Flatten a journey that the checker has passed.

    The end of a body, and an exit that says nothing, lead where the step that holds them goes on:
    to its ``next`` if it has one, else behind it. Never raises: a jump to nowhere leads to the end,
    and of two steps with one id jumps find the first.
    """
    flat = _Flattening()
    flat.lay(journey.on_enter)
    entering = len(flat.steps)
    flat.lay(journey.steps)
    leaving = len(flat.steps)
    flat.lay(journey.on_exit)
    flat.lead(journey.on_enter, behind=entering)
    flat.lead(journey.steps, behind=END)
    flat.lead(journey.on_exit, behind=END)
    return Program(
        journey=journey,
        nodes=tuple(flat.nodes[number] for number in range(len(flat.steps))),
        numbers=flat.numbers,
        first=0,
        leaving=leaving if journey.on_exit else END,
        max_age=journey.max_age.microseconds,
        listens=listens_of(journey),
        recalls=recalls_of(journey),
    )


class _Flattening:
    """First every step gets its number (``lay``), then every way its end (``lead``)."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.numbers: dict[str, int] = {}
        self.nodes: dict[int, Node] = {}
        self._led = 0

    def lay(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.numbers.setdefault(step.id, len(self.steps))
            self.steps.append(step)
            for exit_ in step.exits():
                self.lay(_body(exit_))

    def lead(self, steps: Sequence[Step], behind: int) -> None:
        """Make the nodes of ``steps``, which lead to ``behind`` in the end, in the order of lay."""
        for position, step in enumerate(steps):
            number = self._led
            last = position == len(steps) - 1
            after = behind if last else number + _size(step)
            follow = after if step.next is None else self.numbers.get(step.next, END)
            self._led += 1
            exits = tuple([self._lead_exit(exit_, follow) for exit_ in step.exits()])
            self.nodes[number] = Node(number, step, follow, after, exits)

    def _lead_exit(self, exit_: Exit, follow: int) -> int:
        if exit_.next is not None:
            return self.numbers.get(exit_.next, END)
        body = _body(exit_)
        if not body:
            return follow
        start = self._led
        self.lead(body, behind=follow)
        return start


def _body(exit_: Exit) -> Sequence[Step]:
    return cast("Sequence[Step]", exit_.steps or ())


def _size(step: Step) -> int:
    """How many steps this is with all that stand in its bodies."""
    return 1 + sum(_size(inner) for exit_ in step.exits() for inner in _body(exit_))
