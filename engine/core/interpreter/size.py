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
    if move.vars and not _fits(passage.vars, move.vars, passage.inputs):
        return "more than 64 KiB of inputs and variables"
    if move.user and not _fits(passage.user.attributes, move.user):
        return "more than 64 KiB of attributes"
    return ""


def _fits(
    old: Mapping[str, object], new: Mapping[str, object], beside: Mapping[str, object] | None = None
) -> bool:
    """Whether ``old`` with ``new`` in it, and what stands ``beside``, take at most LARGEST_STATE
    bytes of JSON; counted only where they might not.
    """
    if _bound(old, new, beside or {}) <= LARGEST_STATE:
        return True
    size = len(dumps({**old, **new})) + (len(dumps(beside)) if beside is not None else 0)
    return size <= LARGEST_STATE


def _bound(*parts: Mapping[str, object]) -> int:
    """No less than the bytes that mappings take as JSON."""
    total = 2 * len(parts)
    for part in parts:
        for name, value in part.items():
            kind = type(value)
            if kind is str:
                total += 6 * (len(name) + len(value)) + 6  # type: ignore[arg-type]
            elif kind is int:
                total += 6 * len(name) + 8 + value.bit_length() // 3  # type: ignore[attr-defined]
            elif kind in _SHORT:
                total += 6 * len(name) + 38
            else:
                total += 6 * len(name) + 6 + len(dumps(value))
    return total


_SHORT = frozenset({float, bool, type(None)})
