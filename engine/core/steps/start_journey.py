"""``start_journey``: enroll the user in another journey."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.core.expressions.errors import Unfillable
from engine.core.steps.base import Move, Started, View, Wait
from engine.core.steps.computed import Condition
from engine.core.steps.fields import DataName, Flag, JourneyId
from engine.core.steps.model import StepModel


class StartJourneyStep(StepModel):
    """Let the user enter another journey, and perhaps wait until he has left it."""

    type: Literal["start_journey"] = Field(description="Lets the user enter another journey.")
    journey: JourneyId = Field(description="The journey to enter.")
    inputs: dict[DataName, Condition] = Field({}, description="Its inputs, each an expression.")
    await_: Flag = Field(False, alias="await", description="Wait until the user has left it.")

    def decide(self, view: View) -> Move | Wait:
        """The entry into the other journey; or ``step.unfillable`` and none."""
        try:
            inputs = {name: source.evaluate(view.scope) for name, source in self.inputs.items()}
        except Unfillable as failure:
            return Move(status="failed", failure="step.unfillable", text=failure.message)
        if self.await_:
            started = Started(self.journey, inputs, awaited=True)
            return Wait(None, "child", f"until he has left {self.journey}", started)
        return Move(text=self.journey, makes=Started(self.journey, inputs))
