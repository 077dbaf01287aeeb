"""What a worker process works with, and what it asks of a worker."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.clock import Clock
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.enrollments.buckets import Buckets
    from engine.processes.health import Loop
    from engine.settings import Settings


class Work(Protocol):
    """What a worker does: everything that is due, for whoever it owns, until it is stopped."""

    async def work(self) -> None:
        """Work until stopped, and until the calls on the wire are answered.

        Raises DatabaseUnavailable where the database stays unusable: then it is opened anew.
        """
        ...

    def stop(self) -> None:
        """Begin nothing new. For the event loop's thread."""
        ...

    @property
    def loop(self) -> Loop:
        """The thread that decides, for health."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What a worker works with. ``owned`` are its users."""

    database: Database
    vault: Vault
    settings: Settings
    clock: Clock
    owned: Buckets


class _Idle:
    """Has nothing to do."""

    alive = True
    back_by = math.inf

    def __init__(self) -> None:
        self._stopped = asyncio.Event()

    async def work(self) -> None:
        await self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()

    @property
    def loop(self) -> Loop:
        return self


@asynccontextmanager
async def open_work(_opened: Opened) -> AsyncIterator[Work]:
    """The worker that works everything that is there."""
    yield _Idle()
