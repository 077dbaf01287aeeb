"""What a walk sees of its passage, and what it writes down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.interpreter.state import Advanced, Execution, StepRecord
from engine.core.interpreter.view import PassageView

if TYPE_CHECKING:
    from engine.core.interpreter.state import Passage, World
    from engine.core.steps.base import End, Move, Result


_new = tuple.__new__  # what a named tuple's own constructor calls, after two steps more


class Noting:
    """One passage at one moment; ``done`` is what an advance of it amounts to. ``view`` is what
    steps see, None once attributes were written.
    """

    __slots__ = ("done", "now", "passage", "view", "world")

    def __init__(self, passage: Passage, now: int, world: World) -> None:
        self.passage = passage
        self.now = now
        self.world = world
        self.done = Advanced([], [])
        self.view: PassageView | None = None

    def record(self, over: Move | End, text: str, result: Result | None = None) -> None:
        """Note that the present step is ``over``, in the passage and as an execution."""
        passage = self.passage
        position = passage.position
        visit = passage.steps[position].visits
        attempts, credential = 0, None
        if result is not None:
            attempts, credential = result.attempts, result.credential_version
        status, failure, http_status, arm = over.status, over.failure, over.http_status, over.arm
        record = (status, failure, http_status, attempts, arm, visit)
        passage.steps[position] = _new(StepRecord, record)
        execution = (
            position,
            visit,
            status,
            failure,
            text,
            http_status,
            attempts,
            arm,
            credential,
            passage.started,
            self.now,
            over.seen,
        )
        self.done.executions.append(_new(Execution, execution))

    def look(self) -> PassageView:
        """What the step sees that the passage stands at."""
        view = self.view
        if view is None:
            view = self.view = PassageView(self.passage, self.now, self.world)
        return view

    def with_notes(self, text: str) -> str:
        """A text, with what expressions found odd."""
        view = self.view
        if view is None or not view.scope.notes:
            return text
        return "; ".join(part for part in (text, *view.scope.notes) if part)
