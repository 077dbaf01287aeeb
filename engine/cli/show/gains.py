"""Goals and what a journey gained over those it held out, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.show.terminal import plain
from engine.enrollments.summary_data import gained

if TYPE_CHECKING:
    from engine.enrollments.summary import Summary
    from engine.enrollments.uplift import Uplift


def goal_in_words(summary: Summary, goal: str) -> str:
    """``bought 812 of 9,500 (8.5%), held out 31 of 500 (6.2%): +2.3 points (95%: ...)``."""
    tally, (treated, held_out) = summary.goals[goal], summary.groups(goal)
    said = f"{plain(goal)} {share(tally.met, treated)}"
    if not held_out:
        return said
    gain = gained(summary, goal)
    points = "" if gain is None else f": {points_of(gain)}"
    return f"{said}, held out {share(tally.held_out, held_out)}{points}"


def points_of(gain: Uplift) -> str:
    """``+2.3 points (95%: -0.2 to +4.1)``: the difference in percentage points, and how sure."""
    low, high = f"{gain.low * 100:+.1f}", f"{gain.high * 100:+.1f}"
    return f"{gain.difference * 100:+.1f} points (95%: {low} to {high})"


def share(part: int, whole: int) -> str:
    """``31 of 500 (6.2%)``."""
    return f"{part:,} of {whole:,} ({part / whole:.1%})" if whole else f"{part:,}"
