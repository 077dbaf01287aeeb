"""What stands now: which versions of an endpoint and its profile a resolution has to use.

Whatever was committed before a resolution began is seen by it. A file is looked at by each one. A
read over a network is shared: a resolution joins the *next* read and never a running one, so a read
always begins after every resolution it serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol


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


class LiveVersions(Protocol):
    """Tells what stands now. One per event loop."""

    def current(self, endpoint: str) -> Coroutine[Any, Any, LiveEndpoint | None]:
        """How the endpoint stands at a moment after this call began; None if there is none.

        Raises :class:`~engine.errors.DatabaseUnavailable`.
        """
        ...

    def close(self) -> None:
        """Give the connection back; nobody may be waiting."""
        ...


class VersionsReader(Protocol):
    """Reads versions now, for which it waits: another thread calls it."""

    def read(self, names: set[str]) -> Mapping[str, LiveEndpoint]:
        """The endpoints of these names that exist, as committed when the call began."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


_Waiting = list[tuple[str, "asyncio.Future[LiveEndpoint | None]"]]


class SharedVersions:
    """One read for all resolutions that begin together. One per event loop."""

    def __init__(self, reader: VersionsReader) -> None:
        self._reader = reader
        self._waiting: _Waiting = []
        self._reading = False

    async def current(self, endpoint: str) -> LiveEndpoint | None:
        """How the endpoint stands at a moment after this call began; None if there is none.

        Raises :class:`~engine.errors.DatabaseUnavailable`.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting and not self._reading:
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
        names = {name for name, _ in waiting}
        self._reading = True
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(None, self._reader.read, names)
        reading.add_done_callback(partial(self._has_read, waiting))

    def _has_read(
        self, waiting: _Waiting, reading: asyncio.Future[Mapping[str, LiveEndpoint]]
    ) -> None:
        self._reading = False
        if self._waiting:
            self._read()
        error = reading.exception()
        if error is None:
            _settle(waiting, reading.result())
        else:
            _fail(waiting, error)


def _settle(waiting: _Waiting, found: Mapping[str, LiveEndpoint]) -> None:
    for name, future in waiting:
        if not future.done():
            future.set_result(found.get(name))


def _fail(waiting: _Waiting, error: BaseException) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(error)
