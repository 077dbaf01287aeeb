"""A run's summary as the numbers of a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.drawing.counts import Counts, StepCounts

if TYPE_CHECKING:
    from engine.enrollments.summary import Summary


def counts_of(summary: Summary) -> Counts:
    """How many came to each step and arm, and how that ended."""
    return Counts(
        entered=summary.entered,
        steps={
            name: StepCounts(
                tally.entered, tally.succeeded, tally.failed, tally.skipped, tally.waiting
            )
            for name, tally in summary.steps.items()
        },
        arms=summary.arms,
    )
