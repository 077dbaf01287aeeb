"""What steps see of a passage; most of it is only looked up when it is asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.core.interpreter.scope import PassageScope, zone_of
from engine.core.steps.base import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.core.interpreter.state import Passage, World
    from engine.core.steps.facts import Event


class PassageView(View):
    """The view of a passage at ``now``; whoever lets a step look sets ``started``, ``since``,
    ``visit`` and ``step_id``.
    """

    __slots__ = ("_passage", "_world")

    def __init__(self, passage: Passage, now: int, world: World) -> None:
        self.now = now
        self.scope = PassageScope(passage, now, world.zone)
        self.journey = passage.program.name
        self.user_id = passage.user.id
        self.terms = world.terms
        self._passage = passage
        self._world = world

    def __getattr__(self, name: str) -> object:
        passage = self._passage
        match name:
            case "key":
                return passage.key
            case "began":
                return passage.began or passage.entered_at
            case "contacts":
                return passage.user.contacts
            case "zone_fallback":
                return zone_of(passage, self._world.zone)[1] if passage.user.timezone else None
            case "wakes_at":
                return passage.wake_at
            case "earlier":
                return _earlier(passage)
        raise AttributeError(name)


def _earlier(passage: Passage) -> Callable[[str], Iterable[Event]] | None:
    return None if passage.user.past is None else partial(_since_the_entry, passage)


def _since_the_entry(passage: Passage, name: str) -> Iterator[Event]:
    assert passage.user.past is not None  # noqa: S101 - for the type checker
    for event in passage.user.past.events(name):
        began = passage.began or passage.entered_at
        if event.at >= began and passage.entered_seq < event.seq:
            yield event
