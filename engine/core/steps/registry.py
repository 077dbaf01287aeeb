"""All step types. A new one is a file beside this one and a line in ``STEP_TYPES``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union, get_args

from pydantic import Discriminator, Tag

from engine.core.steps import branch, flow, split, wait_for
from engine.core.steps.branch import BranchStep
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.editors import ToldByType
from engine.core.steps.emit import EmitStep
from engine.core.steps.exit import ExitStep
from engine.core.steps.model import StepModel
from engine.core.steps.set import SetStep
from engine.core.steps.split import SplitStep
from engine.core.steps.start_journey import StartJourneyStep
from engine.core.steps.wait import WaitStep
from engine.core.steps.wait_for import WaitForStep

STEP_TYPES: tuple[type[StepModel], ...] = (
    CallApiStep,
    WaitStep,
    WaitForStep,
    BranchStep,
    SplitStep,
    SetStep,
    EmitStep,
    StartJourneyStep,
    ExitStep,
)


def _type_of(raw: object) -> str | None:
    """The type a step says it is of; pydantic words what is wrong with it."""
    named = raw.get("type") if isinstance(raw, dict) else getattr(raw, "type", None)
    return named if isinstance(named, str) else None


def _name_of(model: type[StepModel]) -> str:
    return str(get_args(model.model_fields["type"].annotation)[0])


if TYPE_CHECKING:
    AnyStep = StepModel
else:
    AnyStep = Annotated[
        Union[tuple(Annotated[model, Tag(_name_of(model))] for model in STEP_TYPES)],  # noqa: UP007
        Discriminator(_type_of),
        ToldByType(
            "step",
            tuple(_name_of(model) for model in STEP_TYPES),
            tuple(str(model.model_fields["type"].description) for model in STEP_TYPES),
        ),
    ]
    """Any step: the union of all types, told apart by ``type``."""

    # Bodies hold steps of any type, and only here all of them are known: models are built when one
    # is first needed, and find under this name what it stands for.
    for _holding in (flow, branch, split, wait_for):
        _holding.AnyStep = AnyStep
