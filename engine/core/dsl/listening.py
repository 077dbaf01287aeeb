"""What happens outside that a journey must be told of, and which counts of events it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from engine.core.dsl.document import Path
from engine.core.dsl.journey import Journey
from engine.core.dsl.trigger import AudienceTrigger
from engine.core.dsl.walk import Computed, computed_in
from engine.core.expressions.durations import parse_duration
from engine.core.expressions.grammar import Expression
from engine.core.steps.flow import Occurrence
from engine.core.steps.wait import WaitStep
from engine.core.steps.wait_for import WaitForStep

ANY = "*"
"""Among attributes: every one of them."""


class Listens(NamedTuple):
    """The names of events and attributes that a step, goal or exit rule is woken by.

    ``attributes`` may hold :data:`ANY`; ``timezone`` is among them if a wait follows the user's
    clock.
    """

    events: frozenset[str]
    attributes: frozenset[str]


class Need(NamedTuple):
    """The times of ``event`` that expressions count: ``window_us`` back at most, None for all."""

    event: str
    window_us: int | None


def occurrences(journey: Journey) -> Iterator[tuple[Path, Occurrence]]:
    """Everything that goals, exit rules and waits look out for, with its path."""
    for index, goal in enumerate(journey.goals):
        yield ("goals", index), goal
    for index, rule in enumerate(journey.exit):
        yield ("exit", index), rule
    for path, step in journey.all_steps():
        if isinstance(step, WaitForStep):
            for index, one in enumerate(step.any):
                yield (*path, "any", index), one


def waiting_conditions(journey: Journey) -> Iterator[tuple[Path, Expression]]:
    """Conditions that are looked at when something changes: `when` of the above, and audiences."""
    for path, one in occurrences(journey):
        if one.when is not None:
            yield (*path, "when"), one.when
    for index, trigger in enumerate(journey.entry.triggers):
        if isinstance(trigger, AudienceTrigger):
            yield ("entry", "triggers", index, "audience"), trigger.audience


def listens_of(journey: Journey) -> Listens:
    """What a journey's passages are woken by. Triggers are none of it: they let users in."""
    events: set[str] = set()
    attributes: set[str] = set()
    for _, one in occurrences(journey):
        if one.event is not None:
            events.add(one.event)
        if one.when is not None:
            attributes.update(_attributes(one.when))
            events.update(str(call[1]) for call in one.when.functions if call[0] in _COUNTS)
    for _, step in journey.all_steps():
        if isinstance(step, WaitStep) and step.until is not None:
            if step.until.date is not None:
                attributes.update(_attributes(step.until.date))
            if step.until.timezone is None:
                attributes.add("timezone")
    return Listens(frozenset(events), frozenset(attributes))


def needs_of(computed: Iterable[Computed]) -> tuple[Need, ...]:
    """One need for each event that is counted anywhere, with its widest window, by name."""
    widest: dict[str, int | None] = {}
    for one in computed:
        for name, *arguments in one.functions:
            if name not in _COUNTS:
                continue
            event = str(arguments[0])
            window = _window(str(arguments[1])) if len(arguments) > 1 else None
            known = widest.get(event, 0)
            widest[event] = None if window is None or known is None else max(known, window)
    return tuple(Need(event, widest[event]) for event in sorted(widest))


def recalls_of(journey: Journey) -> frozenset[str]:
    """The events of the past that a journey asks for: those counted anywhere, and those that a wait
    looks back at."""
    counted = counted_by(one.computed for one in computed_in(journey))
    since_entry = {
        one.event
        for _, step in journey.all_steps()
        if isinstance(step, WaitForStep) and step.since == "entry"
        for one in step.any
        if one.event is not None
    }
    return counted.union(since_entry)


def counted_by(computed: Iterable[Computed]) -> frozenset[str]:
    """The events that these expressions and values count."""
    return frozenset(need.event for need in needs_of(computed))


_COUNTS = frozenset(("has_event", "event_count"))


def _window(text: str) -> int:
    return parse_duration(text).microseconds


def _attributes(expression: Expression) -> Iterator[str]:
    for root, *keys in expression.references:
        if root == "user" and keys[:1] != ["id"]:
            yield keys[0] if keys else ANY
