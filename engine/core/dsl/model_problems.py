"""What pydantic says of a file → problems at their places, in an author's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from engine.core.dsl import yaml_traps
from engine.core.dsl.document import Document, Path
from engine.core.dsl.problems import did_you_mean, one_of, quoted
from engine.errors import Problem

_TYPES = {
    "text": ("string_type", "string_sub_type", "string_unicode"),
    "a whole number": ("int_type", "int_parsing", "int_from_float", "int_parsing_size"),
    "a number": ("float_type", "float_parsing", "finite_number"),
    "true or false": ("bool_type", "bool_parsing"),
    "a list": ("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"),
    "a mapping": ("dict_type", "mapping_type", "model_type", "model_attributes_type"),
}
_NOUNS = {kind: noun for noun, kinds in _TYPES.items() for kind in kinds}
_REMEDIES = {
    "text": "put it in quotes",
    "a list": "begin each item with `- `",
    "a mapping": "write `key: value`",
    "true or false": "write `true` or `false`",
}
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
_CHOICE = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and the path of what is wrong (of the holder, where something is missing)."""

    path: Path
    problem: Problem
    missing: str | None = None
    suggested: str = ""


def findings(
    document: Document, errors: Iterable[ErrorDetails], model: type[BaseModel]
) -> Iterator[Finding]:
    """A finding for each of pydantic's ``errors``, one a place; follow-up errors are left out."""
    by_path: dict[tuple[Path, str | None], Finding] = {}
    for error in errors:
        if error["type"] == "too_short" and len(error.get("input") or ()) > 0:
            continue  # pydantic doesn't count items that are wrong themselves
        path = _path(document, error["loc"])
        found = _finding(document, path, error, model)
        by_path.setdefault((found.path, found.missing), found)
    suggested = {(f.path[:-1], f.suggested) for f in by_path.values() if f.suggested}
    codes = {(f.path[:-1], f.problem.code) for f in by_path.values()}
    for found in by_path.values():
        holder = found.path if found.missing else found.path[:-1]
        follows = (
            (holder, found.missing) in suggested
            or ((holder, "step.type") in codes and found.problem.code != "step.type")
            or ((holder, "yaml.cut") in codes and found.problem.code == "key.unknown")
        )
        if not follows:
            yield found


def step_name(document: Document, path: Path) -> str:
    """' in step `x`' for the innermost step that ``path`` is in, or ''."""
    for end in range(len(path), 1, -1):
        if isinstance(path[end - 1], int) and path[end - 2] in ("steps", "on_enter", "on_exit"):
            node = document.node(path[:end])
            name = node.data.get("id") if node and isinstance(node.data, dict) else None
            return f" in step {quoted(name)}" if isinstance(name, str) else ""
    return ""


def _path(document: Document, loc: tuple[int | str, ...]) -> Path:
    """The path in the document of pydantic's ``loc``, which also names tags of unions."""
    path: list[int | str] = []
    node = document.root
    for at, item in enumerate(loc):
        last = at == len(loc) - 1
        tag = isinstance(node.data, dict) and node.data.get("type") == item and not last
        if not tag and item in node.items:
            path.append(item)
            node = node.items[item]
    return tuple(path)


def _finding(
    document: Document, path: Path, error: ErrorDetails, model: type[BaseModel]
) -> Finding:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return _missing(document, path, str(error["loc"][-1]), error, model)
    if kind == "extra_forbidden":
        return _unknown_key(document, path, error, model)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _step_type(document, path, context)
    if kind == "literal_error":
        return _choice(document, path, error)
    if "remedy" in context or "message" in context:
        return _custom(document, path, error)
    message, remedy = _plain_words(kind, context, error.get("input"))
    code = "value.type" if kind in _NOUNS else "value.range" if kind in _BOUNDS else "value.invalid"
    return Finding(path, document.lines.problem(code, message, document.place(path), remedy))


def _missing(
    document: Document, path: Path, key: str, error: ErrorDetails, model: type[BaseModel]
) -> Finding:
    where = step_name(document, path) or (
        f" in `{_last_name(path)}`" if path else f" in the {_kind_of(model)}"
    )
    message = f"`{key}` is missing{where}"
    problem = document.lines.problem(
        "key.missing", message, document.place(path), f"add `{key}: ...`"
    )
    return Finding(path, problem, missing=key)


def _unknown_key(
    document: Document, path: Path, error: ErrorDetails, model: type[BaseModel]
) -> Finding:
    key = str(path[-1]) if path else ""
    allowed = allowed_keys(model, error["loc"][:-1])
    near = did_you_mean(key, allowed)
    suggested = near.split("`")[1] if near else ""
    message = f"unknown key {quoted(key)}{step_name(document, path)}"
    remedy = near or one_of(allowed)
    place = document.key_place(path)
    problem = document.lines.problem("key.unknown", message, place, remedy)
    return Finding(path, problem, suggested=suggested)


