"""What pydantic says of a file → problems at their places, in an author's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from engine.core.dsl import remedies, synonyms, yaml_traps
from engine.core.dsl.document import Document, Path
from engine.core.dsl.keys import TRIGGERS, allowed_keys, meant_by
from engine.core.dsl.problems import did_you_mean, nearest, one_of, quoted
from engine.errors import Problem

_CHOICE = re.compile(r"'([^']*)'")


class Finding(NamedTuple):
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
    kindless = {path for path, key in suggested if "triggers" in path and key in TRIGGERS}
    codes = {(f.path[:-1], f.problem.code) for f in by_path.values()}
    for found in by_path.values():
        holder = found.path if found.missing else found.path[:-1]
        follows = (
            (holder, found.missing) in suggested
            or ((holder, "step.type") in codes and found.problem.code != "step.type")
            or ((holder, "yaml.cut") in codes and found.problem.code == "key.unknown")
            or (
                found.suggested == "" and found.problem.code == "key.unknown" and holder in kindless
            )
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
    keys = allowed_keys(model, error["loc"])
    code, message, remedy = remedies.of_type(kind, context, error.get("input"), path, keys)
    return Finding(path, document.lines.problem(code, message, document.place(path), remedy))


def _missing(
    document: Document, path: Path, key: str, error: ErrorDetails, model: type[BaseModel]
) -> Finding:
    where = step_name(document, path) or (
        f" in `{_last_name(path)}`" if path else f" in the {_kind_of(model)}"
    )
    message = f"`{key}` is missing{where}"
    remedy = remedies.of_missing(key)
    problem = document.lines.problem("key.missing", message, document.place(path), remedy)
    return Finding(path, problem, missing=key)


def _unknown_key(
    document: Document, path: Path, error: ErrorDetails, model: type[BaseModel]
) -> Finding:
    holder = document.node(path[:-1])
    present = holder.items if holder else {}
    remedy, meant = meant_by(str(path[-1]) if path else "", model, error["loc"][:-1], present)
    return _wrong_key(document, path, remedy, meant)


def _wrong_key(document: Document, path: Path, remedy: str, meant: str) -> Finding:
    message = f"unknown key {quoted(path[-1] if path else '')}{step_name(document, path)}"
    problem = document.lines.problem("key.unknown", message, document.key_place(path), remedy)
    return Finding(path, problem, suggested=meant)


def _misspelt(document: Document, path: Path, names: Iterable[str]) -> Finding | None:
    """The finding of a key at ``path`` that should have been one of ``names``, none of which is
    there, so that pydantic can't tell which model is meant."""
    node = document.node(path)
    known = tuple(names)
    for key in node.items if node else ():
        head = str(key).split(":")[0]
        meant = head if head in known else nearest(str(key), known, cutoff=0.75)
        if meant:
            colon = f"a space belongs behind the colon: `{head}: {str(key)[len(head) + 1 :]}`"
            remedy = colon if head in known else f"did you mean `{meant}`?"
            return _wrong_key(document, (*path, key), remedy, meant)
    return None


def _step_type(document: Document, path: Path, context: Mapping[str, Any]) -> Finding:
    node = document.node(path)
    data = node.data if node and isinstance(node.data, dict) else {}
    known = _CHOICE.findall(str(context.get("expected_tags", ""))) or _STEP_TYPES
    if not isinstance(node and node.data, dict):
        message, remedy = "a step is a mapping", "write `- id: NAME`, and its keys below"
        return Finding(
            path, document.lines.problem("value.type", message, document.place(path), remedy)
        )
    if "type" not in data:
        return _typeless(document, path, data, known)
    written = str(data.get("type"))
    message = f"unknown step type {quoted(data.get('type'))}{step_name(document, path)}"
    other = synonyms.STEP_TYPES.get(written.lower(), "")
    near = f"did you mean `{other}`?" if other in known else did_you_mean(written, known)
    place = document.place((*path, "type"))
    remedy = near or one_of(known)
    return Finding((*path, "type"), document.lines.problem("step.type", message, place, remedy))


def _typeless(
    document: Document, path: Path, data: Mapping[str, object], known: Sequence[str]
) -> Finding:
    """A step without `type`: misspelt, written as a key, or a step's id with its keys below."""
    if found := _misspelt(document, path, ("type",)):
        return found
    lone = next(iter(data)) if len(data) == 1 else ""
    if lone and isinstance(data[lone], dict) and lone not in known:
        remedy = f"write `- id: {lone}`, and its other keys below, in line with `id`"
        return _wrong_key(document, (*path, lone), remedy, "type")
    as_key = next((name for name in known if name in data), None)
    remedy = f"write `type: {as_key}` and its keys beside it" if as_key else one_of(known)
    message = f"`type` is missing{step_name(document, path)}"
    return Finding(
        path, document.lines.problem("key.missing", message, document.place(path), remedy)
    )


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
    remedy = remedies.of_word(written, known, document)
    return Finding(path, document.lines.problem("value.choice", message, place, remedy))


def _custom(document: Document, path: Path, error: ErrorDetails) -> Finding:
    """An error that a model raised in our words, perhaps with a place inside the value."""
    context = error.get("ctx", {})
    inner = tuple(step for step in context.get("path", ()) or ())
    path = (*path, *inner)
    code, offset = error["type"], context.get("offset")
    key = path[-1] if path and error["loc"] and error["loc"][-1] == "[key]" else None
    place = document.place(path)
    if key is None and isinstance(offset, int):
        place = document.place_within(path, offset)
    elif code == "value.empty" or key is not None:
        place = document.key_place(path)
    message = str(context.get("message") or error["msg"])
    remedy = str(context.get("remedy") or "")
    if code == "trigger.kind" and (found := _misspelt(document, path, TRIGGERS)):
        return found
    if code.startswith("expression.") and (trap := _trap(document, path)):
        code, message, remedy = trap.code, trap.message, trap.remedy
        place = document.place(path)
    else:
        node = document.node(path)
        written = key if key is not None else node.data if node else None
        message, remedy = remedies.of_value(code, written, path, message, remedy)
    return Finding(path, document.lines.problem(code, message, place, remedy))


def _trap(document: Document, path: Path) -> yaml_traps.Trap | None:
    """What YAML did to the expression at ``path``, if it stands unquoted and torn in its line."""
    node = document.node(path)
    if node is None or node.style != "plain" or not yaml_traps.unbalanced(str(node.data)):
        return None
    place = node.place
    return yaml_traps.explain_split(document.lines.raw(place.line), place.column)


def _kind_of(model: type[BaseModel]) -> str:
    return "journey" if model.__name__ == "Journey" else "file"


def _last_name(path: Path) -> str:
    return next((str(step) for step in reversed(path) if isinstance(step, str)), "")


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
