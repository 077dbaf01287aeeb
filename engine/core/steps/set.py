"""``set``: write values to the passage (``vars``) or to the user."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from engine.core.expressions.errors import Unfillable
from engine.core.steps.base import Move, View
from engine.core.steps.computed import AnyValue
from engine.core.steps.fields import NotEmpty
from engine.core.steps.model import StepModel
from engine.core.steps.writes import Target, Write, write_to, written


class SetStep(StepModel):
    """Keep values for later steps, or set attributes of the user."""

    type: Literal["set"] = Field(description="Writes values to the passage or to the user.")
    values: Annotated[dict[Target, AnyValue], NotEmpty()] = Field(
        description="What to write: vars.NAME or user.NAME; none removes an attribute.",
    )

    @cached_property
    def _writes(self) -> tuple[Write, ...]:
        return tuple(write_to(target, value.render) for target, value in self.values.items())

    def decide(self, view: View) -> Move:
        """All values, each made from what stood before; or ``step.unfillable`` and none."""
        try:
            variables, attributes = written(self._writes, view.scope)
        except Unfillable as failure:
            return Move(status="failed", failure="step.unfillable", text=failure.message)
        return Move(vars=variables, user=attributes)
