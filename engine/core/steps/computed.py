"""What is computed from a user's data: expressions, values and paths, compiled where they stand.

Each place has its own names: ``event`` only where an event is at hand, ``response`` only where an
answer is.
"""

from __future__ import annotations

from typing import Annotated

from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.grammar import Expression, compile_expression
from engine.core.expressions.paths import PathTemplate, compile_path
from engine.core.expressions.references import DEFAULT_ROOTS, EVENT_ROOTS
from engine.core.expressions.values import Value, compile_value
from engine.core.steps.fields import Read, refuse

STEP_ROOTS = DEFAULT_ROOTS - {"response"}
"""What a condition or a value of a step may name."""
ANSWER_ROOTS = DEFAULT_ROOTS
"""With an answer at hand: the ``outputs`` of call_api, and ``success.when``."""
HAPPENING_ROOTS = EVENT_ROOTS - {"response"}
"""With an event at hand, inside a passage: ``where``, and the outputs of wait_for."""
ADMISSION_ROOTS = frozenset({"user", "now"})
"""Before anybody has entered: audiences and the dates of triggers."""
ARRIVAL_ROOTS = ADMISSION_ROOTS | (EVENT_ROOTS - DEFAULT_ROOTS)
"""With the event that may let somebody in: a trigger's ``where`` and ``inputs``."""
KEY_ROOTS = frozenset({"user", "inputs"})
"""What tells two enrollments of one user apart."""


def _expression(allow: frozenset[str], about: str) -> Read:
    def read(raw: object) -> Expression:
        if isinstance(raw, Expression):
            return raw
        if isinstance(raw, bool):
            raw = "true" if raw else "false"
        elif isinstance(raw, int | float):
            raw = str(raw)
        if not isinstance(raw, str):
            refuse("expression.invalid", "an expression is text", "as in user.age >= 18", offset=0)
        try:
            return compile_expression(raw, allow=allow)
        except ExpressionError as error:
            refuse("expression.invalid", error.message, error.remedy, offset=error.offset)

    kinds = ["string", "boolean", "number"]
    schema = {"title": "expression", "description": about, "type": kinds, "pattern": "\\S"}
    return Read(read, schema, lambda expression: expression.source)


Condition = Annotated[Expression, _expression(STEP_ROOTS, "An expression, without {{ }}.")]
"""A bare expression over the user and his passage."""

Where = Annotated[Expression, _expression(HAPPENING_ROOTS, "An expression over `event`.")]
"""A bare expression over an event, the user and his passage."""

FromAnswer = Annotated[Expression, _expression(ANSWER_ROOTS, "An expression over `response`.")]
"""A bare expression over an answer, the user and his passage."""

FromArrival = Annotated[
    Expression, _expression(ARRIVAL_ROOTS, "An expression over `event` and `user`.")
]
"""A bare expression over an event and a user who hasn't entered yet."""

FromUser = Annotated[Expression, _expression(ADMISSION_ROOTS, "An expression over `user`.")]
"""A bare expression over a user who hasn't entered yet."""

KeyExpression = Annotated[
    Expression, _expression(KEY_ROOTS, "An expression over `inputs` and `user`.")
]
"""What tells two enrollments of one user apart."""


def read_value(raw: object) -> Value:
    """The value an author wrote, compiled."""
    if isinstance(raw, Value):
        return raw
    try:
        return compile_value(raw, allow=STEP_ROOTS)
    except ExpressionError as error:
        refuse("value.invalid", error.message, error.remedy, offset=error.offset, path=error.path)


def _read_path(raw: object) -> PathTemplate:
    if isinstance(raw, PathTemplate):
        return raw
    if not isinstance(raw, str):
        refuse("path.invalid", "a path is text", "as in /users/{{ user.id }}", offset=0)
    try:
        return compile_path(raw, allow=STEP_ROOTS)
    except ExpressionError as error:
        refuse("path.invalid", error.message, error.remedy, offset=error.offset)


AnyValue = Annotated[Value, Read(read_value, {"title": "value"}, lambda value: value.raw)]
"""Any data; texts inside may hold ``{{ }}``."""

Path = Annotated[
    PathTemplate,
    Read(
        _read_path,
        {
            "title": "path",
            "type": "string",
            "pattern": "^/",
            "errorMessage": "a path begins with /, as in /users/{{ user.id }}",
        },
        lambda path: path.source,
    ),
]
"""The path of a call, beginning with ``/``; ``{{ }}`` are percent-encoded."""
