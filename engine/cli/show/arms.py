"""Arms of splits against each other, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.show.gains import share
from engine.cli.show.terminal import Paint, plain
from engine.enrollments.summary import by_frequency
from engine.enrollments.uplift import share_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.enrollments.arms import ArmTally

ARM_COLUMNS = ("step", "arm", "taken", "waiting", "what", "name", "number")


def arm_lines(arms: Sequence[ArmTally], paint: Paint) -> Iterator[str]:
    """A paragraph for each arm: how many took it, how they ended, and which goals counted."""
    for arm in arms:
        yield ""
        taken = f"{arm.taken:,} took it, {arm.waiting:,} waiting"
        yield f"{paint(f'{plain(arm.step)} → {plain(arm.arm)}', 'bold')}   {taken}"
        for name, n in by_frequency(arm.outcomes).items():
            yield f"  {plain(name)}  {n:,}"
        for name, n in arm.goals.items():
            yield f"  goal {plain(name)}  {share(n, arm.taken)}{_interval(n, arm.taken)}"


def arm_rows(arms: Sequence[ArmTally]) -> list[dict[str, object]]:
    """A row for each outcome and goal of each arm."""
    return [
        {
            "step": arm.step,
            "arm": arm.arm,
            "taken": arm.taken,
            "waiting": arm.waiting,
            "what": what,
            "name": name,
            "number": n,
        }
        for arm in arms
        for what, counts in (("outcome", by_frequency(arm.outcomes)), ("goal", arm.goals))
        for name, n in counts.items()
    ]


def _interval(part: int, whole: int) -> str:
    found = share_of(part, whole)
    return "" if found is None else f", 95%: {found.low:.1%} to {found.high:.1%}"
