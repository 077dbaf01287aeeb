"""What editors are told of the language beyond the types of its keys.

The models' JSON Schema is made for people who type: each rule here reports at the key that is
wrong, in the loader's words (``errorMessage``, which yaml-language-server and VS Code show), and a
choice between models is made by what tells them apart, so that only the one meant is reported on.
A model lists its rules as ``editor_rules``; the loader's own checks stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.core.expressions.durations import duration_pattern

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

Rule = dict[str, Any]
"""A part of a JSON Schema (draft-07) that an object must fit besides its properties."""


def excludes(key: str, *others: str, message: str = "") -> Rule:
    """Where ``key`` stands, none of ``others`` may."""
    words = message or f"`{key}` and {_either(others)} exclude each other"
    refused: Rule = {"properties": dict.fromkeys(others, False), "errorMessage": words}
    return {"if": {"required": [key]}, "then": refused}


def needs(key: str, *others: str, message: str = "") -> Rule:
    """Where ``key`` stands, one of ``others`` must."""
    words = message or f"`{key}` goes with {_either(others)}"
    return {"if": {"required": [key]}, "then": _any_of(others, words)}


def takes_one_of(*keys: str) -> tuple[Rule, ...]:
    """Exactly one of two ``keys`` stands there."""
    first, second = keys
    words = f"this takes either `{first}` or `{second}`"
    return _any_of(keys, words), excludes(first, second, message=words)


def depends(key: str, present: tuple[Rule, ...], absent: tuple[Rule, ...]) -> Rule:
    """The rules where ``key`` stands, and those where it doesn't."""
    held = {"if": {"required": [key]}, "then": {"allOf": list(present)}}
    return held | {"else": {"allOf": list(absent)}}


def takes_any_of(*keys: str, message: str) -> Rule:
    """At least one of ``keys`` stands there."""
    return _any_of(keys, message)


def takes_none_of(*keys: str, message: str) -> Rule:
    """None of ``keys`` stands there."""
    return {"properties": dict.fromkeys(keys, False), "errorMessage": message}


def _any_of(keys: tuple[str, ...], words: str) -> Rule:
    needed = [{"required": [key], "errorMessage": words} for key in keys]
    return needed[0] if len(needed) == 1 else {"anyOf": needed}


def _either(keys: tuple[str, ...]) -> str:
    return " or ".join(f"`{key}`" for key in keys)


def _exactly(name: str) -> Rule:
    """A ``const``: editors that complete take `wait` for the beginning of `wait_for` there."""
    return {"type": "string", "pattern": f"^{name}$"}


def no_null(schema: Rule) -> None:
    """Let a property that takes any data refuse nothing but null, in place."""
    if not schema.keys() - {"title", "description", "default", "examples"}:
        schema["type"] = ["string", "number", "boolean", "object", "array"]


def duration_schema(title: str, *examples: str, **form: bool) -> Rule:
    """A duration as editors see it; ``form`` as of ``duration_pattern``."""
    words = "a duration: as in PT45M, P1DT2H, P2W, or 45m, 2d 4h, 90s"
    shape = {"type": "string", "pattern": duration_pattern(**form), "errorMessage": words}
    return {"title": title, **shape, "examples": list(examples)}


@dataclass(frozen=True, slots=True)
class ToldByType:
    """Annotation of a union of models that say in ``key`` which one they are: that is chosen first,
    then the model's keys hold.

    ``types`` are the names in the union's order, ``about`` says of each what it is; the keys
    ``required`` stand in all of them.
    """

    title: str
    types: tuple[str, ...]
    about: tuple[str, ...]
    key: str = "type"
    required: tuple[str, ...] = ("id", "type")

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """An object whose ``key`` is one of the names, and then what that model takes."""
        choices = handler(schema)["oneOf"]
        kinds = {
            "description": f"What kind of {self.title} it is.",
            "enum": list(self.types),
            "enumDescriptions": list(self.about),
        }
        known = {name: {"description": f"The {self.title}'s {name}."} for name in self.required}
        return {
            "title": self.title,
            "type": "object",
            "required": list(self.required),
            "properties": {**known, self.key: kinds},
            "allOf": [
                {
                    "if": {"properties": {self.key: _exactly(name)}, "required": [self.key]},
                    "then": choice,
                }
                for name, choice in zip(self.types, choices, strict=True)
            ],
        }


@dataclass(frozen=True, slots=True)
class ToldByKey:
    """Annotation of a union of models, each known by a key of its own; the first one counts."""

    keys: tuple[str, ...]
    about: tuple[str, ...]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """An object with one of the keys, and then what that model takes."""
        choices = handler(schema)["oneOf"]
        words = f"this names no trigger: one of {', '.join(f'`{key}`' for key in self.keys)}"
        told: JsonSchemaValue = _any_of(self.keys, words)
        for key, choice in reversed([*zip(self.keys, choices, strict=True)]):
            told = {"if": {"required": [key]}, "then": choice, "else": told}
        known = {k: {"description": about} for k, about in zip(self.keys, self.about, strict=True)}
        return {"title": "trigger", "type": "object", "properties": known, **told}
