"""``/hooks/NAME``: foreign webhooks, believed by their signature, mapped to events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.api.asgi import header, send_answer
from engine.api.bodies import read_body
from engine.api.ingestion import require_post
from engine.api.problems import Refused
from engine.audit.store import latest_id
from engine.clock import wall
from engine.core import guarded_json
from engine.core.expressions.errors import Unfillable
from engine.errors import CredentialFailure, EngineError
from engine.hooks import keeping, store
from engine.hooks.mapping import compiled
from engine.hooks.signatures import NotSigned, content_of, verify
from engine.telemetry.redact import known_secrets
from engine.users.ingest import FactRefused
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.api.asgi import Receive, Scope, Send
    from engine.api.delivery_log import DeliveryLog
    from engine.api.gathering import Gathering
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.hooks.store import StoredHook
    from engine.users.incoming import IncomingEvent

HOOKS = "/hooks/"

_LONGEST_DETAIL = 300
_DIGITS = 9

_TAKEN, _IGNORED = b'{"taken":true}', b'{"taken":false}'


@dataclass(frozen=True, slots=True)
class _Found:
    """A hook, and its ``secrets`` that are good now, or why they can't be opened; ``change`` is the
    number of the newest change of the audit log.
    """

    hook: StoredHook
    secrets: Sequence[str] | EngineError = field(repr=False)
    change: int


class Hooks:
    """The route of all hooks. Each is read anew for each request, so that a changed one counts at
    once.
    """

    def __init__(
        self,
        database: Database,
        vault: Callable[[], Vault],
        gathering: Gathering,
        log: DeliveryLog,
        now: Callable[[], int],
        largest: int,
    ) -> None:
        self._database = database
        self._vault = vault
        self._gathering = gathering
        self._now = now
        self._largest = largest
        self._log = log

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a webhook: answered when its event is durable, or where it isn't one for us."""
        require_post(scope)
        name = scope["path"].removeprefix(HOOKS)
        found = await asyncio.to_thread(self._find, name)
        if found is None:
            raise Refused(404, "request.not_found", "there is nothing at this path")
        try:
            answer = await self._take(found, await read_body(scope, receive, self._largest), scope)
        except BadRow as bad:
            # Its message would say what came.
            self._note_refused(found.hook, scope, bad.code, bad.remedy)
            raise Refused(422, bad.code, FactRefused(bad).message) from None
        except EngineError as error:
            self._note_refused(found.hook, scope, error.code, error.message)
            raise
        await send_answer(send, answer)

    async def _take(self, found: _Found, body: bytes, scope: Scope) -> bytes:
        """The answer to a webhook that was taken. Raises BadRow, Refused, CredentialFailure."""
        if isinstance(found.secrets, EngineError):
            raise found.secrets
        at = wall()
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        event = self._event(found.hook, found.secrets, headers, body)
        if event is None:
            self._log.ignored(found.hook.id, at, len(body))
            return _IGNORED
        row = self._gathering.row(event)
        await self._gathering.append([row])
        self._log.taken(found.hook.id, at, len(body), event, row[1], found.change)
        return _TAKEN

    def _note_refused(self, stored: StoredHook, scope: Scope, code: str, detail: str) -> None:
        announced = header(scope, b"content-length") or b""
        size = int(announced[:_DIGITS]) if announced.isdigit() else 0
        self._log.refused(stored.id, wall(), size, code, detail[:_LONGEST_DETAIL])

    def _find(self, name: str) -> _Found | None:
        with self._database.read() as connection:
            stored = store.find(connection, name)
            if stored is None:
                return None
            change = latest_id(connection)
            try:
                secrets = keeping.secrets_of(connection, self._vault(), stored, wall())
            except CredentialFailure as failure:
                return _Found(stored, failure, change)
        known_secrets.learn(secrets)
        return _Found(stored, secrets, change)

    def _event(
        self, stored: StoredHook, secrets: Sequence[str], headers: dict[str, str], body: bytes
    ) -> IncomingEvent | None:
        now = self._now()
        try:
            delivery = verify(stored.preset, headers, body, secrets, now)
        except NotSigned as reason:
            raise Refused(401, "hooks.not_signed", str(reason)) from None
        try:
            said = guarded_json.parse(content_of(stored.preset, body))
        except guarded_json.NotGuardedJSON as reason:
            raise Refused(400, "events.bad_json", f"the body is {reason}") from None
        if not isinstance(said, dict):
            raise Refused(400, "events.bad_json", "the body is no object")
        try:
            return compiled(stored.mapping).event_of(stored.name, said, delivery, now)
        except Unfillable as reason:
            raise Refused(422, "hooks.unfillable", reason.message) from None
