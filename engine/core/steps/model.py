"""What every step type has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.core.steps.base import Move
from engine.core.steps.computed import Condition
from engine.core.steps.definition import Definition
from engine.core.steps.fields import StepId, Title

if TYPE_CHECKING:
    from engine.core.steps.base import Decision, End, Exit, Result, View
    from engine.core.steps.facts import Fact


class StepModel(Definition):
    """What every step has. A step type adds its own keys and says what it decides."""

    id: StepId = Field(description="The step's name, unique in the journey.")
    type: str = Field(description="What kind of step it is.")
    title: Title | None = Field(None, description="What people see instead of the id.")
    when: Condition | None = Field(
        None, description="The step is only taken if this is true; else it is `skipped`."
    )
    next: StepId | None = Field(
        None, description="The step to go to afterwards, instead of the following one."
    )

    def exits(self) -> tuple[Exit, ...]:
        """Places it may go to besides the following step; none unless the type says otherwise."""
        return ()

    def decide(self, view: View) -> Decision:
        """What to do for the user who stands here."""
        raise NotImplementedError

    def resume(self, view: View, result: Result) -> Decision:
        """What to do with the answer of the call made here; only ``call_api`` makes calls."""
        raise TypeError(f"a {self.type} step makes no calls")

    def failed(
        self, view: View, failure: str, text: str, http_status: int | None = None
    ) -> Move | End:
        """Where the step goes when it has failed for good: on, unless the type says otherwise."""
        return Move(status="failed", failure=failure, text=text, http_status=http_status)

    def heed(self, view: View, fact: Fact) -> Decision | None:
        """What ``fact`` means for the user who waits here; None: nothing."""
        return None
