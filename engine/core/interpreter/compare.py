"""Two ways of one user, through two versions of a journey: whether they part, where, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.core.interpreter.simulate import Happened
    from engine.core.steps.base import Call

Kind = Literal["way", "request", "time"]
"""How two ways differ: in what happens; in what is sent; or only in when it happens."""

KINDS: tuple[Kind, ...] = ("way", "request", "time")
"""The same, the one that matters most first."""

_TOLD = ("entered", "refused", "goal", "ended", "stays")


@dataclass(slots=True, frozen=True)
class Point:
    """One point of a way, at ``at`` (microseconds UTC).

    ``what`` is ``step`` for a step that was taken, and as in
    :class:`~engine.core.interpreter.virtual.Happened` else; ``name`` the step, goal, outcome,
    reason of a refusal, or the step where he stands in the end. ``request`` is what a call sent.
    """

    at: int
    what: str
    name: str
    status: str = ""
    failure: str | None = None
    arm: str | None = None
    request: Call | None = None

    def differs(self, other: Point) -> Kind | None:
        """How it differs from another one; None: not at all."""
        if (self.what, self.name, self.status, self.failure, self.arm) != (
            *(other.what, other.name, other.status),
            *(other.failure, other.arm),
        ):
            return "way"
        if self.request != other.request:
            return "request"
        return "time" if self.at != other.at else None


@dataclass(slots=True, frozen=True)
class Parting:
    """Where two ways part: ``common`` points are before it; ``at`` is the step (or what else) that
    comes then on the first way, or on the other one if the first is over.
    """

    kind: Kind
    common: int
    at: str


def points(happening: Iterable[Happened]) -> list[Point]:
    """A user's way; what doesn't move him is left out."""
    return list(_points(happening))


def parting(one: Sequence[Point], other: Sequence[Point]) -> Parting | None:
    """Where two ways part, by what matters most; None: they are the same."""
    found: dict[Kind, Parting] = {}
    for common, (here, there) in enumerate(zip(one, other, strict=False)):
        kind = here.differs(there)
        if kind is not None and kind not in found:
            found[kind] = Parting(kind, common, here.name)
        if kind == "way":
            return found[kind]
    common = min(len(one), len(other))
    longer = one if len(one) > common else other
    if len(longer) > common:
        return Parting("way", common, longer[common].name)
    return next((found[kind] for kind in KINDS if kind in found), None)


def _points(happening: Iterable[Happened]) -> Iterator[Point]:
    for event in happening:
        execution, nodes = event.execution, event.passage.program.nodes
        if execution is not None:
            yield Point(
                event.at,
                "step",
                nodes[execution.step].step.id,
                execution.status,
                execution.failure,
                execution.arm,
                event.call,
            )
        elif event.what in _TOLD:
            name = event.text
            if event.what == "entered":
                name = "entered"
            elif event.what == "stays":
                name = nodes[event.passage.position].step.id
            yield Point(event.at, event.what, name)
