"""Which journeys this version of the engine can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import OperatorError

if TYPE_CHECKING:
    from engine.core.dsl.check import Checked


class NeedsEvents(OperatorError):
    """The journey uses what only works where events are received. Exit code 2."""

    code = "journey.needs_events"


def refuse_events(checked: Checked, file: str) -> None:
    """Raise :class:`NeedsEvents` naming what needs events, and its lines."""
    if checked.needs_events:
        named = ", ".join(f"{need.what} on line {need.line}" for need in checked.needs_events)
        raise NeedsEvents(
            f"{file} needs events, which live runs of this version don't take yet: {named};"
            " simulate it, or take these out"
        )
