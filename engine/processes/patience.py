"""Waiting for a database that is locked or gone, as long as it takes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PAUSE_S = 2.0
"""How long a database that can't be used is left alone before it is tried again."""


class Stopped(Exception):
    """A signal came while something was waited for."""


class Patience:
    """Waits until ``ended``; ``say`` is told why nothing goes on, and when it does again.

    ``waits_for`` is what is wrong while it waits, else ''.
    """

    def __init__(self, ended: asyncio.Event, say: Callable[[str], None]) -> None:
        self._ended = ended
        self._say = say
        self.waits_for = ""

    async def until_done(self, what: Callable[[], T]) -> T:
        """What ``what``, called in a thread, gives as soon as the database lets it. Raises
        Stopped.
        """
        while not self._ended.is_set():
            try:
                found = await asyncio.to_thread(what)
            except DatabaseUnavailable as error:
                await self.pause(error)
            else:
                self.over()
                return found
        raise Stopped

    async def pause(self, error: DatabaseUnavailable) -> None:
        """Say why nothing goes on, once, and let a moment pass."""
        if error.message != self.waits_for:
            self._say(f"waiting: {error.message}")
        self.waits_for = error.message
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), PAUSE_S)

    def over(self) -> None:
        """It goes on."""
        if self.waits_for:
            self._say("going on")
        self.waits_for = ""
