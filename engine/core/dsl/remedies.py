"""What would be right instead of a value that isn't, in words that can be typed as they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.core.dsl import likely, synonyms
from engine.core.dsl.document import Document, Path
from engine.core.dsl.problems import did_you_mean, nearest, quoted

_TYPES = {
    "text": ("string_type", "string_sub_type", "string_unicode"),
    "a whole number": ("int_type", "int_parsing", "int_from_float", "int_parsing_size"),
    "a number": ("float_type", "float_parsing", "finite_number"),
    "true or false": ("bool_type", "bool_parsing"),
    "a list": ("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"),
    "a mapping": ("dict_type", "mapping_type", "model_type", "model_attributes_type"),
}
_NOUNS = {kind: noun for noun, kinds in _TYPES.items() for kind in kinds}
_BOUNDS = {
    "greater_than": ("gt", "this must be more than {}"),
    "greater_than_equal": ("ge", "this must be at least {}"),
    "less_than": ("lt", "this must be less than {}"),
    "less_than_equal": ("le", "this must be at most {}"),
    "too_short": ("min_length", "this needs at least {}"),
    "too_long": ("max_length", "this takes at most {}"),
    "string_too_short": ("min_length", "this needs at least {} characters"),
    "string_too_long": ("max_length", "this takes at most {} characters"),
}
_EXAMPLES = {
    "dsl": "dsl: 1",
    "journey": "journey: NAME",
    "id": "id: NAME",
    "name": "name: NAME",
    "endpoint": "endpoint: NAME",
    "event": "event: NAME",
    "when": "when: CONDITION, as in when: user.tier == 'gold'",
    "weight": "weight: 50",
    "within": "within: P7D",
    "mode": "mode: once, after_exit or restart",
    "count": "count: 3",
    "per": "per: P30D",
    "next": "next: STEP",
    "values": "values: {vars.NAME: VALUE}",
    "any": "any: [{event: NAME}]",
    "arms": "arms: [{name: a, weight: 50}, {name: b, weight: 50}]",
    "paths": "paths: [{name: NAME, when: CONDITION, next: STEP}]",
    "steps": "steps:, and below it - id: NAME",
}
_DURATIONS = frozenset(
    ("for", "within", "timeout", "delay", "max_delay", "per", "cooldown", "grace", "max_age")
)
_WAYS = frozenset(("continue", "exit"))


def of_missing(key: str) -> str:
    """For a key that must stand here."""
    return f"add `{_EXAMPLES.get(key, f'{key}: ...')}`"


def of_word(written: object, known: Sequence[str], document: Document) -> str:
    """For a word that isn't one of ``known``."""
    text = str(written)
    if _WAYS.issuperset(known) and text in _step_ids(document):
        return f"to go to that step write {{next: {text}}}"
    if set(known) == set(likely.WEEKDAYS):
        days = likely.weekday_range(text) or tuple(
            day for day in text.lower().split() if day in known
        )
        if len(days) > 1:
            return f"write the days apart: [{', '.join(days)}]"
        if text[:3].lower() in known:
            return f"did you mean `{text[:3].lower()}`?"
    meant = (word for word in synonyms.WORDS.get(text.lower(), ()) if word in known)
    if other := next(meant, ""):
        return f"did you mean `{other}`?"
    if _WAYS.issuperset(known) and (near := nearest(text, _step_ids(document), cutoff=0.75)):
        return f"did you mean {{next: {near}}}? Or {' or '.join(known)}"
    return did_you_mean(text, known) or f"one of {', '.join(known)}"


def _step_ids(document: Document) -> frozenset[str]:
    found = set()
    waiting = [document.root]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.items.values())
        if isinstance(node.data, dict) and "type" in node.data:
            found.add(node.data.get("id"))
    return frozenset(name for name in found if isinstance(name, str))


def of_type(
    kind: str, context: Mapping[str, Any], written: object, path: Path, keys: Sequence[str]
) -> tuple[str, str, str]:
    """Code, message and remedy for what pydantic calls ``kind``: a wrong type, or out of bounds.

    ``keys`` are those of the mapping that should stand here.
    """
    if noun := _NOUNS.get(kind):
        message = f"this must be {noun}, not {_noun_of(written)}"
        return "value.type", message, _of_noun(kind, written, path, keys)
    if bound := _BOUNDS.get(kind):
        name, words = bound
        return "value.range", words.format(context.get(name, "")), ""
    return "value.invalid", "this can't stand here", ""


