"""Many passages at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.interpreter.advance import advance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.interpreter.advance import World
    from engine.core.interpreter.state import Advanced, Passage
    from engine.core.steps.base import Result


def advance_all(
    due: Sequence[tuple[Passage, Result | None]], now: int, world: World
) -> list[tuple[Passage, Advanced]]:
    """Advance a set. Passages of one user are taken in order of (entered_at, journey, key), so that
    each sees what the earlier ones wrote; the order among users doesn't matter.
    """
    users = {passage.user.id for passage, _ in due}
    ordered = due if len(users) == len(due) else sorted(due, key=_turn)
    return [(passage, advance(passage, now, world, result)) for passage, result in ordered]


def _turn(item: tuple[Passage, Result | None]) -> tuple[int, str, str]:
    passage = item[0]
    return passage.entered_at, passage.program.journey.journey, passage.key
