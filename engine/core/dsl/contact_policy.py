"""Contact policy as an operator writes it: whom contact calls reach, when, and how often."""

from __future__ import annotations

from datetime import time
from typing import Literal

from pydantic import Field, model_validator

from engine.core.steps.computed import FromUser
from engine.core.steps.definition import Definition
from engine.core.steps.fields import Count, Percent, Title, WallTime, Window, refuse

Then = Literal["hold", "skip"]


class QuietHours(Definition):
    """Hours of the day, on the user's own clock, in which nobody is contacted."""

    from_: WallTime = Field(alias="from", description="When they begin, HH:MM.")
    to: WallTime = Field(description="When they are over, HH:MM; before `from` is the next day.")
    then: Then = Field(
        "hold", description="hold: the call waits until they are over; skip: it isn't made."
    )

    @model_validator(mode="after")
    def _has_an_end(self) -> QuietHours:
        if self.from_ == self.to:
            refuse("quiet_hours.whole_day", "these hours end when they begin", "another `to`")
        return self

    def cover(self, at: time) -> bool:
        """Whether the time of day ``at`` is one of them; ``to`` itself isn't."""
        if self.from_ < self.to:
            return self.from_ <= at < self.to
        return at >= self.from_ or at < self.to


class FrequencyCap(Definition):
    """How often a user is contacted at most, over all journeys."""

    count: Count = Field(ge=1, le=1_000, description="So many contacts at most.")
    per: Window = Field(description="In any span of this length.")
    then: Then = Field(
        "skip", description="skip: the call isn't made; hold: it waits until it may be."
    )


class ContactHoldout(Definition):
    """Users who are never contacted, the same ones each time, for comparison."""

    percent: Percent = Field(description="The percentage of users.")
    salt: Title = Field("global", description="Another text draws other users.")


class ContactPolicy(Definition):
    """Whom calls of contact endpoints reach. It holds for all journeys, for every call of an
    endpoint with `contact: true` whose step doesn't say `contact: false`.
    """

    suppress: FromUser | None = Field(
        None, description="Who isn't contacted at all, as in user.unsubscribed."
    )
    quiet_hours: QuietHours | None = Field(
        None, description="Hours of the day in which nobody is contacted."
    )
    frequency_cap: tuple[FrequencyCap, ...] = Field(
        (), max_length=10, description="How often a user is contacted at most."
    )
    holdout: ContactHoldout | None = Field(
        None, description="Users who are never contacted, for comparison."
    )
