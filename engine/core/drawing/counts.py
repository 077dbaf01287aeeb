"""How many users came through each step: what a drawing may show beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, frozen=True)
class StepCounts:
    """How often a step was entered, and how that ended; ``waiting`` stand at it now."""

    entered: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    waiting: int = 0


@dataclass(slots=True, frozen=True)
class Counts:
    """A run in numbers: who ``entered``, each step by id, each step's arms by name."""

    entered: int = 0
    steps: Mapping[str, StepCounts] = field(default_factory=dict)
    arms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
