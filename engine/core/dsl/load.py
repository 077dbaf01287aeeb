"""Text → Journey, with every problem at once."""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice

from pydantic import ValidationError

from engine.core.dsl.document import Document, Node, Path
from engine.core.dsl.journey import Journey
from engine.core.dsl.model_problems import Finding, findings
from engine.core.dsl.names import STEP_LISTS
from engine.core.dsl.problems import MOST_PROBLEMS, in_file_order
from engine.core.dsl.refused import DATA_KEYS, refused
from engine.core.dsl.source import compose
from engine.core.dsl.yaml_traps import holds_expression
from engine.errors import DefinitionError, Problem

MOST_STEPS = 1_000
"""So many steps a journey may have, those in bodies, on_enter and on_exit included."""

MOST_EXPRESSIONS = 5_000
"""So many expressions, those in ``{{ }}`` included."""

_MOST_ERRORS = 1_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A journey as it was read. ``document`` knows the place of everything in it; ``source_hash``
    is the SHA-256 of the file's bytes, in hex.
    """

    journey: Journey
    document: Document
    source_hash: str


def load(source: bytes, file: str) -> Loaded:
    """Read a journey. ``source`` is the file's content, ``file`` its name in messages.

    Raises DefinitionError with every problem found, in file order. What a journey means (targets,
    cycles, names) is the matter of :mod:`engine.core.dsl.check`.
    """
    document, journey, problems = read_journey(source, file)
    if journey is None or problems:
        raise DefinitionError(file, in_file_order(problems))
    return Loaded(journey, document, source_hash(source))


def source_hash(source: bytes) -> str:
    """SHA-256 of a journey's text, in hex: two files with the same one are the same version."""
    return hashlib.sha256(source).hexdigest()


def read_journey(source: bytes, file: str) -> tuple[Document, Journey | None, list[Problem]]:
    """The document, the journey if the models took it, and the problems so far.

    Raises DefinitionError where nothing more can be said.
    """
    document = compose(source, file)
    _check_shape(document)
    _check_size(document)
    problems = list(document.problems)
    settled: set[Path] = set()
    for path, problem in islice(refused(document), MOST_PROBLEMS + 1):
        problems.append(problem)
        settled.add(path)
    if len(settled) > MOST_PROBLEMS:
        return document, None, problems
    try:
        return document, Journey.model_validate(document.root.data), problems
    except ValidationError as error:
        details = error.errors(include_url=False)[:_MOST_ERRORS]
        found = findings(document, details, Journey)
        problems.extend(f.problem for f in found if not _follows(document, f, settled))
    return document, None, problems


def _check_shape(document: Document) -> None:
    """Raise DefinitionError for a file that isn't a mapping."""
    if not isinstance(document.root.data, dict):
        remedy = "begin with `dsl: 1`, `journey: NAME`, `steps:`"
        raise _refusal(document, "journey.shape", "a journey is a mapping", document.root, remedy)


def _check_size(document: Document) -> None:
    """Raise DefinitionError for more steps or expressions than would be compiled in good time."""
    steps = expressions = 0
    waiting: list[tuple[Path, Node]] = [((), document.root)]
    while waiting:
        path, node = waiting.pop()
        waiting.extend(((*path, key), below) for key, below in node.items.items())
        if isinstance(node.data, str):
            expressions += node.data.count("{{") or holds_expression(path)
        elif isinstance(node.data, list) and path[-1] in STEP_LISTS and DATA_KEYS.isdisjoint(path):
            steps += len(node.data)
        if steps > MOST_STEPS:
            message, code = f"more than {MOST_STEPS:,} steps", "journey.too_many_steps"
        elif expressions > MOST_EXPRESSIONS:
            message = f"more than {MOST_EXPRESSIONS:,} expressions"
            code = "journey.too_many_expressions"
        else:
            continue
        raise _refusal(document, code, message, node, "split it: one journey can start another")


def _refusal(
    document: Document, code: str, message: str, node: Node, remedy: str
) -> DefinitionError:
    problem = document.lines.problem(code, message, node.place, remedy)
    return DefinitionError(document.file, in_file_order([*document.problems, problem]))


def _follows(document: Document, found: Finding, settled: AbstractSet[Path]) -> bool:
    """Whether a finding only follows from what is reported already."""
    node: Node | None = document.root
    for end in range(len(found.path) + 1):
        if node is not None and node.broken:
            return True
        if found.path[:end] in settled:
            return True
        node = node.items.get(found.path[end]) if node and end < len(found.path) else None
    return found.missing == "endpoint" and any(path[:-1] == found.path for path in settled)
