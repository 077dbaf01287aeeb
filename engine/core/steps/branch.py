"""``branch``: the first path whose condition is true."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from engine.core.expressions.errors import Unfillable
from engine.core.steps.base import Exit, Move, View
from engine.core.steps.computed import Condition
from engine.core.steps.fields import Name, NotEmpty
from engine.core.steps.flow import Body, Otherwise, otherwise_exit
from engine.core.steps.model import StepModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.expressions.scope import Scope


class Path(Body):
    """A way to go, and when."""

    name: Name = Field(description="What people call this way.")
    when: Condition = Field(description="This way is taken if it is the first that is true.")


class BranchStep(StepModel):
    """Go different ways by conditions."""

    type: Literal["branch"] = Field(description="Goes different ways by conditions.")
    paths: Annotated[tuple[Path, ...], NotEmpty()] = Field(
        max_length=100, description="The ways, the first true one is taken."
    )
    otherwise: Otherwise | None = Field(
        None, description="The way if none is true; the following step unless said."
    )

    def exits(self) -> tuple[Exit, ...]:
        """One for each path, in file order, then ``otherwise`` if there is one."""
        paths = tuple(p.exit(p.name, "paths", i) for i, p in enumerate(self.paths))
        return paths if self.otherwise is None else (*paths, otherwise_exit(self.otherwise))

    def decide(self, view: View) -> Move:
        """The first path that is true, else ``otherwise``, else on."""
        try:
            for holds, move in self._ways:
                if holds(view.scope):
                    return move
        except Unfillable as failure:
            return Move(status="failed", failure="step.unfillable", text=failure.message)
        return self._otherwise

    @cached_property
    def _ways(self) -> tuple[tuple[Callable[[Scope], bool], Move], ...]:
        moves = (Move(number, text=path.name) for number, path in enumerate(self.paths))
        return tuple(zip((path.when.holds for path in self.paths), moves, strict=True))

    @cached_property
    def _otherwise(self) -> Move:
        if self.otherwise is None:
            return Move(text="none is true")
        return Move(len(self.paths), text="otherwise")
