"""Who is touched by a fact, and what it does to him."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from engine.core.dsl.listening import ANY
from engine.core.interpreter.leave import exit_rule, fix, goals_met, goals_until
from engine.core.interpreter.scope import PassageScope
from engine.core.interpreter.state import State
from engine.core.steps.facts import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.dsl.program import Program
    from engine.core.interpreter.state import Passage
    from engine.core.interpreter.walk import Walk
    from engine.core.steps.facts import Fact

_BY_SEQ = attrgetter("seq")


def listens(program: Program, fact: Fact) -> bool:
    """Whether a fact can move anybody on his way through ``program``."""
    if isinstance(fact, Event):
        return fact.name in program.listens.events
    wanted = program.listens.attributes
    return ANY in wanted or not wanted.isdisjoint(fact.values)


def touches(passage: Passage, fact: Fact) -> bool:
    """Whether a fact may do something to a passage: move it, or make one of its goals count."""
    if not listens(passage.program, fact):
        return False
    if passage.outcome is None:
        return True
    until = goals_until(passage)
    return until is not None and fact.at <= until


def apply(walk: Walk, facts: Sequence[Fact]) -> None:
    """Apply ``facts`` to the walk's passage one by one in order of ``seq``: goals first, then exit
    rules, then the step. Those applied before are passed over, and so are events from before the
    entry; goals count from the entry on. The walk is left walking if there is more to do now.
    """
    passage = walk.passage
    walk.walking = False
    for fact in facts if len(facts) == 1 else sorted(facts, key=_BY_SEQ):
        if fact.seq > passage.seen_seq:
            passage.seen_seq = fact.seq
            passage.depth = max(passage.depth, fact.depth)
            walk.moment = min(walk.now, fact.at)
            _apply(walk, fact)
    walk.walking = _is_due(passage, walk.moment)
    walk.moment = walk.now


def _apply(walk: Walk, fact: Fact) -> None:
    passage = walk.passage
    began = passage.began or passage.entered_at
    is_earlier = fact.at < began
    if is_earlier:
        if isinstance(fact, Event):
            return
        walk.moment = began  # what he is counts as it stands, however late it was told of
    journey = passage.program.journey
    if not journey.goals and not journey.exit:
        if passage.outcome is None and fact.at <= walk.expires_at:
            walk.heed(fact)
        return
    scope = PassageScope(passage, walk.now, walk.world.zone)
    outcome = None
    for number, goal in () if is_earlier else goals_met(passage, fact, scope):
        passage.goals[number] = fact.at
        walk.done.goals = (*walk.done.goals, number)
        if goal.exit and outcome is None:
            outcome = f"goal:{goal.name}"
    if passage.outcome is not None or fact.at > walk.expires_at:
        return
    outcome = outcome or exit_rule(passage, fact, scope)
    if outcome is not None:
        fix(walk, outcome)
    else:
        walk.heed(fact)


def _is_due(passage: Passage, at: int) -> bool:
    """Whether there is a step to be begun, or the present one was over before ``at``, the own time
    of the last fact. One that ends then or later waits for its turn: further facts of before that
    may be about to be told.
    """
    if passage.state is not State.WAITING:
        return False
    return not passage.started or (passage.wake_at is not None and passage.wake_at < at)
