"""The credential of a request, as it stands at the moment the request is sent.

What stands now comes from one small look; opened material is kept by version and never by
time. So a resolution that begins after a rotation committed, in any process, uses the new secret.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from engine.clock import wall
from engine.credentials.access_tokens.tokens import AccessTokens, Client, OutdatedProfile
from engine.credentials.credential import Credential
from engine.credentials.echo import forget_marks
from engine.credentials.loaded import Loaded, load
from engine.credentials.overlap import PREVIOUS_NEEDED, record_fall_back
from engine.credentials.store.versions import live_versions, profile_ids
from engine.errors import CredentialFailure, DatabaseUnavailable
from engine.telemetry.redact import Redactor, known_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from engine.clock import Clock
    from engine.credentials.kinds.oauth2 import OAuth2
    from engine.credentials.live_versions import LiveEndpoint
    from engine.credentials.references import References
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.wire.transport import Transport

_log = logging.getLogger(__name__)

_LOT = SystemRandom().random
_RELOADS = 5

LOOK_EACH_S = 30.0
"""How often it is looked whether profiles that are held were deleted: no call asks for one then."""

_THREADS = 4
"""Those of a resolver's own: thousands of profiles and tokens that are read at once are no queue
before the read of what stands now, which every call waits for.
"""


class Resolver:
    """Resolves credentials. One per event loop; close it before the transport and the database.

    ``redactor`` (the process's own, unless given) learns every value that is opened. ``lot`` gives
    numbers in [0, 1) that spread renewals and repeats.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        transport: Transport,
        clock: Clock,
        references: References,
        *,
        redactor: Redactor | None = None,
        lot: Callable[[], float] = _LOT,
    ) -> None:
        self._database = database
        self._vault = vault
        self._references = references
        self._redactor = redactor or known_secrets
        self._versions = live_versions(database)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="credentials")
        self._tokens = AccessTokens(
            database, vault, transport, clock, self._redactor, lot, self._threads
        )
        self._loaded: dict[int, Loaded] = {}
        self._recording: set[asyncio.Future[None]] = set()
        self._loading: dict[tuple[int, int], asyncio.Future[Loaded | None]] = {}
        self._looking: asyncio.Task[None] | None = None

    def current(self, endpoint: str) -> Coroutine[Any, Any, LiveEndpoint | None]:
        """Which versions of the endpoint and its profile stand now; None if there is no such one.

        Raises :class:`~engine.errors.DatabaseUnavailable`.
        """
        return self._versions.current(endpoint)

    async def credential(
        self, profile_id: int, version: int, *, not_this: Credential | None = None
    ) -> Credential:
        """The credential of the profile, at ``version`` or a later one.

        ``not_this`` is one that the API has just rejected: the answer is another one, renewed if
        need be. Raises CredentialFailure: ``credential.missing`` (deleted, or a reference leads
        nowhere), ``credential.unreadable`` (doesn't open, or can't be sent),
        ``credential.unavailable`` (the token server gives no token), ``credential.rejected`` (there
        is no other than ``not_this``). Raises DatabaseUnavailable.
        """
        for _ in range(_RELOADS):
            loaded = self._loaded.get(profile_id)
            if loaded is None or loaded.version < version or loaded.is_outdated():
                loaded = await self._load(profile_id, version)
            if loaded.oauth2 is None:
                return self._fixed(loaded, not_this)
            try:
                return await self._with_token(loaded, loaded.oauth2, not_this)
            except OutdatedProfile:
                version = loaded.version + 1
        raise CredentialFailure(
            "the auth profile changes faster than it can be read: try again",
            code="credential.unavailable",
        )

    async def close(self) -> None:
        """End what is under way, give leases and connection back."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        loading = list(self._loading.values())
        await asyncio.gather(*loading, *self._recording, return_exceptions=True)
        await self._tokens.close()
        await asyncio.to_thread(self._threads.shutdown)
        self._versions.close()

    def _fixed(self, loaded: Loaded, not_this: Credential | None) -> Credential:
        told = loaded.fell_back
        credential = loaded.credential(not_this)
        if loaded.fell_back and not told:
            _log.warning("auth profile %s: %s", loaded.name, PREVIOUS_NEEDED)
            task = asyncio.get_running_loop().run_in_executor(
                self._threads, self._record_fall_back, loaded.profile_id
            )
            # The call doesn't wait for it; the loop itself keeps no task alive.
            self._recording.add(task)
            task.add_done_callback(self._recording.discard)
        return credential

    def _record_fall_back(self, profile_id: int) -> None:
        try:
            with self._database.write() as connection:
                record_fall_back(connection, profile_id, wall())
        except DatabaseUnavailable as error:
            _log.warning("the audit log couldn't be written: %s", error.message)

    async def _with_token(
        self, loaded: Loaded, profile: OAuth2, not_this: Credential | None
    ) -> Credential:
        client = Client(loaded.profile_id, loaded.name, loaded.version, profile, loaded.opened)
        rejected = None if not_this is None else not_this.fingerprint
        token = await self._tokens.token(client, rejected)
        return loaded.with_token(token)

    async def _load(self, profile_id: int, version: int) -> Loaded:
        key = (profile_id, version)
        task = self._loading.get(key)
        if task is None:
            means = self._database, self._vault, self._references, self._redactor
            loop = asyncio.get_running_loop()
            task = loop.run_in_executor(self._threads, load, *means, profile_id)
            self._loading[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        loaded = await asyncio.shield(task)
        if loaded is None:
            self._forget(profile_id)
            raise CredentialFailure(
                "the auth profile was deleted: assign another one to the endpoint",
                code="credential.missing",
            )
        known = self._loaded.get(profile_id)
        if known is None or known.version < loaded.version:
            if known is not None:
                self._references.forget(known.files() - loaded.files())
            self._loaded[profile_id] = known = loaded
            if self._looking is None or self._looking.done():
                self._looking = asyncio.get_running_loop().create_task(self._forget_deleted())
        return known

    async def _forget_deleted(self) -> None:
        """While any profile is held, look whether it is still there."""
        loop = asyncio.get_running_loop()
        while self._loaded:
            await asyncio.sleep(LOOK_EACH_S)
            held = set(self._loaded)
            with suppress(DatabaseUnavailable):
                there = await loop.run_in_executor(self._threads, self._ids)
                for profile_id in held - there:
                    self._forget(profile_id)

    def _ids(self) -> set[int]:
        with self._database.read() as connection:
            return profile_ids(connection)

    def _forget(self, profile_id: int) -> None:
        """Keep nothing of a profile that was deleted. The redactor still knows its values: what was
        sent with them may be answered, and told, later.
        """
        loaded = self._loaded.pop(profile_id, None)
        if loaded is not None:
            self._references.forget(loaded.files())
        self._tokens.forget(profile_id)
        forget_marks()

    def _done(self, key: tuple[int, int], task: asyncio.Future[Loaded | None]) -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # whoever still waits has it
