"""``emit``: make an event of the user's, as if it had come from outside."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from engine.core.steps.base import Move, View
from engine.core.steps.computed import AnyValue
from engine.core.steps.fields import DataName, EventName
from engine.core.steps.model import StepModel


class EmitStep(StepModel):
    """Make an event that this and other journeys may listen to."""

    needs_events: ClassVar[bool] = True

    type: Literal["emit"] = Field(description="Makes an event of the user's.")
    event: EventName = Field(description="The event's name.")
    properties: dict[DataName, AnyValue] = Field({}, description="The event's properties.")

    def decide(self, view: View) -> Move:
        """Nobody here takes events yet: a failure that says so, and the user goes on."""
        return Move(
            status="failed", failure="step.needs_events", text="events aren't received here"
        )
