"""The shape of the code: small, named by the glossary, documented."""

from __future__ import annotations

import ast
import re
from pathlib import PurePath

from tests.house.source import Definition, modules, project_files

MODULE_LINES = 300
FUNCTION_LINES = 45

# Path, or path::dotted.name → why it may be longer. Keep it short: a longer one holds two ideas.
_FROZEN = "a migration is a record of tables as they were, not code that lives"
_FIRST = "engine/db/migrations/versions/0001_first.py"
LONGER: dict[str, str] = {
    _FIRST: _FROZEN,
    **{f"{_FIRST}::{part}": _FROZEN for part in ("_journeys", "_credentials", "_users", "_calls")},
}

NAMES_THAT_SAY_NOTHING = {
    *("util", "utils", "helper", "helpers", "common", "misc"),
    *("manager", "managers", "service", "services", "handler", "handlers"),
}


def test_modules_and_functions_stay_short() -> None:
    found = _too_long()
    new = [f"{place} ({lines} lines)" for place, lines in found.items() if place not in LONGER]
    assert not new, "\n".join(
        [f"over {MODULE_LINES} lines (modules) or {FUNCTION_LINES} (functions):", *new]
    )


def test_what_may_be_longer_still_is() -> None:
    assert set(LONGER) <= set(_too_long()), "take what got shorter off LONGER"


def _too_long() -> dict[str, int]:
    """Place → lines. A function's docstring isn't counted: explaining is no fault."""
    found: dict[str, int] = {}
    for module in modules():
        lines = len(module.text.splitlines())
        if lines > MODULE_LINES:
            found[module.path] = lines
        for name, definition in module.definitions():
            if isinstance(definition, ast.ClassDef):
                continue
            lines = _extent(definition) - _docstring_extent(definition)
            if lines > FUNCTION_LINES:
                found[f"{module.path}::{name}"] = lines
    return found


def _extent(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _docstring_extent(definition: Definition) -> int:
    return _extent(definition.body[0]) if ast.get_docstring(definition) is not None else 0


def test_every_public_name_has_a_docstring() -> None:
    bare = [
        f"{module.path}:{definition.lineno} {name}"
        for module in modules()
        if "/migrations/" not in module.path
        for name, definition in _public(module.tree.body, "")
        if not ast.get_docstring(definition)
    ]
    assert not bare, "\n".join(["say what the caller gets:", *bare])


def _public(body: list[ast.stmt], prefix: str) -> list[tuple[str, Definition]]:
    found: list[tuple[str, Definition]] = []
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_") or _needs_no_word(node):
            continue
        found.append((prefix + node.name, node))
        if isinstance(node, ast.ClassDef):
            found += _public(node.body, f"{prefix}{node.name}.")
    return found


def _needs_no_word(node: Definition) -> bool:
    """A setter, an overload and an override are explained where they were first declared."""
    return any(
        ast.unparse(decorator).rpartition(".")[2] in {"setter", "deleter", "overload", "override"}
        for decorator in node.decorator_list
    )


def test_names_say_what_they_are() -> None:
    files = [
        name
        for name in project_files()
        if name.startswith(("engine/", "tests/", "scripts/"))
        and any(_says_nothing(PurePath(part).stem) for part in PurePath(name).parts)
    ]
    names = [
        f"{module.path}:{definition.lineno} {name}"
        for module in modules()
        for name, definition in module.definitions()
        if _says_nothing(definition.name)
    ]
    assert not files + names


def _says_nothing(name: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return any(word.lower() in NAMES_THAT_SAY_NOTHING for word in words)
