"""How much a passage, or a user, may carry with him."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.guarded_json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.interpreter.state import Passage
    from engine.core.steps.base import Move

LARGEST_STATE = 64 * 1024


def too_big(passage: Passage, move: Move) -> str:
    """What wouldn't fit any more if ``move`` were written, in words; '' if all does."""
    if move.vars and not fit(passage.inputs, {**passage.vars, **move.vars}):
        return "more than 64 KiB of inputs and variables"
    if move.user and not fit({**passage.user.attributes, **move.user}):
        return "more than 64 KiB of attributes"
    return ""


def fit(*parts: Mapping[str, object]) -> bool:
    """Whether mappings take at most LARGEST_STATE bytes of JSON; counted only where they might
    not."""
    if sum(map(_bound, parts)) <= LARGEST_STATE:
        return True
    return sum(len(dumps(part)) for part in parts) <= LARGEST_STATE


def _bound(part: Mapping[str, object]) -> int:
    """No less than the bytes a mapping takes as JSON."""
    total = 2
    for name, value in part.items():
        total += 6 * len(name) + 6
        if isinstance(value, str):
            total += 6 * len(value)
        else:
            total += 32 if isinstance(value, float | None) else len(dumps(value))
    return total