def _of_noun(kind: str, written: object, path: Path, keys: Sequence[str]) -> str:
    noun = _NOUNS[kind]
    if noun == "text":
        scalar = isinstance(written, bool | int | float)
        return f"put it in quotes: {_in_quotes(written)}" if scalar else "put it in quotes"
    if noun == "a whole number":
        return likely.whole_number(written)
    if noun == "a number":
        return likely.number(written)
    if noun == "true or false":
        return likely.truth(written)
    if noun == "a list":
        return likely.listed(written)
    if kind in ("dict_type", "mapping_type"):
        keys = ()
    last = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    return likely.mapped(written, last, keys)


def _in_quotes(written: object) -> str:
    return f'"{quoted(written)[1:-1]}"'


def _noun_of(written: object) -> str:
    if isinstance(written, bool):
        return "true or false"
    nouns = {str: "text", int: "a number", float: "a number", dict: "a mapping", list: "a list"}
    return nouns.get(type(written), "nothing")


def of_value(code: str, written: object, path: Path, message: str, remedy: str) -> tuple[str, str]:
    """Message and remedy for a value that a field refused with ``code``, in better words than its
    own ``message`` and ``remedy`` where what was written gives any.
    """
    if code == "schedule.invalid":
        what, right = likely.schedule(written)
        return (f"this is no schedule: {what}" if what else message), right or remedy
    if isinstance(written, dict) and (code in _ONE_OF or code == "split.same_name"):
        return _of_mapping(code, written, message, remedy)
    return message, _better(code, written, path, remedy) or remedy


def _better(code: str, written: object, path: Path, remedy: str) -> str:
    """A remedy made of what was written, or ''."""
    found = ""
    if code in likely.VALUES:
        found = likely.VALUES[code](written)
    elif code in likely.NAME_PATTERNS:
        found = _of_name(code, written, path, remedy)
    elif code == "zone.unknown":
        found = likely.zone(written, user="triggers" in path)
    elif code in ("text.title", "text.invalid") and isinstance(written, bool | int | float):
        found = f"put it in quotes: {_in_quotes(written)}"
    elif code in ("reentry.invalid", "retry.cause") and remedy.startswith("one of "):
        known = remedy.removeprefix("one of ").split(", ")
        found = _of_cause(written) or did_you_mean(str(written), known)
    elif code == "trigger.kind" and isinstance(written, str):
        found = likely.mapped(written, "triggers", ())
    elif code == "value.empty" and path and path[-1] in _DURATIONS and written is None:
        found = f"give a duration, as in {path[-1]}: PT45M, or drop the key"
    return found


def _of_cause(written: object) -> str:
    status = str(written)
    return "did you mean `5xx`?" if status.isdecimal() and status.startswith("5") else ""


def _of_name(code: str, written: object, path: Path, remedy: str) -> str:
    if isinstance(written, dict) and isinstance(written.get("next"), str):
        return f"write it straight: {path[-1]}: {quoted(written['next'])[1:-1]}"
    if isinstance(written, list) and len(written) == 1 and isinstance(written[0], str):
        return f"write it without [ ]: {path[-1]}: {quoted(written[0])[1:-1]}"
    return likely.name(written, likely.NAME_PATTERNS[code], remedy)


_ONE_OF = {
    "wait.one": (("for", "until"), "add `for: P2D` or `until: {time: ...}`"),
    "occurrence.one": (("event", "when"), "add `event: NAME` or `when: CONDITION`"),
    "success.one_rule": (("status", "when"), "add `status: [2xx]` or `when: CONDITION`"),
}


def _of_mapping(
    code: str, written: Mapping[str, Any], message: str, remedy: str
) -> tuple[str, str]:
    """For keys that don't go together."""
    keys, instead = _ONE_OF.get(code, ((), ""))
    if keys and not any(key in written for key in keys):
        return message, instead
    if code == "split.same_name" and isinstance(written.get("arms"), list):
        names = [arm.get("name") for arm in written["arms"] if isinstance(arm, dict)]
        twice = next((name for name in names if names.count(name) > 1), None)
        return f"two arms have the name {quoted(twice)}", remedy
    return message, remedy
