"""``emit``: make an event of the user's, as if it had come from outside."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.core.expressions.errors import Unfillable
from engine.core.steps.base import Emitted, Move, View
from engine.core.steps.computed import AnyValue
from engine.core.steps.fields import DataName, EventName
from engine.core.steps.model import StepModel


class EmitStep(StepModel):
    """Make an event that this and other journeys may listen to."""

    type: Literal["emit"] = Field(description="Makes an event of the user's.")
    event: EventName = Field(description="The event's name.")
    properties: dict[DataName, AnyValue] = Field({}, description="The event's properties.")

    def decide(self, view: View) -> Move:
        """The event, made of what stands now; or ``step.unfillable`` and none."""
        try:
            properties = {name: value.render(view.scope) for name, value in self.properties.items()}
        except Unfillable as failure:
            return Move(status="failed", failure="step.unfillable", text=failure.message)
        return Move(text=self.event, makes=Emitted(self.event, properties))
