"""What stands now: one small read shared by all resolutions that begin together.

A resolution joins the *next* read and never a running one, so a read always begins after every
resolution it serves: what was committed before a resolution began is seen by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LiveEndpoint:
    """An endpoint's present versions. ``profile_id`` is None without authentication;
    ``auth_lost`` names a profile that was deleted under it by force.
    """

    id: int
    version: int
    profile_id: int | None
    profile_version: int
    auth_lost: str | None


class VersionsReader(Protocol):
    """Reads versions now, on the event loop's thread: it may never wait for a writer."""

    def read(self, names: set[str]) -> Mapping[str, LiveEndpoint]:
        """The endpoints of these names that exist, as committed when the call began."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class LiveVersions:
    """The shared read. One per event loop."""

    def __init__(self, reader: VersionsReader) -> None:
        self._reader = reader
        self._waiting: list[tuple[str, asyncio.Future[LiveEndpoint | None]]] = []

    async def current(self, endpoint: str) -> LiveEndpoint | None:
        """How the endpoint stands at a moment after this call began; None if there is none.

        Raises :class:`~engine.errors.DatabaseUnavailable`.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._read)
        # A future each: whoever gives up takes nothing from the others.
        future: asyncio.Future[LiveEndpoint | None] = loop.create_future()
        self._waiting.append((endpoint, future))
        return await future

    def close(self) -> None:
        """Give the connection back; nobody may be waiting."""
        self._reader.close()

    def _read(self) -> None:
        # From here on whoever comes joins the read after this one.
        waiting, self._waiting = self._waiting, []
        try:
            found = self._reader.read({name for name, _ in waiting})
        except BaseException as error:  # noqa: BLE001  it belongs to those who wait
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for name, future in waiting:
            if not future.done():
                future.set_result(found.get(name))
