"""What a journey file may not hold anywhere: how to authenticate, a secret, a cut expression."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from engine.core.dsl import yaml_traps
from engine.core.dsl.document import Document, Node, Path
from engine.core.dsl.literal_secrets import (
    is_credential_header,
    is_credential_option,
    looks_secret,
    masked_whole,
)
from engine.core.dsl.problems import Place, quoted
from engine.errors import Problem

MANAGED_CENTRALLY = (
    "authentication is managed centrally: `journey auth set ...` and "
    "`journey endpoints set NAME --auth PROFILE`"
)

DATA_KEYS = frozenset(("body", "form", "text", "values", "properties", "inputs", "outputs"))
"""Keys that hold an author's own data, where any name is free."""
_PARAMETERS = frozenset(("headers", "query"))
_ADDRESSES = frozenset(("url", "uri", "base_url", "host"))


def refused(document: Document) -> Iterator[tuple[Path, Problem]]:
    """Every refusal with the path of what is refused (nothing below it needs another word)."""
    waiting: deque[tuple[Path, Node]] = deque([((), document.root)])
    seen: set[int] = set()
    while waiting:
        path, node = waiting.popleft()
        for key, below in node.items.items():
            inner = (*path, key)
            if problem := _key_problem(document, inner):
                yield inner, problem
            elif id(below.data) in seen and (below.items or below.size > 1):
                continue  # an alias: what it stands for was looked at where it stands
            elif problem := _text_problem(document, inner, below):
                yield inner, problem
            elif below.items:
                waiting.append((inner, below))
            seen.add(id(below.data))


def _key_problem(document: Document, path: Path) -> Problem | None:
    """The problem of a key that says how to authenticate, or is a secret itself."""
    key = path[-1]
    if not isinstance(key, str):
        return None
    place = document.key_place(path)
    if what := looks_secret(key):
        return _secret(document, what, place)
    holders = [name for name in path[:-1] if isinstance(name, str)]
    if any(name in DATA_KEYS for name in holders):
        return None
    if holders and holders[-1] in _PARAMETERS:
        if not is_credential_header(key):
            return None
        kind = "header" if holders[-1] == "headers" else "query parameter"
        message = f"the {kind} {quoted(key)} carries a credential, and those live with the endpoint"
    elif not is_credential_option(key):
        return None
    elif key.lower() in _ADDRESSES:
        message = f"{quoted(key)} can't stand in a journey: a call names an `endpoint`"
    else:
        message = f"{quoted(key)} can't stand in a journey: authentication lives with the endpoint"
    problem = document.lines.problem("auth.in_journey", message, place, MANAGED_CENTRALLY)
    shown = problem.text[: place.column - 1 + place.length]
    return replace(problem, text=shown + masked_whole(problem.text[len(shown) :]))


def _text_problem(document: Document, path: Path, node: Node) -> Problem | None:
    """The problem of a text that looks like a secret, or that YAML cut at a comment."""
    if not isinstance(node.data, str):
        return None
    if what := looks_secret(node.data):
        return _secret(document, what, node.place)
    if not node.commented:
        return None
    torn = node.data.count("{{") > node.data.count("}}")
    if not torn and not yaml_traps.holds_expression(path):
        return None
    trap = yaml_traps.explain_cut(document.lines.raw(node.place.line), node.place.column)
    return document.lines.problem(trap.code, trap.message, node.place, trap.remedy)


def _secret(document: Document, what: str, place: Place) -> Problem:
    message = f"this looks like {what}: a journey never holds a secret"
    return document.lines.problem("secret.in_journey", message, place, MANAGED_CENTRALLY)
