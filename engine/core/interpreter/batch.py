"""Many passages at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.interpreter.state import Passage

_T = TypeVar("_T")
Turn = tuple[int, str, str, int]
"""Entered at, journey, key, id."""


def in_turn(due: Sequence[tuple[Passage, _T]]) -> Sequence[tuple[Passage, _T]]:
    """A set of passages in the order in which they are advanced: those of one user by (entered_at,
    journey, key), so that each sees what the earlier ones wrote; the order among users is free.
    """
    users = {passage.user.id for passage, _ in due}
    return due if len(users) == len(due) else sorted(due, key=lambda item: turn(item[0]))


def turn(passage: Passage) -> Turn:
    """By what the passages of one user come one after another; by the id at last, since one that is
    restarted at the moment of its entry has the same key as the next.
    """
    return passage.entered_at, passage.program.name, passage.key, passage.id
