"""One passage, one moment: on as far as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.interpreter.state import State, World
from engine.core.interpreter.walk import Walk
from engine.core.message import Answer
from engine.core.steps.base import Result

if TYPE_CHECKING:
    from engine.core.interpreter.state import Advanced, Passage

__all__ = ["World", "advance", "leave"]


def advance(passage: Passage, now: int, world: World, result: Result | None = None) -> Advanced:
    """Move a passage that is due, or whose call was answered with ``result``, as far as it goes.

    The passage is changed in place; what must be written down is returned. Never raises for
    anything a user, a journey or an endpoint did.
    """
    walk = Walk(passage, now, world)
    if result is not None:
        walk.answered(result)
    if walk.walking:
        walk.on()
    return walk.done


def leave(passage: Passage, now: int, world: World, outcome: str, *, attempts: int = 0) -> Advanced:
    """Fix the outcome of a passage that still runs and go on to on_exit. A call under way is
    dropped and recorded as ``call.unknown``, with the ``attempts`` made so far.
    """
    walk = Walk(passage, now, world)
    if passage.state is State.CALLING:
        code = "call.unknown"
        dropped = Result(Answer(failure=code), code, "", attempts, attempts, now)
        walk.record("failed", code, f"{outcome} before an answer came", result=dropped)
    walk.leave(outcome)
    walk.on()
    return walk.done
