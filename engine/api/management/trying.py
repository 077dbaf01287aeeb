"""One attempt to reach who stands behind an endpoint or an auth profile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from engine.operations import probe
from engine.operations.plain_data import plain_data
from engine.wire.http_transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.api.management.calling import Backend


def try_now(
    backend: Backend, attempt: Callable[[probe.Means], Awaitable[probe.Tried]]
) -> dict[str, Any]:
    """What came of one attempt, as JSON data. It has a loop of its own: it is rare, and may take as
    long as a call.
    """
    vault = backend.vault()

    async def once() -> probe.Tried:
        transport = HttpTransport(backend.egress)
        try:
            means = probe.Means(backend.database, vault, backend.references, transport)
            return await attempt(means)
        finally:
            await transport.close()

    found: dict[str, Any] = plain_data(asyncio.run(once()))
    return found