def _step_type(document: Document, path: Path, context: Mapping[str, Any]) -> Finding:
    node = document.node(path)
    data = node.data if node and isinstance(node.data, dict) else {}
    known = _CHOICE.findall(str(context.get("expected_tags", ""))) or _STEP_TYPES
    if isinstance(node and node.data, dict) and "type" not in data:
        as_key = next((name for name in known if name in data), None)
        remedy = f"write `type: {as_key}` and its keys beside it" if as_key else one_of(known)
        message = f"`type` is missing{step_name(document, path)}"
        return Finding(
            path, document.lines.problem("key.missing", message, document.place(path), remedy)
        )
    if not isinstance(node and node.data, dict):
        message, remedy = "a step is a mapping", "write `- id: NAME`, and its keys below"
        return Finding(
            path, document.lines.problem("value.type", message, document.place(path), remedy)
        )
    written = data.get("type")
    message = f"unknown step type {quoted(written)}{step_name(document, path)}"
    remedy = did_you_mean(str(written), known) or one_of(known)
    place = document.place((*path, "type"))
    return Finding((*path, "type"), document.lines.problem("step.type", message, place, remedy))


def _choice(document: Document, path: Path, error: ErrorDetails) -> Finding:
    expected = str(error.get("ctx", {}).get("expected", ""))
    known = _CHOICE.findall(expected) or [expected]
    written = error.get("input")
    place = document.place(path)
    if path[-1:] == ("type",) and path[0] in ("on_enter", "on_exit"):
        message = f"{quoted(written)} can't stand in `{path[0]}`"
        problem = document.lines.problem("step.type", message, place, f"only {known[0]} can")
        return Finding(path, problem)
    message = f"{quoted(written)} isn't one of the words that stand here"
    remedy = did_you_mean(str(written), known) or f"one of {', '.join(known)}"
    return Finding(path, document.lines.problem("value.choice", message, place, remedy))


def _custom(document: Document, path: Path, error: ErrorDetails) -> Finding:
    """An error that a model raised in our words, perhaps with a place inside the value."""
    context = error.get("ctx", {})
    inner = tuple(step for step in context.get("path", ()) or ())
    path = (*path, *inner)
    offset = context.get("offset")
    key = path[-1] if path and error["loc"] and error["loc"][-1] == "[key]" else None
    place = document.place(path)
    if key is None and isinstance(offset, int):
        place = document.place_within(path, offset)
    elif error["type"] == "value.empty" or key is not None:
        place = document.key_place(path)
    message = str(context.get("message") or error["msg"])
    remedy = str(context.get("remedy") or "")
    code = error["type"]
    if error["type"].startswith("expression.") and (trap := _trap(document, path)):
        code, message, remedy = trap.code, trap.message, trap.remedy
        place = document.place(path)
    return Finding(path, document.lines.problem(code, message, place, remedy))


def _trap(document: Document, path: Path) -> yaml_traps.Trap | None:
    """What YAML did to the expression at ``path``, if it stands unquoted and torn in its line."""
    node = document.node(path)
    if node is None or node.style != "plain" or not yaml_traps.unbalanced(str(node.data)):
        return None
    place = node.place
    return yaml_traps.explain_split(document.lines.raw(place.line), place.column)


def _plain_words(kind: str, context: Mapping[str, Any], written: object) -> tuple[str, str]:
    if noun := _NOUNS.get(kind):
        remedy = _REMEDIES.get(noun, "")
        if noun == "text" and isinstance(written, (bool, int, float)):
            remedy = f'put it in quotes: "{written}"'
        return f"this must be {noun}, not {_noun_of(written)}", remedy
    if bound := _BOUNDS.get(kind):
        name, words = bound
        return words.format(context.get(name, "")), ""
    return "this can't stand here", ""


def _noun_of(written: object) -> str:
    if isinstance(written, bool):
        return "true or false"
    nouns = {str: "text", int: "a number", float: "a number", dict: "a mapping", list: "a list"}
    return nouns.get(type(written), "nothing")


def _kind_of(model: type[BaseModel]) -> str:
    return "journey" if model.__name__ == "Journey" else "file"


def _last_name(path: Path) -> str:
    return next((str(step) for step in reversed(path) if isinstance(step, str)), "")


def allowed_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at pydantic's ``loc`` below ``model``."""
    models = [model]
    for item in loc:
        if isinstance(item, int):
            continue
        below = [m for one in models for m in _below(one, item)]
        narrowed = [one for one in models if item in _types_of(one)]
        models = below or narrowed or models
    return sorted({name for one in models for name in _names(one)})


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _below(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return list(_models_in(field.annotation))
    return []


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _types_of(model: type[BaseModel]) -> tuple[object, ...]:
    field = model.model_fields.get("type")
    return get_args(field.annotation) if field else ()


_STEP_TYPES = (
    "call_api",
    "wait",
    "wait_for",
    "branch",
    "split",
    "set",
    "emit",
    "start_journey",
    "exit",
)
