"""The routes of whoever watches: is it alive, is it ready, and its figures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.api.asgi import send_answer
from engine.api.metrics import CONTENT_TYPE
from engine.api.problems import Refused
from engine.core import guarded_json
from engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.api.asgi import Application, Receive, Scope, Send
    from engine.api.metrics import Metrics
    from engine.api.permits import Permits
    from engine.db.connect import Database
    from engine.operations.store import Finding

PATIENCE_S = 3.0
"""How long a database may take before the process counts as not ready."""


class Watching:
    """``health`` tells what the process found of itself last; ``stopping`` that it ends."""

    def __init__(
        self,
        database: Database,
        health: Callable[[], Sequence[Finding]],
        stopping: Callable[[], bool],
        metrics: Metrics,
        permits: Permits,
    ) -> None:
        self._database = database
        self._health = health
        self._stopping = stopping
        self._metrics = metrics
        self._permits = permits

    def routes(self) -> dict[str, Application]:
        """Path → route."""
        return {"/healthz": self._alive, "/readyz": self._ready, "/metrics": self._figures}

    async def _alive(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Whether every thread lives and comes round: if not, it is to be started anew."""
        _require_get(scope)
        found = self._health()
        wrong = any(each.state == "wrong" and each.part != "database" for each in found)
        await _tell(send, "wrong" if wrong else "ok", found, bad=wrong)

    async def _ready(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Whether requests are to be sent here: it isn't ending, and its database answers."""
        _require_get(scope)
        state = "ending" if self._stopping() else await self._database_state()
        await _tell(send, state, (), bad=state != "ok")

    async def _figures(self, scope: Scope, _receive: Receive, send: Send) -> None:
        _require_get(scope)
        self._permits.require(scope, Permission.SYSTEM_READ)
        await send_answer(send, self._metrics.text(self._health()), CONTENT_TYPE)

    async def _database_state(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.to_thread(self._read_once)
        except (EngineError, TimeoutError):
            return "no database"
        return "ok"

    def _read_once(self) -> None:
        with self._database.read() as connection:
            connection.exec_driver_sql("SELECT 1 FROM installation").one_or_none()


def _require_get(scope: Scope) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        raise Refused(405, "request.method", "this route takes GET", (("allow", "GET, HEAD"),))


async def _tell(send: Send, state: str, found: Sequence[Finding], *, bad: bool) -> None:
    """Parts and how they are; what exactly was found is for operators (`journey doctor`)."""
    parts = [{"part": each.part, "state": each.state} for each in found]
    said = {"status": state, "parts": parts} if parts else {"status": state}
    await send_answer(send, guarded_json.dumps(said), status=503 if bad else 200)
