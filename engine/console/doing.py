"""Buttons: forms that do one thing to what their path names, and say that it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.console.visit import Redirected

if TYPE_CHECKING:
    from engine.console.visit import Visit

Verb = Callable[..., object]
"""Called as ``verb(connection, name, actor=..., now=...)``; what it gives may be told."""


def doing(verb: Verb, to: str, said: str) -> Callable[[Visit], Redirected]:
    """A page that does ``verb`` to the ``{name}`` of its path and goes on at ``to``. Both that and
    ``said`` may hold ``{name}``, and ``said`` also ``{done}``: what the verb gave.
    """

    def show(visit: Visit) -> Redirected:
        """Do it."""
        name = visit.place["name"]
        with visit.means.database.write() as connection:
            done = verb(connection, name, actor=visit.actor, now=visit.now)
        return Redirected(to.format(name=name), said.format(name=name, done=done))

    return show
