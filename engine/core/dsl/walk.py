"""Everything computed in a journey, each with its path in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from engine.core.dsl.document import Document, Node, Path
from engine.core.dsl.yaml_traps import holds_expression
from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.grammar import Expression, compile_expression
from engine.core.expressions.references import EVENT_ROOTS
from engine.core.expressions.values import PathTemplate, Value, compile_value

Computed = Expression | Value | PathTemplate
"""What computes something from a user's data."""


class Written(NamedTuple):
    """An expression, value or path, and where it was written."""

    path: Path
    computed: Computed


def computed_in(model: object, path: Path = ()) -> Iterator[Written]:
    """Everything computed below ``model``, which stands at ``path``."""
    if isinstance(model, Expression | Value | PathTemplate):
        yield Written(path, model)
    elif isinstance(model, BaseModel):
        fields = type(model).model_fields
        for name in fields:
            if name in model.model_fields_set:
                inner = (*path, fields[name].alias or name)
                yield from computed_in(getattr(model, name), inner)
    elif isinstance(model, Mapping):
        for key, value in model.items():
            yield from computed_in(value, (*path, str(key)))
    elif isinstance(model, tuple):
        for index, value in enumerate(model):
            yield from computed_in(value, (*path, index))


def computed_in_text(document: Document) -> Iterator[Written]:
    """The same for a document that the models refused, as far as its texts compile."""
    waiting: list[tuple[Path, Node]] = [((), document.root)]
    while waiting:
        path, node = waiting.pop()
        waiting.extend(((*path, key), below) for key, below in node.items.items())
        text = node.data
        if not isinstance(text, str) or node.broken:
            continue
        try:
            if holds_expression(path):
                yield Written(path, compile_expression(text, allow=EVENT_ROOTS))
            elif "{{" in text:
                yield Written(path, compile_value(text, allow=EVENT_ROOTS))
        except ExpressionError:
            continue
