"""``branch``: the first path whose condition is true."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from engine.core.expressions.errors import Unfillable
from engine.core.expressions.seen import Sight
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
        """The first path that is true, else ``otherwise``, else on; with what the conditions up to
        there read.
        """
        scope = view.scope
        for number, name, holds, sight in self._ways:
            try:
                if holds(scope):
                    return Move(number, text=name, seen=sight(scope))
            except Unfillable as failure:
                code, text = "step.unfillable", failure.message
                return Move(status="failed", failure=code, text=text, seen=sight(scope))
        sight = self._ways[-1][-1]
        if self.otherwise is None:
            return Move(text="none is true", seen=sight(scope))
        return Move(len(self.paths), text="otherwise", seen=sight(scope))

    @cached_property
    def _ways(self) -> tuple[tuple[int, str, Callable[[Scope], bool], Sight], ...]:
        """Each path's number, name and condition, and what it and those before it read."""
        conditions = [path.when for path in self.paths]
        return tuple(
            (number, path.name, path.when.holds, Sight(conditions[: number + 1]))
            for number, path in enumerate(self.paths)
        )
