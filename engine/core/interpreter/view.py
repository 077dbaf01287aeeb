"""What steps see of a passage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.core.interpreter.scope import scope_of, zone_of
from engine.core.steps.base import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.interpreter.state import Passage, World
    from engine.core.steps.facts import Event


def view_of(passage: Passage, now: int, world: World) -> View:
    """The view of a passage at ``now``; which step looks, and its visit, is still to be set."""
    zone, fallback = zone_of(passage, world.zone)
    view = View(
        now=now,
        started=passage.started,
        scope=scope_of(passage, now, zone),
        journey=passage.program.journey.journey,
        user_id=passage.user.id,
        key=passage.key,
        step_id="",
        visit=1,
        terms=world.terms,
        default_zone=passage.program.journey.timezone or world.zone,
        zone_fallback=fallback,
        entered_at=passage.entered_at,
    )
    if passage.user.past is not None:
        view.earlier = partial(_since_the_entry, passage)
    return view


def _since_the_entry(passage: Passage, name: str) -> Iterator[Event]:
    assert passage.user.past is not None  # noqa: S101 - for the type checker
    for event in passage.user.past.events(name):
        if event.at >= passage.entered_at and passage.entered_seq < event.seq:
            yield event
