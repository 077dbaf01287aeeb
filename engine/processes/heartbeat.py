"""The heartbeat of a process that owns buckets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.enrollments.buckets import BucketsLost
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.core.steps.base import Result
    from engine.enrollments.buckets import Owned
    from engine.enrollments.pending import Held

SOON_S = 1.0
"""When a heartbeat that failed is tried again."""


@asynccontextmanager
async def beating(owned: Owned) -> AsyncIterator[None]:
    """The lease of ``owned`` is renewed as long as this is open."""
    task = asyncio.get_running_loop().create_task(_beat(owned))
    try:
        yield
    finally:
        task.cancel()


def while_mine(
    owned: Owned, deliver: Callable[[Held], Awaitable[Result]]
) -> Callable[[Held], Awaitable[Result]]:
    """``deliver``, for as long as the users are ours beyond doubt: else the call waits."""

    def deliver_mine(held: Held) -> Awaitable[Result]:
        require_mine(owned)
        return deliver(held)

    return deliver_mine


def require_mine(owned: Owned) -> None:
    """Raise DatabaseUnavailable where the users aren't ours beyond doubt."""
    if not owned.mine:
        raise DatabaseUnavailable("the lease on the users has to be renewed first")


async def _beat(owned: Owned) -> None:
    pause = owned.heartbeat_s
    while True:
        await asyncio.sleep(pause)
        try:
            await asyncio.to_thread(owned.heartbeat)
        except DatabaseUnavailable:
            pause = SOON_S
        except BucketsLost:
            return  # the worker finds it at its next turn
        else:
            pause = owned.heartbeat_s
