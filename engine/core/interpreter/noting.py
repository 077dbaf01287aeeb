"""What a walk sees of its passage, and what it writes down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.interpreter.state import Advanced, Execution
from engine.core.interpreter.view import PassageView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.dsl.program import Node
    from engine.core.interpreter.state import Passage, World
    from engine.core.steps.base import Result, Status


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

    def record(
        self,
        status: Status,
        failure: str | None = None,
        text: str = "",
        http_status: int | None = None,
        arm: str | None = None,
        result: Result | None = None,
        seen: Mapping[str, object] | None = None,
    ) -> None:
        """Note that the present step is over, in the passage and as an execution."""
        passage = self.passage
        record = passage.steps[passage.position]
        record.status = status
        record.failure = failure
        record.http_status = http_status
        record.attempts = 0 if result is None else result.attempts
        record.arm = arm
        self.done.executions.append(
            Execution(
                passage.position,
                record.visits,
                status,
                failure,
                text,
                http_status,
                record.attempts,
                arm,
                passage.started,
                self.now,
                None if result is None else result.credential_version,
                seen,
            )
        )

    def view_of(self, node: Node) -> PassageView:
        """What the step sees that stands there."""
        passage = self.passage
        view = self.view
        if view is None:
            view = self.view = PassageView(passage, self.now, self.world)
        view.step_id = node.id
        view.started = passage.started
        view.since = passage.since
        view.visit = passage.steps[node.number].visits
        return view

    def with_notes(self, text: str) -> str:
        """A text, with what expressions found odd."""
        view = self.view
        if view is None or not view.scope.notes:
            return text
        return "; ".join(part for part in (text, *view.scope.notes) if part)
