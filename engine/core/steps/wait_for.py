"""``wait_for``: stand still until something happens, or for a time at most."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.core.steps.base import FOLLOWING, Exit, Move, View, Wait
from engine.core.steps.computed import Where
from engine.core.steps.fields import NotEmpty, Window
from engine.core.steps.flow import Body, Occurrence, Otherwise, otherwise_exit
from engine.core.steps.model import StepModel
from engine.core.steps.writes import Target


class Alternative(Body, Occurrence):
    """One of the things waited for, what to keep of it, and where to go then."""

    outputs: dict[Target, Where] = Field(
        {}, description="What to keep of the event: vars.NAME or user.NAME."
    )


class WaitForStep(StepModel):
    """Wait for an event or a condition, for a time at most."""

    needs_events: ClassVar[bool] = True

    type: Literal["wait_for"] = Field(description="Waits for an event or a condition.")
    any: Annotated[tuple[Alternative, ...], NotEmpty()] = Field(
        max_length=100, description="What is waited for; the first true one counts."
    )
    since: Literal["step", "entry"] = Field(
        "step", description="entry: events that came before this step count, too."
    )
    within: Window = Field(description="How long to wait at most.")
    otherwise: Otherwise | None = Field(
        None, description="The way if nothing happened; the following step unless said."
    )

    def exits(self) -> tuple[Exit, ...]:
        """One for each alternative, in file order, then ``otherwise`` if there is one."""
        any_ = tuple(
            one.exit(one.event or "when", "any", number) for number, one in enumerate(self.any)
        )
        return any_ if self.otherwise is None else (*any_, otherwise_exit(self.otherwise))

    def decide(self, view: View) -> Wait | Move:
        """The time is what a step can see alone: wait for it, then ``otherwise``."""
        until = view.started + self.within.elapsed
        if view.now < until:
            return Wait(until, "event", "until something happens")
        return Move(FOLLOWING if self.otherwise is None else len(self.any), text="nothing happened")
