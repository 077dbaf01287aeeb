"""Attributes, events and properties that a journey names and the catalogue doesn't."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.core.dsl.catalogue import ALWAYS, Catalogue
from engine.core.dsl.document import Document, Path
from engine.core.dsl.journey import Journey
from engine.core.dsl.listening import occurrences
from engine.core.dsl.names import place_of_word
from engine.core.dsl.problems import Place, did_you_mean, quoted
from engine.core.dsl.trigger import EventTrigger
from engine.core.dsl.walk import computed_in
from engine.core.steps.emit import EmitStep
from engine.errors import Problem

_OF_EVENTS = ("has_event", "event_count")


def undeclared_problems(
    journey: Journey, document: Document, catalogue: Catalogue
) -> Iterator[Problem]:
    """A warning for each name that isn't declared, with the nearest that is.

    Of attributes nothing is said unless some are declared, nor of events, nor of the properties of
    an event that is declared without any.
    """
    if catalogue.attributes:
        yield from _attributes(journey, document, catalogue.attributes.keys() | ALWAYS)
    if catalogue.events:
        yield from _events(journey, document, catalogue)


def attributes_named(journey: Journey) -> frozenset[str]:
    """The users' attributes that a journey reads or writes."""
    read = (one.computed.references for one in computed_in(journey))
    written = (str(path[-1]).partition(".") for path in _writes(journey))
    return frozenset(
        [keys[0] for each in read for root, *keys in each if root == "user" and keys]
        + [name for root, _, name in written if root == "user"]
    )


def events_named(journey: Journey) -> frozenset[str]:
    """The events that a journey listens to, asks of, or sends."""
    asked = (
        str(arguments[0])
        for one in computed_in(journey)
        for function, *arguments in one.computed.functions
        if function in _OF_EVENTS
    )
    return frozenset([*(use.event for use in _uses(journey)), *asked])


def _attributes(journey: Journey, document: Document, known: Iterable[str]) -> Iterator[Problem]:
    names = frozenset(known)

    def undeclared(name: str, place: Place) -> Problem:
        message = f"no attribute {quoted(name)} is declared"
        return _warning(document, "attribute.undeclared", message, place, name, names)

    for one in computed_in(journey):
        for root, *keys in sorted(one.computed.references):
            if root == "user" and keys and keys[0] not in names:
                word = rf"\buser\s*(\.\s*|\[\s*['\"]){re.escape(keys[0])}"
                yield undeclared(keys[0], place_of_word(document, one.path, word))
    for path in _writes(journey):
        root, _, name = str(path[-1]).partition(".")
        if root == "user" and name not in names:
            yield undeclared(name, document.key_place(path))


def _writes(journey: Journey) -> Iterator[Path]:
    """The path of everything that steps write to."""
    for path, step in journey.all_steps():
        for key in ("outputs", "values"):
            yield from ((*path, key, target) for target in getattr(step, key, ()))
        for number, one in enumerate(getattr(step, "any", ())):
            yield from ((*path, "any", number, "outputs", target) for target in one.outputs)


@dataclass(frozen=True, slots=True)
class _Use:
    """An event that is named at ``path``, and the paths below where its properties are: as
    expressions (``reads``) or as names (``named``).
    """

    event: str
    path: Path
    reads: tuple[tuple[object, Path], ...] = ()
    named: tuple[tuple[str, Path], ...] = ()


def _uses(journey: Journey) -> Iterator[_Use]:
    for index, trigger in enumerate(journey.entry.triggers):
        if isinstance(trigger, EventTrigger):
            path: Path = ("entry", "triggers", index)
            brought = sorted(journey.entry.inputs.keys() - trigger.inputs.keys())
            yield _Use(
                trigger.event,
                (*path, "event"),
                reads=((trigger.where, (*path, "where")), (trigger.inputs, (*path, "inputs"))),
                named=tuple((name, ("entry", "inputs", name)) for name in brought),
            )
    for path, one in occurrences(journey):
        if one.event is not None:
            outputs = getattr(one, "outputs", None)
            yield _Use(
                one.event,
                (*path, "event"),
                reads=((one.where, (*path, "where")), (outputs, (*path, "outputs"))),
            )
    for path, step in journey.all_steps():
        if isinstance(step, EmitStep):
            named = [(name, (*path, "properties", name)) for name in step.properties]
            yield _Use(step.event, (*path, "event"), named=tuple(named))


def _events(journey: Journey, document: Document, catalogue: Catalogue) -> Iterator[Problem]:
    events = catalogue.events

    def undeclared(name: str, place: Place) -> Problem:
        message = f"no event {quoted(name)} is declared"
        return _warning(document, "event.undeclared", message, place, name, events)

    for use in _uses(journey):
        properties = events.get(use.event)
        if properties is None:
            yield undeclared(use.event, document.place(use.path))
            continue
        for name, place in _properties(document, use) if properties else ():
            if name not in properties:
                message = f"the event {quoted(use.event)} has no property {quoted(name)}"
                yield _warning(document, "property.undeclared", message, place, name, properties)
    for one in computed_in(journey):
        for function, *arguments in sorted(one.computed.functions):
            if function in _OF_EVENTS and str(arguments[0]) not in events:
                word = rf"\b{function}\s*\(\s*['\"]"
                yield undeclared(str(arguments[0]), place_of_word(document, one.path, word))


def _properties(document: Document, use: _Use) -> Iterator[tuple[str, Place]]:
    for model, path in use.reads:
        for one in computed_in(model, path):
            for root, *keys in sorted(one.computed.references):
                if root == "event" and keys:
                    word = rf"\bevent\s*(\.\s*|\[\s*['\"]){re.escape(keys[0])}"
                    yield keys[0], place_of_word(document, one.path, word)
    for name, path in use.named:
        yield name, document.key_place(path)


def _warning(
    document: Document, code: str, message: str, place: Place, name: str, known: Iterable[str]
) -> Problem:
    remedy = did_you_mean(name, known) or "declare it in the file that `journey apply` takes"
    return document.lines.problem(code, message, place, remedy, severity="warning")
