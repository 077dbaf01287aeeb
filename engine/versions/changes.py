"""What is another in a journey's text than in an earlier one: steps, triggers, all else. Pure."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from engine.core.dsl.trigger import AudienceTrigger, EventTrigger, ScheduleTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.core.dsl.journey import Journey, Place
    from engine.core.dsl.load import Loaded
    from engine.core.dsl.trigger import Trigger
    from engine.core.steps.model import StepModel


@dataclass(slots=True, frozen=True)
class StepChange:
    """A step that was added, removed, changed (``keys`` names what of it), or stands elsewhere."""

    step: str
    what: Literal["added", "removed", "changed", "moved"]
    keys: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Changes:
    """From one text to another. ``keys`` are all other keys of the file that changed, such as
    ``goals`` and ``entry.reentry``; triggers are told in words.
    """

    steps: tuple[StepChange, ...] = ()
    triggers_added: tuple[str, ...] = ()
    triggers_removed: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing that means anything is another: comments and layout at most."""
        return not (self.steps or self.triggers_added or self.triggers_removed or self.keys)


def changes(before: Loaded | None, after: Loaded) -> Changes:
    """What ``after`` changes; everything in it is new where there is nothing ``before``."""
    old_steps, new_steps = dict(_steps(before)), dict(_steps(after))
    old_triggers, new_triggers = _triggers(before), _triggers(after)
    return Changes(
        steps=tuple(_step_changes(old_steps, new_steps)),
        triggers_added=tuple(new_triggers[key] for key in new_triggers.keys() - old_triggers),
        triggers_removed=tuple(old_triggers[key] for key in old_triggers.keys() - new_triggers),
        keys=() if before is None else tuple(_keys(before, after)),
    )


def trigger_in_words(trigger: Trigger) -> str:
    """``event order_placed where event.total > 5``."""
    if isinstance(trigger, EventTrigger):
        return f"event {trigger.event}" + _condition("where", trigger.where)
    if isinstance(trigger, ScheduleTrigger):
        clock = f" {trigger.timezone}" if trigger.timezone else ""
        return f"schedule {trigger.schedule}{clock}" + _condition("audience", trigger.audience)
    if isinstance(trigger, AudienceTrigger):
        return f"audience {trigger.audience.source}"
    offset = f" offset {trigger.offset.text}" if trigger.offset is not None else ""
    return f"date {trigger.date.source}{offset}"


def triggers_in_words(journey: Journey) -> tuple[str, ...]:
    """What lets users enter a journey by itself."""
    return tuple(trigger_in_words(trigger) for trigger in journey.entry.triggers)


def _condition(word: str, expression: object) -> str:
    return "" if expression is None else f" {word} {getattr(expression, 'source', '')}"


@dataclass(slots=True, frozen=True)
class _Written:
    """A step as it is written, without the steps in its bodies; and whose body it stands in."""

    keys: Mapping[str, object]
    holder: tuple[object, ...]


def _steps(loaded: Loaded | None) -> Iterator[tuple[str, _Written]]:
    if loaded is None:
        return
    names: dict[Place, str] = {}
    for place, step in loaded.journey.all_steps():
        names[place] = step.id
        yield step.id, _Written(_own_keys(loaded, place, step), _holder(place, names))


def _holder(place: Place, names: Mapping[Place, str]) -> tuple[object, ...]:
    """The step in whose body a place is, and which body; else the list it is in."""
    for end in range(len(place) - 1, 0, -1):
        if place[:end] in names:
            return (names[place[:end]], *place[end:-1])
    return place[:-1]


def _own_keys(loaded: Loaded, place: Place, step: StepModel) -> dict[str, object]:
    node = loaded.document.node(place)
    written = deepcopy(node.data) if node is not None else None
    if not isinstance(written, dict):
        return {}
    for exit_ in step.exits():
        at: object = written
        for key in exit_.at if exit_.steps is not None else ():
            at = at[key]  # type: ignore[index]
        if exit_.steps is not None and isinstance(at, dict):
            at.pop("steps", None)
    return written


def _step_changes(
    before: Mapping[str, _Written], after: Mapping[str, _Written]
) -> Iterator[StepChange]:
    stays = _in_order([id_ for id_ in before if id_ in after], [i for i in after if i in before])
    for id_, written in after.items():
        old = before.get(id_)
        if old is None:
            yield StepChange(id_, "added")
            continue
        every = sorted({*old.keys, *written.keys})
        keys = tuple(key for key in every if _differ(old.keys, written.keys, key))
        if keys:
            yield StepChange(id_, "changed", keys)
        elif id_ not in stays or old.holder != written.holder:
            yield StepChange(id_, "moved")
    for id_ in before:
        if id_ not in after:
            yield StepChange(id_, "removed")


def _in_order(before: list[str], after: list[str]) -> set[str]:
    """Those that stand in the same order in both."""
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {id_ for block in blocks for id_ in before[block.a : block.a + block.size]}


def _triggers(loaded: Loaded | None) -> dict[str, str]:
    """In words, by what is written."""
    if loaded is None:
        return {}
    entry = _mapping(_mapping(loaded.document.root.data).get("entry"))
    written = entry.get("triggers")
    raw = written if isinstance(written, list) else []
    triggers = loaded.journey.entry.triggers
    return {
        _text(data): trigger_in_words(trigger) for data, trigger in zip(raw, triggers, strict=True)
    }


def _keys(before: Loaded, after: Loaded) -> Iterator[str]:
    """Keys of the file that changed, but steps and triggers, which are told by themselves."""
    old, new = _mapping(before.document.root.data), _mapping(after.document.root.data)
    for key in sorted((old | new).keys() - {"steps", "on_enter", "on_exit", "entry"}):
        if _differ(old, new, key):
            yield key
    old_entry, new_entry = _mapping(old.get("entry")), _mapping(new.get("entry"))
    for key in sorted((old_entry | new_entry).keys() - {"triggers"}):
        if _differ(old_entry, new_entry, key):
            yield f"entry.{key}"


def _differ(before: Mapping[str, object], after: Mapping[str, object], key: str) -> bool:
    if (key in before) != (key in after):
        return True
    return _text(before.get(key)) != _text(after.get(key))


def _text(data: object) -> str:
    """Plain data as a text that two have in common only if they mean the same: 1 isn't true."""
    return json.dumps(data, sort_keys=True)


def _mapping(data: object) -> dict[str, object]:
    return data if isinstance(data, dict) else {}
