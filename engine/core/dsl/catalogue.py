"""The declared catalogue: which attributes users have, which events come, and what those carry.

It stands in the file that ``journey apply`` takes. A journey that names anything else is warned of:
the name is probably misspelt.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from engine.core.dsl.document import Document
from engine.core.dsl.model_problems import findings
from engine.core.steps.definition import Definition
from engine.core.steps.fields import DataName, EventName
from engine.errors import Problem

ValueType = Literal["text", "number", "boolean", "date", "any"]
"""What a value is: the types that inputs may have."""

SECTIONS = ("attributes", "events")
"""The keys of an apply file that make the catalogue."""

ALWAYS = frozenset(("id", "timezone"))
"""Attributes that every user may have, whatever is declared."""


class Catalogue(Definition):
    """What is declared. Of a section that declares nothing, nothing is asked."""

    attributes: dict[DataName, ValueType] = Field(
        {}, description="The users' attributes: text, number, boolean, date or any."
    )
    events: dict[EventName, dict[DataName, ValueType]] = Field(
        {}, description="The events that come, each with the types of its properties."
    )


def read_catalogue(document: Document) -> tuple[Catalogue, tuple[Problem, ...]]:
    """The catalogue of an apply file that was read (an empty one if it has none), and what is
    wrong with it.
    """
    data = document.root.data if isinstance(document.root.data, dict) else {}
    written = {
        section: data[section]
        for section in SECTIONS
        if section in data and not document.root.items[section].broken
    }
    try:
        return Catalogue.model_validate(written), ()
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = findings(document, details, Catalogue)
        return Catalogue(), tuple(one.problem for one in found)
