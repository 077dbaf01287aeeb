"""Everything that is wrong with a journey's text, and what of it doesn't fit in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.dsl.check import load_and_check
from engine.core.dsl.problems import by_place
from engine.core.dsl.undeclared import undeclared_problems
from engine.endpoints.reach import reach_problems
from engine.endpoints.store import load_all
from engine.errors import DefinitionError
from engine.users.catalogue import load_catalogue

if TYPE_CHECKING:
    from engine.db.connect import Connection
    from engine.errors import Problem


@dataclass(slots=True, frozen=True)
class Checked:
    """What was found. ``journey`` is its name, None where the text has errors."""

    journey: str | None
    problems: tuple[Problem, ...]


def check(connection: Connection, source: bytes, file: str) -> Checked:
    """Every error of a text; where there is none, every warning, also of endpoints and names that
    this installation doesn't have. ``file`` is what it is called in messages.
    """
    try:
        loaded = load_and_check(source, file)
    except DefinitionError as error:
        return Checked(None, error.problems)
    problems = list(loaded.warnings)
    endpoints = {each.endpoint.name: each.endpoint for each in load_all(connection)}
    if endpoints:
        problems += reach_problems(loaded.journey, loaded.document, endpoints)
    problems += undeclared_problems(loaded.journey, loaded.document, load_catalogue(connection))
    return Checked(loaded.journey.journey, by_place(problems))
