"""``split``: arms by weight, sticky: the same user and salt get the same arm on every machine."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.core.expressions.assignment import pick_arm
from engine.core.steps.base import Exit, Move, View
from engine.core.steps.fields import Name, NotEmpty, Read, Title, refuse
from engine.core.steps.flow import Body
from engine.core.steps.model import StepModel

_MOST_WEIGHT = 1_000_000


def _read_weight(raw: object) -> float:
    number = isinstance(raw, int | float) and not isinstance(raw, bool)
    if not number or not 0 <= raw <= _MOST_WEIGHT:  # type: ignore[operator]
        refuse("weight.invalid", "this is no weight", "a number from 0 up; 1 and 1 are halves")
    return raw  # type: ignore[return-value]


Weight = Annotated[
    float, Read(_read_weight, {"type": "number", "minimum": 0, "maximum": _MOST_WEIGHT}, float)
]
"""A share, relative to the other arms'."""


class Arm(Body):
    """One of the ways, and its share."""

    name: Name = Field(description="What reports call this arm.")
    weight: Weight = Field(description="Its share, relative to the other arms'.")


class SplitStep(StepModel):
    """Send users different ways by lot, for an experiment."""

    editor_rules = (
        {
            "properties": {
                "arms": {
                    "contains": {
                        "not": {"properties": {"weight": {"maximum": 0}}, "required": ["weight"]}
                    },
                    "errorMessage": "no arm has a weight above 0: 1 and 1 are halves",
                }
            }
        },
    )

    type: Literal["split"] = Field(description="Sends users different ways by a sticky lot.")
    arms: Annotated[tuple[Arm, ...], NotEmpty()] = Field(max_length=100, description="The ways.")
    salt: Title | None = Field(
        None, description="Splits with the same salt draw the same lot; JOURNEY/STEP unless said."
    )

    @model_validator(mode="after")
    def _sound(self) -> SplitStep:
        if not any(self._weights):
            refuse("split.no_weight", "no arm has a weight above 0", "1 and 1 are halves")
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            refuse(
                "split.same_name", "two arms have the same name", "reports tell them apart by it"
            )
        return self

    @cached_property
    def _weights(self) -> tuple[float, ...]:
        return tuple(arm.weight for arm in self.arms)

    def exits(self) -> tuple[Exit, ...]:
        """One for each arm, in file order."""
        return tuple(arm.exit(arm.name, "arms", i) for i, arm in enumerate(self.arms))

    def decide(self, view: View) -> Move:
        """The user's arm."""
        salt, weights, moves = self._lottery
        return moves[pick_arm(salt or f"{view.journey}/{self.id}", view.user_id, weights)]

    @cached_property
    def _lottery(self) -> tuple[str | None, tuple[float, ...], tuple[Move, ...]]:
        moves = tuple(Move(number, arm=arm.name) for number, arm in enumerate(self.arms))
        return self.salt, self._weights, moves
