"""Many passages at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.interpreter.state import Passage

_T = TypeVar("_T")


def in_turn(due: Sequence[tuple[Passage, _T]]) -> Sequence[tuple[Passage, _T]]:
    """A set of passages in the order in which they are advanced: those of one user by (entered_at,
    journey, key), so that each sees what the earlier ones wrote; the order among users is free.
    """
    users = {passage.user.id for passage, _ in due}
    return due if len(users) == len(due) else sorted(due, key=_turn)


def _turn(item: tuple[Passage, object]) -> tuple[int, str, str]:
    passage = item[0]
    return passage.entered_at, passage.program.journey.journey, passage.key
