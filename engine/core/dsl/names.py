"""Names that nothing bears: steps, inputs and vars that a journey speaks of and doesn't have.

Works on the document, not on the models, so that a file with other errors hears of these as well.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from engine.core.dsl.document import Document, Node, Path
from engine.core.dsl.problems import MOST_PROBLEMS, Place, did_you_mean, one_of, quoted
from engine.core.dsl.refused import DATA_KEYS
from engine.core.dsl.walk import Written
from engine.errors import Problem

STEP_LISTS = ("steps", "on_enter", "on_exit")
"""Keys that hold a list of steps."""

_WORDS = {
    "exit": "a jump leads to a step: add `- {id: end, type: exit}`, and say `end` here",
    "continue": "drop the key: without it the following step comes next",
}


@dataclass(slots=True)
class Names:
    """What a document declares (``steps``: the paths of an id's steps) and where it jumps to."""

    steps: dict[str, list[Path]] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)
    vars: set[str] = field(default_factory=set)
    jumps: list[tuple[Path, str]] = field(default_factory=list)
    perhaps: set[str] = field(default_factory=set)


def names_of(document: Document, *, generous: bool = False) -> Names:
    """Everything that ``document`` gives a name; ``generous`` also takes in, as ``perhaps``, what
    would be a name if its key weren't misspelt: a slip shouldn't be heard of twice.
    """
    names = Names(perhaps=_perhaps(document) if generous else set())
    inputs = document.node(("entry", "inputs"))
    names.inputs.update(key for key in (inputs.items if inputs else ()) if isinstance(key, str))
    waiting: deque[tuple[Path, Node]] = deque([((), document.root)])
    while waiting:
        path, node = waiting.popleft()
        for key, below in node.items.items():
            inner = (*path, key)
            if key in ("outputs", "values"):
                targets = (name.split(".", 1) for name in below.items if isinstance(name, str))
                names.vars.update(parts[1] for parts in targets if parts[0] == "vars" and parts[1:])
            elif key in ("next", "otherwise") and isinstance(below.data, str):
                names.jumps.append((inner, below.data))
            if key in DATA_KEYS:
                continue
            waiting.append((inner, below))
            if key in STEP_LISTS and isinstance(below.data, list):
                for index, step in below.items.items():
                    name = step.data.get("id") if isinstance(step.data, dict) else None
                    if isinstance(name, str):
                        names.steps.setdefault(name, []).append((*inner, index))
    return names


def _perhaps(document: Document) -> set[str]:
    """Keys and their last parts, a list of inputs, the texts of steps that have no `id`, and what
    an id's wrong letters would be right."""
    found: set[str] = set()
    waiting: list[tuple[Path, Node]] = [((), document.root)]
    while waiting:
        path, node = waiting.pop()
        waiting.extend(((*path, key), below) for key, below in node.items.items())
        if isinstance(node.data, list) and path[-1:] == ("inputs",):
            found.update(item for item in node.data if isinstance(item, str))
        if not isinstance(node.data, dict):
            continue
        if not DATA_KEYS.isdisjoint(path[:-1]):
            continue
        names = [key for key in node.items if isinstance(key, str)]
        if path[-1:] != ("inputs",) or path == ("entry", "inputs"):
            found.update(re.sub(r"\W+", "_", name.rpartition(".")[2]) for name in names)
        name = node.data.get("id")
        if isinstance(name, str):
            found.add(re.sub(r"\W+", "_", name.strip().lower()))
        elif path and isinstance(path[-1], int):
            found.update(text for text in node.data.values() if isinstance(text, str))
    return found


def name_problems(
    document: Document, names: Names, computed: Iterable[Written]
) -> Iterator[Problem]:
    """A problem for every id that stands twice, and for every name that nothing bears."""
    yield from islice(_same_ids(document, names), MOST_PROBLEMS + 1)
    yield from islice(_unknown_jumps(document, names), MOST_PROBLEMS + 1)
    yield from islice(_unknown_names(document, names, computed), MOST_PROBLEMS + 1)


def _unknown_names(
    document: Document, names: Names, computed: Iterable[Written]
) -> Iterator[Problem]:
    for one in computed:
        for word, code, message, remedy in _unknown(one, names):
            place = place_of_word(document, one.path, word)
            yield document.lines.problem(code, message, place, remedy)


def _same_ids(document: Document, names: Names) -> Iterator[Problem]:
    for name, paths in names.steps.items():
        places = sorted((document.place((*path, "id")) for path in paths), key=lambda p: p.line)
        for place in places[1:]:
            message = f"two steps have the id {quoted(name)}; the first is in line {places[0].line}"
            yield document.lines.problem("step.same_id", message, place, "give one another id")


def _unknown_jumps(document: Document, names: Names) -> Iterator[Problem]:
    regions = {name: {path[0] for path in paths} for name, paths in names.steps.items()}
    for path, target in names.jumps:
        if path[0] in regions.get(target, ()) or target in names.perhaps:
            continue
        place = document.place(path)
        here = [name for name, found in regions.items() if path[0] in found]
        if target in regions:
            message = f"the step {quoted(target)} isn't among those of `{path[0]}`"
            remedy = "`next` stays inside steps, on_enter or on_exit"
        else:
            message = f"no step has the id {quoted(target)}"
            remedy = _WORDS.get(target) or did_you_mean(target, here) or one_of(here)
        yield document.lines.problem("step.unknown", message, place, remedy)


def _unknown(one: Written, names: Names) -> Iterator[tuple[str, str, str, str]]:
    """What an expression names in vain: a pattern for it, code, message, remedy."""
    named = names.perhaps.union(names.steps)
    for root, *keys in one.computed.references:
        if not keys:
            continue
        name = keys[0]
        known = _known(root, names)
        if known is None or name in known or name in names.perhaps:
            continue
        word = rf"\b{root}\s*(?:\.\s*{re.escape(name)}\b|\[\s*['\"]{re.escape(name)}['\"])"
        near = did_you_mean(name, known)
        if root == "steps":
            yield word, "step.unknown", f"no step has the id {quoted(name)}", near or one_of(known)
        elif root == "inputs":
            remedy = near or f"declare it: `entry: {{inputs: {{{name}: text}}}}`"
            yield word, "input.unknown", f"no input {quoted(name)} is declared", remedy
        else:
            remedy = near or "`outputs` of a call or a `set` step makes it"
            yield word, "var.unknown", f"no step ever sets `vars.{name}`", remedy
    for function, *arguments in one.computed.functions:
        if function == "visits" and arguments and arguments[0] not in named:
            name = str(arguments[0])
            word = rf"\bvisits\s*\(\s*['\"]?{re.escape(name)}"
            remedy = did_you_mean(name, names.steps) or one_of(names.steps)
            yield word, "step.unknown", f"no step has the id {quoted(name)}", remedy


def _known(root: str, names: Names) -> Iterable[str] | None:
    known = {"steps": set(names.steps), "inputs": names.inputs, "vars": names.vars}
    return known.get(root)


def place_of_word(document: Document, path: Path, word: str) -> Place:
    """Where ``word`` (a pattern) stands in the text at ``path``, or in a text below it."""
    start = document.node(path)
    waiting: list[tuple[Path, Node]] = [(path, start)] if start else []
    while waiting:
        at, node = waiting.pop(0)
        waiting.extend(((*at, key), below) for key, below in node.items.items())
        if isinstance(node.data, str) and (found := re.search(word, node.data)):
            return document.place_within(at, found.start())
    return document.place(path)
