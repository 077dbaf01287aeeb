"""Text → Journey, with every problem at once."""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pydantic import ValidationError

from engine.core.dsl.document import Document, Node, Path
from engine.core.dsl.journey import Journey
from engine.core.dsl.model_problems import Finding, findings
from engine.core.dsl.problems import in_file_order
from engine.core.dsl.refused import DATA_KEYS, refused
from engine.core.dsl.source import compose
from engine.errors import DefinitionError, Problem

MOST_STEPS = 1_000
"""So many steps a journey may have, those in bodies, on_enter and on_exit included."""

_STEP_LISTS = ("steps", "on_enter", "on_exit")


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
    problems = list(document.problems)
    settled: set[Path] = set()
    for path, problem in refused(document):
        problems.append(problem)
        settled.add(path)
    try:
        return document, Journey.model_validate(document.root.data), problems
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = findings(document, details, Journey)
        problems.extend(f.problem for f in found if not _follows(document, f, settled))
    return document, None, problems


def _check_shape(document: Document) -> None:
    """Raise DefinitionError for a file that isn't a mapping, or has too many steps."""
    if not isinstance(document.root.data, dict):
        remedy = "begin with `dsl: 1`, `journey: NAME`, `steps:`"
        raise _refusal(document, "journey.shape", "a journey is a mapping", document.root, remedy)
    count, waiting = 0, [document.root]
    while waiting:
        for key, below in waiting.pop().items.items():
            if key in DATA_KEYS:
                continue
            waiting.append(below)
            if key in _STEP_LISTS and isinstance(below.data, list):
                count += len(below.data)
                if count > MOST_STEPS:
                    message = f"more than {MOST_STEPS:,} steps"
                    remedy = "split it into journeys; one can start the other"
                    raise _refusal(document, "journey.too_many_steps", message, below, remedy)


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
