"""A journey as the interpreter walks it: one flat table of steps with explicit successors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.core.dsl.journey import Journey
    from engine.core.expressions.grammar import Expression
    from engine.core.steps.base import Decision, Exit, Result, View

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

    def exits(self) -> tuple[Exit, ...]:
        """Places it may go to besides the following step."""
        ...

    def decide(self, view: View) -> Decision:
        """What to do for the user who stands here."""
        ...

    def resume(self, view: View, result: Result) -> Decision:
        """What to do with the answer of the call made here."""
        ...


@dataclass(slots=True, frozen=True)
class Node:
    """A step in its place. ``follow`` is where FOLLOWING leads (its ``next`` if it has one, else
    the step behind it), ``behind`` the step behind it in the file whatever its ``next`` says (a
    skipped step goes there), ``exits`` where each of its exits leads; END is the end.
    """

    number: int
    step: Step
    follow: int
    behind: int
    exits: tuple[int, ...]


@dataclass(slots=True, frozen=True)
class Program:
    """A journey ready to run. ``nodes`` holds on_enter's calls first, then the steps in file order
    (a body stands directly behind the step that holds it), then on_exit's calls.

    A passage starts at ``first``; when its outcome is fixed it goes to ``leaving`` (END: there is
    no on_exit). ``max_age`` is in microseconds.
    """

    journey: Journey
    nodes: tuple[Node, ...]
    numbers: dict[str, int]
    first: int
    leaving: int
    max_age: int
