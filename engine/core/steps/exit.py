"""``exit``: the passage is over."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import Field

from engine.core.steps.base import End, View
from engine.core.steps.fields import Name
from engine.core.steps.model import StepModel


class ExitStep(StepModel):
    """End the journey for this user."""

    type: Literal["exit"] = Field(description="Ends the journey for this user.")
    outcome: Name = Field("completed", description="What reports say it ended with.")

    def decide(self, view: View) -> End:
        """The end, with the outcome."""
        return self._end

    @cached_property
    def _end(self) -> End:
        return End(self.outcome)
