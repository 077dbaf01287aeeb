"""One passage, one moment: on as far as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.dsl.program import END
from engine.core.interpreter.contact import give_back
from engine.core.interpreter.leave import exit_rule, fix
from engine.core.interpreter.listens import apply
from engine.core.interpreter.scope import PassageScope
from engine.core.interpreter.state import Reason, State, World
from engine.core.interpreter.walk import SKIPPED, Walk
from engine.core.message import Answer
from engine.core.steps.base import Move, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.interpreter.state import Advanced, Passage
    from engine.core.steps.facts import Fact

__all__ = ["World", "advance", "drop", "leave", "pass_over", "rejoin"]


def advance(
    passage: Passage,
    now: int,
    world: World,
    result: Result | None = None,
    facts: Sequence[Fact] = (),
) -> Advanced:
    """Move a passage that is due, that ``facts`` touch, or whose call was answered with ``result``,
    as far as it goes.

    Facts come first, in order of ``seq``; attribute changes among them already stand in the user's
    attributes, and his past holds the events. A passage that has ended only counts goals. An
    outcome fixed while a call is under way leaves it ``calling``: its answer takes it to on_exit,
    or :func:`drop` if nothing is on the wire.

    The passage is changed in place; what must be written down is returned. Never raises for
    anything a user, a journey or an endpoint did.
    """
    walk = Walk(passage, now, world)
    if not passage.moves and passage.program.journey.exit:
        _look_at_the_door(walk)
    if facts:
        apply(walk, facts)
    elif result is None and passage.started:
        passage.depth = 0  # time has passed: nothing leads to what follows
        if passage.wake_at is not None and passage.wake_at < now:
            walk.moment = passage.wake_at
    elif not passage.moves and passage.began:
        walk.moment = passage.began
    if result is not None:
        walk.walking = True
        walk.answered(result)
    if walk.walking:
        walk.on()
    return walk.done


def _look_at_the_door(walk: Walk) -> None:
    """End a passage that an exit rule holds for as it begins."""
    passage = walk.passage
    if passage.outcome is None:
        scope = PassageScope(passage, walk.now, walk.world.zone)
        outcome = exit_rule(passage, None, scope)
        if outcome is not None:
            fix(walk, outcome)


def leave(passage: Passage, now: int, world: World, outcome: str) -> Advanced:
    """Fix the outcome of a passage that still runs, and go on to on_exit. One with a call under way
    stays ``calling`` until that is answered, or dropped.
    """
    walk = Walk(passage, now, world)
    fix(walk, outcome)
    if passage.state is not State.CALLING:
        walk.on()
    return walk.done


def rejoin(passage: Passage, now: int, world: World, text: str) -> Advanced:
    """Move a passage on that waited for its user to leave another journey; ``text`` says how that
    ended. One that doesn't wait for it any more stays as it is.
    """
    walk = Walk(passage, now, world)
    if passage.state is State.WAITING and passage.reason is Reason.CHILD:
        walk.rejoin(text)
    return walk.done


def drop(
    passage: Passage, now: int, world: World, *, attempts: int = 0, failure: str | None = None
) -> Advanced:
    """Go on to on_exit without an answer to the call of a passage whose outcome is fixed: nothing
    more is sent of it. It is recorded with the ``failure`` of its last attempt, or as skipped if
    there was none.
    """
    walk = Walk(passage, now, world)
    outcome = passage.outcome or ""
    if failure != "call.unknown":
        walk.done.contacted = give_back(passage)
    if attempts:
        code = failure or "call.unknown"
        dropped = Result(Answer(failure=code), code, "", attempts, attempts, now)
        failed = Move(status="failed", failure=code)
        walk.record(failed, f"{outcome} before it was tried again", dropped)
    else:
        walk.record(SKIPPED, f"{outcome} before it was sent")
    passage.state = State.WAITING
    walk.leave(outcome)
    walk.on()
    return walk.done


def pass_over(passage: Passage, now: int, world: World, *, attempts: int = 0) -> Advanced:
    """Skip the call that a passage is in, because ``world`` withholds calls, and go on as far as no
    call is needed. ``attempts`` were made of it so far.
    """
    walk = Walk(passage, now, world)
    program, outcome = passage.program, passage.outcome
    passage.state = State.WAITING
    none = Result(Answer(), None, "", attempts, attempts, now)
    walk.record(SKIPPED, world.withheld, none)
    follow = program.nodes[passage.position].follow
    leaves = program.leaving == END or passage.position < program.leaving
    passage.position = program.leaving if outcome is not None and leaves else follow
    passage.started = 0
    walk.on()
    return walk.done
