"""What steps see of a passage; most of it is only looked up when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from engine.core.interpreter.scope import PassageScope, zone_of
from engine.core.steps.base import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.core.interpreter.state import Passage, World
    from engine.core.steps.facts import Event


class PassageView(View):
    """The view of a passage at ``now``, from the step that it stands at. What isn't set is looked
    up in the passage whenever it is asked for.
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
        look = _LOOKED_UP.get(name)
        if look is None:
            raise AttributeError(name)
        return look(self)


def _earlier(passage: Passage) -> Callable[[str], Iterable[Event]] | None:
    return None if passage.user.past is None else partial(_since_the_entry, passage)


def _since_the_entry(passage: Passage, name: str) -> Iterator[Event]:
    assert passage.user.past is not None  # noqa: S101 - for the type checker
    for event in passage.user.past.events(name):
        began = passage.began or passage.entered_at
        if event.at >= began and passage.entered_seq < event.seq:
            yield event


def _zone_fallback(view: PassageView) -> str | None:
    passage = view._passage
    return zone_of(passage, view._world.zone)[1] if passage.user.timezone else None


_LOOKED_UP: dict[str, Callable[[PassageView], object]] = {
    "started": lambda view: view._passage.started,
    "since": lambda view: view._passage.since,
    "visit": lambda view: view._passage.steps[view._passage.position].visits,
    "step_id": lambda view: view._passage.program.nodes[view._passage.position].id,
    "key": lambda view: view._passage.key,
    "began": lambda view: view._passage.began or view._passage.entered_at,
    "contacts": lambda view: view._passage.user.contacts,
    "zone_fallback": _zone_fallback,
    "wakes_at": lambda view: view._passage.wake_at,
    "earlier": lambda view: _earlier(view._passage),
}
