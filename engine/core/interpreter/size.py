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
    # Python shows JSON data in no fewer characters than JSON, of 6 bytes at most.
    if 6 * (len(repr(old)) + len(repr(new)) + len(repr(beside))) <= LARGEST_STATE:
        return True
    size = len(dumps({**old, **new})) + (len(dumps(beside)) if beside is not None else 0)
    return size <= LARGEST_STATE
