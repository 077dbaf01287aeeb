"""What one turn of a worker takes in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.interpreter.state import Passage
    from engine.core.steps.base import Result
    from engine.enrollments.pending import Held
    from engine.enrollments.receive import Arrivals
    from engine.enrollments.store.facts import Told


@dataclass(slots=True)
class Answered:
    """A held call whose answer came."""

    held: Held
    result: Result


@dataclass(slots=True)
class Turn:
    """What one turn takes in: what was told, calls answered, passages due, users arriving, calls
    that may be made at most once and are about to be, and calls that were read to be made.
    """

    answered: list[Answered] = field(default_factory=list)
    due: list[Passage] = field(default_factory=list)
    arrivals: Arrivals | None = None
    starting: list[Held] = field(default_factory=list)
    told: Sequence[Told] = ()
    calls: list[Held] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Nobody to decide for."""
        return not (self.answered or self.due or self.arrivals or self.starting or self.told)
