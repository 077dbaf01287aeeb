"""Where a step goes on: bodies, jumps, and the words ``continue`` and ``exit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from engine.core.expressions.errors import Unfillable
from engine.core.steps.base import Exit
from engine.core.steps.computed import Condition, Where
from engine.core.steps.definition import Definition
from engine.core.steps.editors import Rule, excludes, needs, takes_one_of
from engine.core.steps.facts import Event, seeing
from engine.core.steps.fields import EventName, NotEmpty, StepId, refuse

if TYPE_CHECKING:
    from engine.core.expressions.grammar import Expression
    from engine.core.expressions.scope import Scope

    # The registry puts the union of all step types in this place.
    from engine.core.steps.model import StepModel as AnyStep


class Body(Definition):
    """Where to go: a jump, a body of steps, or (neither) on behind the step that holds it."""

    editor_rules: ClassVar[tuple[Rule, ...]] = (excludes("next", "steps"),)

    next: StepId | None = Field(None, description="The step to go to.")
    steps: Annotated[tuple[AnyStep, ...], NotEmpty()] | None = Field(
        None,
        description="Steps to take; afterwards on behind the step that holds them.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Body:
        if self.next is not None and self.steps is not None:
            refuse("body.two_ways", "`next` and `steps` exclude each other", "keep one of the two")
        return self

    def exit(self, name: str, *at: str | int) -> Exit:
        """This body as an exit called ``name`` that stands ``at`` this place of its step."""
        return Exit(name, next=self.next, steps=self.steps, at=at)


class Jump(Definition):
    """A jump to a step."""

    next: StepId = Field(description="The step to go to.")


def _told_apart(word: str, model: str, remedy: str) -> tuple[Discriminator, BeforeValidator]:
    """Tells a text (``word``) from a mapping (``model``) and refuses all else."""

    def check(raw: object) -> object:
        if not isinstance(raw, str | dict | Definition):
            refuse("way.invalid", "this says nowhere to go", remedy)
        return raw

    return Discriminator(lambda raw: word if isinstance(raw, str) else model), BeforeValidator(
        check
    )


Way = Annotated[
    Annotated[Literal["continue", "exit"], Tag("a word")] | Annotated[Jump, Tag("a jump")],
    *_told_apart("a word", "a jump", "continue, exit or {next: STEP}"),
]
"""``continue`` (on to the following step), ``exit`` (end the journey) or a jump."""

Otherwise = Annotated[
    Annotated[StepId, Tag("a step")] | Annotated[Body, Tag("a body")],
    *_told_apart("a step", "a body", "a step's id, or {steps: [...]}"),
]
"""The id of a step, or a body."""


def otherwise_exit(otherwise: str | Body) -> Exit:
    """The exit that ``otherwise`` is."""
    if isinstance(otherwise, str):
        return Exit("otherwise", next=otherwise, at=("otherwise",))
    return otherwise.exit("otherwise", "otherwise")


class Occurrence(Definition):
    """Something that happens: an event (that `where` may narrow), or a condition becoming true."""

    editor_rules: ClassVar[tuple[Rule, ...]] = (
        *takes_one_of("event", "when"),
        needs("where", "event", message="`where` narrows an event"),
    )

    event: EventName | None = Field(None, description="The event that is waited for.")
    where: Where | None = Field(None, description="Only events for which this is true count.")
    when: Condition | None = Field(
        None, description="A condition that becomes true; instead of `event`."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Occurrence:
        if (self.event is None) == (self.when is None):
            refuse("occurrence.one", "this takes either `event` or `when`", "keep one of the two")
        if self.where is not None and self.event is None:
            refuse(
                "occurrence.where",
                "`where` narrows an event",
                "use `when` alone, or name the event",
            )
        return self

    def fits(self, event: Event, scope: Scope) -> bool:
        """Whether ``event`` is what this looks out for."""
        if self.event != event.name:
            return False
        if self.where is None:
            return True
        with seeing(scope, event):
            return is_true(self.where, scope)

    def holds(self, scope: Scope) -> bool:
        """Whether this is a condition, and true now."""
        return self.when is not None and is_true(self.when, scope)


def is_true(condition: Expression, scope: Scope) -> bool:
    """Whether ``condition`` is true; one that can't be computed for this user isn't."""
    try:
        return condition.holds(scope)
    except Unfillable:
        return False
