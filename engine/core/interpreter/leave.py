"""What ends a passage from outside its steps: goals and exit rules.

An exit rule's condition is true or not: it ends the passage as soon as it is, also on the entry. A
goal's condition has to *become* true: who bought a year ago hasn't been won by this journey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.interpreter.state import State
from engine.core.steps.facts import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.core.dsl.journey import Goal
    from engine.core.expressions.scope import Scope
    from engine.core.interpreter.state import Passage
    from engine.core.interpreter.walk import Walk
    from engine.core.steps.facts import Fact


def goals_met(passage: Passage, fact: Fact, scope: Scope) -> Iterator[tuple[int, Goal]]:
    """The goals, with their numbers, that ``fact`` makes count for this passage now. Each counts
    once, from the entry up to its window's last moment, whether the user has left or not.
    """
    before = None
    for number, goal in enumerate(passage.program.journey.goals):
        if number in passage.goals or fact.at > counts_until(passage, goal):
            continue
        if goal.when is None:
            if isinstance(fact, Event) and goal.fits(fact, scope):
                yield number, goal
        elif goal.holds(scope):
            before = before or _before(scope, fact)
            if not goal.holds(before):
                yield number, goal


def exit_rule(passage: Passage, fact: Fact | None, scope: Scope) -> str | None:
    """The outcome ``exit:N`` of the first exit rule, counted from 1, that holds: for ``fact``, or
    without one on the entry. None: the user stays.
    """
    for number, rule in enumerate(passage.program.journey.exit, 1):
        if rule.holds(scope) or (isinstance(fact, Event) and rule.fits(fact, scope)):
            return f"exit:{number}"
    return None


def fix(walk: Walk, outcome: str) -> None:
    """Fix the outcome at once. A call under way is answered before on_exit begins, and nothing is
    tried again.
    """
    if walk.passage.state is State.CALLING:
        walk.passage.outcome = outcome
    else:
        walk.leave(outcome)


def counts_until(passage: Passage, goal: Goal) -> int:
    """The last moment at which a goal counts, in microseconds UTC."""
    window = passage.program.max_age if goal.within is None else goal.within.microseconds
    return passage.entered_at + window


def goals_until(passage: Passage) -> int | None:
    """Up to when facts may make a goal count for this passage; None: not any more."""
    windows = [
        counts_until(passage, goal)
        for number, goal in enumerate(passage.program.journey.goals)
        if number not in passage.goals
    ]
    return max(windows, default=None)


def _before(scope: Scope, fact: Fact) -> Scope:
    """What conditions saw before ``fact``."""
    if not isinstance(fact, Event):
        return scope.changed(user={**scope.user, **fact.before}, notes=[])
    history = scope.history

    def without(name: str) -> Sequence[int]:
        times = history(name) if history is not None else ()
        if name != fact.name or fact.at not in times:
            return times
        place = times.index(fact.at)
        return [*times[:place], *times[place + 1 :]]

    return scope.changed(history=without, notes=[])
