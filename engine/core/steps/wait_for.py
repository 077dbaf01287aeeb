"""``wait_for``: stand still until something happens, or for a time at most."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from engine.core.expressions.errors import Unfillable
from engine.core.expressions.seen import MOST_OF_ONE, Sight, sight_of
from engine.core.steps.base import FOLLOWING, Exit, Move, View, Wait
from engine.core.steps.computed import Where
from engine.core.steps.facts import Event, Fact, seeing
from engine.core.steps.fields import NotEmpty, Window
from engine.core.steps.flow import Body, Occurrence, Otherwise, otherwise_exit
from engine.core.steps.model import StepModel
from engine.core.steps.writes import Target, Write, write_to, written

if TYPE_CHECKING:
    from engine.core.expressions.scope import Scope


class Alternative(Body, Occurrence):
    """One of the things waited for, what to keep of it, and where to go then."""

    outputs: dict[Target, Where] = Field(
        {}, description="What to keep of the event: vars.NAME or user.NAME."
    )


class WaitForStep(StepModel):
    """Wait for an event or a condition, for a time at most."""

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
        """What holds already, else the time there is; once that is over, ``otherwise``."""
        until = view.started + self.within.elapsed
        if view.now >= until:
            way = FOLLOWING if self.otherwise is None else len(self.any)
            return Move(way, text="nothing happened", seen=self._conditions(view.scope))
        return self._already(view, until) or Wait(until, "event", self._text)

    def heed(self, view: View, fact: Fact) -> Move | None:
        """The first alternative, in file order, that ``fact`` makes true. Its own time counts: up
        to the last moment, as facts come before clocks.
        """
        until = view.started + self.within.elapsed
        if fact.at > until:
            return None
        since = view.since if self.since == "step" else view.began
        event = fact if isinstance(fact, Event) and fact.at >= since else None
        for number, one in enumerate(self.any):
            if event is not None and one.fits(event, view.scope):
                return self._taken(number, view, event)
            if one.holds(view.scope):
                return self._taken(number, view, None)
        return None

    def _already(self, view: View, until: int) -> Move | None:
        """The first alternative that is true on arrival."""
        for number, one in enumerate(self.any):
            if one.holds(view.scope):
                return self._taken(number, view, None)
            if self.since == "step" or one.event is None or view.earlier is None:
                continue
            for event in view.earlier(one.event):
                if event.at <= until and one.fits(event, view.scope):
                    return self._taken(number, view, event)
        return None

    def _taken(self, number: int, view: View, event: Event | None) -> Move:
        one = self.any[number]
        text = one.event or (one.when.source if one.when else "")
        with seeing(view.scope, event):
            seen = _seen(one, event, view.scope)
            try:
                variables, attributes = written(self._writes[number], view.scope)
            except Unfillable as failure:
                why, code = f"{text}: {failure.message}", "step.unfillable"
                return Move(number, status="failed", failure=code, text=why, seen=seen)
        return Move(number, text=text, vars=variables, user=attributes, seen=seen)

    @cached_property
    def _conditions(self) -> Sight:
        """Sees what the conditions among the alternatives read."""
        return Sight(one.when for one in self.any if one.when is not None)

    @cached_property
    def _text(self) -> str:
        names = [one.event or (one.when.source if one.when else "") for one in self.any]
        return f"for {' or '.join(names)}, {self.within.text} at most"

    @cached_property
    def _writes(self) -> tuple[tuple[Write, ...], ...]:
        return tuple(
            tuple(write_to(target, source.filler()) for target, source in one.outputs.items())
            for one in self.any
        )


def _seen(one: Alternative, event: Event | None, scope: Scope) -> dict[str, object] | None:
    """What made an alternative true: the values it read, and which event it was."""
    condition = one.where or one.when
    read = None if condition is None else sight_of(condition)(scope)
    if event is None:
        return read
    named: dict[str, object] = {"event": event.name, "at": event.at}
    if event.id is not None:
        named["id"] = event.id[:MOST_OF_ONE]
    return {**named, **(read or {})}
