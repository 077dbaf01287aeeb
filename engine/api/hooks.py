"""``/hooks/NAME``: foreign webhooks, believed by their signature, mapped to events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.api.asgi import send_answer
from engine.api.bodies import read_body
from engine.api.ingestion import require_post
from engine.api.problems import Refused
from engine.clock import wall
from engine.core import guarded_json
from engine.core.expressions.errors import Unfillable
from engine.hooks import keeping, store
from engine.hooks.mapping import compiled
from engine.hooks.signatures import NotSigned, verify
from engine.telemetry.redact import known_secrets
from engine.users.ingest import FactRefused
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.api.asgi import Receive, Scope, Send
    from engine.api.gathering import Gathering
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.hooks.store import StoredHook
    from engine.users.incoming import IncomingEvent

HOOKS = "/hooks/"

_TAKEN, _IGNORED = b'{"taken":true}', b'{"taken":false}'


class Hooks:
    """The route of all hooks. Each is read anew for each request, so that a changed one counts at
    once.
    """

    def __init__(
        self,
        database: Database,
        vault: Callable[[], Vault],
        gathering: Gathering,
        now: Callable[[], int],
        largest: int,
    ) -> None:
        self._database = database
        self._vault = vault
        self._gathering = gathering
        self._now = now
        self._largest = largest

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a webhook: answered when its event is durable, or where it isn't one for us."""
        require_post(scope)
        name = scope["path"].removeprefix(HOOKS)
        found = await asyncio.to_thread(self._find, name)
        if found is None:
            raise Refused(404, "request.not_found", "there is nothing at this path")
        body = await read_body(scope, receive, self._largest)
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        event = self._event(*found, headers, body)
        if event is None:
            await send_answer(send, _IGNORED)
            return
        try:
            row = self._gathering.row(event)
        except BadRow as bad:
            raise Refused(422, bad.code, FactRefused(bad).message) from None
        await self._gathering.append([row])
        await send_answer(send, _TAKEN)

    def _find(self, name: str) -> tuple[StoredHook, list[str]] | None:
        """The hook and the secrets that are good now."""
        with self._database.read() as connection:
            stored = store.find(connection, name)
            if stored is None:
                return None
            secrets = keeping.secrets_of(connection, self._vault(), stored, wall())
        known_secrets.learn(secrets)
        return stored, secrets

    def _event(
        self, stored: StoredHook, secrets: list[str], headers: dict[str, str], body: bytes
    ) -> IncomingEvent | None:
        now = self._now()
        try:
            delivery = verify(stored.preset, headers, body, secrets, now)
        except NotSigned as reason:
            raise Refused(401, "hooks.not_signed", str(reason)) from None
        try:
            said = guarded_json.parse(body)
        except guarded_json.NotGuardedJSON as reason:
            raise Refused(400, "events.bad_json", f"the body is {reason}") from None
        if not isinstance(said, dict):
            raise Refused(400, "events.bad_json", "the body is no object")
        try:
            return compiled(stored.mapping).event_of(stored.name, said, delivery, now)
        except Unfillable as reason:
            raise Refused(422, "hooks.unfillable", reason.message) from None
