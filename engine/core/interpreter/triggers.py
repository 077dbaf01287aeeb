"""What lets users enter by themselves: events, and attributes by which an audience is left or met.

A fact meets the passages a user is in before it meets the triggers: an order that ends one passage
may begin the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.dsl.trigger import AudienceTrigger, EventTrigger
from engine.core.expressions.declared import fits
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.seen import sight_of
from engine.core.interpreter.scope import PassageScope
from engine.core.steps.facts import Change, Event, seeing
from engine.core.steps.flow import is_true

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.core.dsl.journey import Journey
    from engine.core.expressions.grammar import Expression
    from engine.core.expressions.scope import Scope
    from engine.core.interpreter.advance import World
    from engine.core.interpreter.state import Passage
    from engine.core.steps.facts import Fact


@dataclass(slots=True)
class SetOff:
    """A trigger, by its number, that a fact was for: the inputs it brings, or None where its
    ``where`` is false; ``seen`` is then what that read.
    """

    trigger: int
    inputs: dict[str, object] | None
    seen: Mapping[str, object] | None = None


def let_in(candidate: Passage, fact: Fact, world: World) -> Iterator[SetOff]:
    """The triggers that ``fact`` is for. Whoever hasn't all inputs, or not of their types, is
    refused by admission.

    ``candidate`` is a fresh passage of the user's; an audience lets in who was outside before the
    change and is inside now.
    """
    journey = candidate.program.journey
    if not journey.entry.triggers:
        return
    scope = PassageScope(candidate, candidate.entered_at, world.zone)
    for number, trigger in enumerate(journey.entry.triggers):
        if isinstance(trigger, EventTrigger):
            if not isinstance(fact, Event) or fact.name != trigger.event:
                continue
            with seeing(scope, fact):
                if trigger.where is None or is_true(trigger.where, scope):
                    inputs = inputs_of(journey, trigger.inputs, fact.properties, scope)
                    set_off = SetOff(number, inputs)
                else:
                    set_off = SetOff(number, None, sight_of(trigger.where)(scope))
            yield set_off
        elif isinstance(trigger, AudienceTrigger) and isinstance(fact, Change):
            before = scope.changed(user={**scope.user, **fact.before})
            if is_true(trigger.audience, scope) and not is_true(trigger.audience, before):
                yield SetOff(number, inputs_of(journey, trigger.inputs, {}, scope))


def inputs_of(
    journey: Journey,
    said: Mapping[str, Expression],
    properties: Mapping[str, object],
    scope: Scope,
) -> dict[str, object]:
    """What the trigger says, else the event's property of that name; only what fits is there."""
    inputs: dict[str, object] = {}
    for name, kind in journey.entry.inputs.items():
        value = properties.get(name)
        if name in said:
            try:
                value = said[name].evaluate(scope)
            except Unfillable:
                continue
        if value is not None and fits(kind, value):
            inputs[name] = value
    return inputs
