"""Which webhooks came is written down behind their answers, for people to see.

However many come, that costs a commit a second, of the last ones of each hook: those that were
pushed out meanwhile are never written, nor are those of users who were erased meanwhile. A crash
loses what came in its last second.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.db.ids import IdMaker, entropy
from engine.errors import DatabaseUnavailable
from engine.hooks.deliveries import KEPT, Delivery, add, shut_out_others
from engine.operations.erase import erased_since

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.connect import Database
    from engine.users.incoming import IncomingEvent

_log = logging.getLogger(__name__)

EACH_S = 1.0
"""Between two commits."""


_Noted = tuple[Delivery, int]
"""A delivery, and the newest change of the audit log before its event was taken."""


class DeliveryLog:
    """Takes the deliveries of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new_id = IdMaker(entropy)
        self._waiting: dict[tuple[int, bool], deque[_Noted]] = {}
        self._work: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    def taken(
        self, hook_id: int, at: int, size: int, event: IncomingEvent, inbox_id: int, change: int
    ) -> None:
        """Note a webhook that is an event. ``at`` is wall time; ``change`` the number of the newest
        change of the audit log before the event was taken.
        """
        said = (event.name, event.message_id, event.user, inbox_id)
        self._note(Delivery(hook_id, False, self._new_id(at), at, size, "", "", *said), change)

    def ignored(self, hook_id: int, at: int, size: int) -> None:
        """Note a webhook that is no event of a user."""
        self._note(Delivery(hook_id, False, self._new_id(at), at, size))

    def refused(self, hook_id: int, at: int, size: int, code: str, detail: str) -> None:
        """Note a webhook that was refused."""
        self._note(Delivery(hook_id, True, self._new_id(at), at, size, code, detail))

    def _note(self, delivery: Delivery, change: int = 0) -> None:
        key = delivery.hook_id, delivery.refused
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = deque(maxlen=KEPT)
        waiting.append((delivery, change))
        if self._work is None:
            self._work = asyncio.create_task(self._write_all())

    async def close(self) -> None:
        """Return when everything that was noted is written."""
        self._ending.set()
        if self._work is not None:
            await self._work

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                rows = [one for each in self._waiting.values() for one in each]
                self._waiting = {}
                await asyncio.to_thread(self._write, rows)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), EACH_S)
        finally:
            self._work = None

    def _write(self, noted: Sequence[_Noted]) -> None:
        try:
            with self._database.write(waits=1) as connection:
                shut_out_others(connection)
                users = [(one.user_id, after) for one, after in noted if one.user_id is not None]
                gone = erased_since(connection, users)
                add(connection, [one for one, after in noted if (one.user_id, after) not in gone])
        except DatabaseUnavailable as error:
            _log.warning("what came to webhooks isn't written down: %s", error.message)
        except Exception:  # noqa: BLE001 - a bug there is no webhook's
            _log.exception("what came to webhooks can't be written down")
