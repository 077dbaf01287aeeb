"""A journey's funnel: its steps in order, and how far users came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.enrollments.summary import StepTally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.core.dsl.journey import Journey
    from engine.core.steps.model import StepModel
    from engine.enrollments.summary import Summary


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a stage's bar, in percent of the whole width: where it begins, and how long it is.
    ``kind`` is ``passed``, ``failed``, ``skipped`` or ``waiting``.
    """

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A step. ``depth`` is how many steps hold it, ``way`` the arm or path that it stands in;
    ``bars`` are laid out beside those of all other stages.
    """

    step: str
    type: str
    depth: int
    way: str
    tally: StepTally
    bars: tuple[Bar, ...]


def stages(journey: Journey, summary: Summary) -> tuple[Stage, ...]:
    """The steps of a journey in the file's order, a body behind the step that holds it."""
    most = max([summary.entered, 1, *(tally.entered for tally in summary.steps.values())])
    found = []
    for part in (journey.on_enter, journey.steps, journey.on_exit):
        for step, depth, way in _walk(part, 0, ""):
            tally = summary.steps.get(step.id) or StepTally()
            found.append(Stage(step.id, step.type, depth, way, tally, _bars(tally, most)))
    return tuple(found)


def _walk(steps: Sequence[StepModel], depth: int, way: str) -> Iterator[tuple[StepModel, int, str]]:
    for step in steps:
        yield step, depth, way
        for exit_ in step.exits():
            if exit_.steps is not None:
                yield from _walk(exit_.steps, depth + 1, exit_.name)  # type: ignore[arg-type]


def _bars(tally: StepTally, most: int) -> tuple[Bar, ...]:
    found, x = [], 0.0
    for kind, count in (
        ("passed", tally.succeeded),
        ("failed", tally.failed),
        ("skipped", tally.skipped),
        ("waiting", tally.waiting),
    ):
        if count > 0:
            width = 100 * count / most
            found.append(Bar(kind, round(x, 2), round(max(width, 0.4), 2)))
            x += width
    return tuple(found)
