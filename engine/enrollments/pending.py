"""Calls that are to be made, beside the passages that made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.interpreter.state import Passage


@dataclass(slots=True)
class PendingCall:
    """An unfinished call: what the outbox holds of it. Instants are microseconds UTC.

    ``attempts`` counts requests put on the wire, ``tries`` those the retry limit counts.
    ``started_by`` is set for a call that may be made at most once and was begun; ``failure`` is
    that of the last attempt. ``due_at`` is since when it is to be made. ``redrive`` counts how
    often it was sent again after it had failed for good; ``apply_outputs``: what such a one then
    gives for the user is kept.
    """

    step: int
    visit: int
    endpoint: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    content_type: str | None
    body: bytes
    key: str
    attempts: int = 0
    tries: int = 0
    first_at: int | None = None
    started_by: str | None = None
    failure: str | None = None
    due_at: int = 0
    redrive: int = 0
    apply_outputs: bool = False


Lane = tuple[str, str]
"""An endpoint and a journey: its calls there have their turn beside other journeys'."""


class Held:
    """A passage in memory while its call is on its way, with that call. ``lane`` is where the call
    queues.
    """

    __slots__ = ("call", "lane", "passage")

    def __init__(self, passage: Passage, call: PendingCall) -> None:
        self.passage = passage
        self.call = call
        self.lane: Lane = (call.endpoint, passage.program.name)

    @property
    def place(self) -> tuple[object, ...]:
        """The key of the call's row."""
        return call_place(self.passage, self.call)

    def outlives(self, now: int) -> bool:
        """Whether the passage has reached its greatest age and is still at this call: it leaves
        without it.
        """
        passage = self.passage
        return (
            now >= passage.entered_at + passage.program.max_age
            and passage.outcome is None
            and not self.call.redrive
        )


def call_place(passage: Passage, call: PendingCall) -> tuple[object, ...]:
    """The key of a call's row, as the statements that change it take it."""
    return (passage.user.bucket, passage.id, call.step, call.visit, call.redrive)
