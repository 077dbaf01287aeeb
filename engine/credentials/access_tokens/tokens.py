"""The shared access token of each profile: who needs one gets the one there is.

Inside a process one task per profile asks for all; between processes a lease in the database
decides who asks. No transaction is open while the token server is spoken to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.core.expressions.durations import SECOND
from engine.credentials.access_tokens import row
from engine.credentials.access_tokens.answer import Grant
from engine.credentials.access_tokens.ask import TokenServers
from engine.credentials.access_tokens.life import Verdict
from engine.credentials.credential import AccessToken
from engine.credentials.overlap import PREVIOUS_NEEDED
from engine.errors import CredentialFailure

if TYPE_CHECKING:
    from engine.clock import Clock
    from engine.credentials.credential import Opened
    from engine.credentials.kinds.oauth2 import OAuth2
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.telemetry.redact import Redactor
    from engine.wire.transport import Transport

_log = logging.getLogger(__name__)

LONGEST_WAIT_S = 30.0
_POLL_S = 0.03
_LOOK_AGAIN_US = 1_000_000
"""While the token server may not be asked, the row is looked at each second: a test in another
process that got a token ends the standing back here, too."""


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth profile at one version. ``secrets`` opens its fields when they are needed."""

    profile_id: int
    name: str
    version: int
    profile: OAuth2
    secrets: Callable[[], Opened] = field(repr=False)


@dataclass(slots=True)
class _Held:
    """What this process knows: a token and its life, or a failure until it may be tried again."""

    version: int
    token: AccessToken | None = None
    soft: int = 0
    hard: int = 0
    failure: CredentialFailure | None = None
    failed_with: str = ""
    next_try_at: int = 0


class OutdatedProfile(Exception):
    """The profile was edited after it was loaded: load it again. Never leaves the resolver."""


Outcome = AccessToken | CredentialFailure | OutdatedProfile


class _Turn:
    """The right to ask, by the lease that was taken. ``began`` is when the last request was begun,
    from which the life of its token counts (journey time).
    """

    def __init__(
        self, rows: row.Rows, threads: Executor, clock: Clock, profile_id: int, leased: row.Leased
    ) -> None:
        self.began = clock.now()
        self._clock = clock
        self._rows = rows
        self._threads = threads
        self._profile_id = profile_id
        self._fence = leased.fence
        self._until = leased.until

    def is_over(self) -> bool:
        """Whether the lease has ended: this process may have been stopped for a while."""
        return stopwatch() >= self._until

    async def once_more(self, *, forget_refresh: bool) -> bool:
        """Count one more request; the lease begins anew."""
        until = stopwatch() + row.LEASE_US / SECOND
        count = partial(self._rows.once_more, forget_refresh=forget_refresh)
        loop = asyncio.get_running_loop()
        mine = await loop.run_in_executor(self._threads, count, self._profile_id, self._fence)
        if mine:
            self._until = until
            self.began = self._clock.now()
        return mine


class AccessTokens:
    """Tokens of all OAuth profiles. One per event loop; close it before the transport. What waits
    for the database is done by ``threads``.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        transport: Transport,
        clock: Clock,
        redactor: Redactor,
        lot: Callable[[], float],
        threads: Executor,
    ) -> None:
        self._rows = row.Rows(database, vault, token_hex(8), lot)
        self._threads = threads
        self._servers = TokenServers(transport, redactor)
        self._clock = clock
        self._redactor = redactor
        self._held: dict[int, _Held] = {}
        self._tried: dict[int, tuple[int, str]] = {}
        self._asking: dict[tuple[int, int, str | None], asyncio.Task[Outcome]] = {}

    async def token(self, client: Client, rejected: str | None = None) -> AccessToken:
        """A token to send now, and not the one of the fingerprint ``rejected``.

        Raises ``credential.unavailable`` where the token server gives none,
        ``credential.rejected`` where the API refuses token after token, and
        :class:`OutdatedProfile`.
        """
        held = self._held.get(client.profile_id)
        if held is not None and held.version == client.version:
            now = self._clock.now()
            # Further ahead it is of a clock that was put back since.
            waits = now < held.next_try_at <= now + _LOOK_AGAIN_US
            failure = held.failure if waits else None
            if failure is not None and not self._may_differ(client, held.failed_with):
                raise _again(failure)
            if held.token is not None and held.token.fingerprint != rejected and now < held.hard:
                if now >= held.soft and now >= held.next_try_at:
                    self._ask_for_all(client, None)
                return held.token
        outcome = await asyncio.shield(self._ask_for_all(client, rejected))
        if isinstance(outcome, AccessToken):
            return outcome
        raise _again(outcome) if isinstance(outcome, CredentialFailure) else OutdatedProfile

    def forget(self, profile_id: int) -> None:
        """Keep nothing of a profile that was deleted."""
        self._held.pop(profile_id, None)
        self._tried.pop(profile_id, None)

    async def close(self) -> None:
        """End what is under way and give the leases back."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _ask_for_all(self, client: Client, rejected: str | None) -> asyncio.Task[Outcome]:
        key = (client.profile_id, client.version, rejected)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._obtain(client, rejected))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return task

    def _done(self, key: tuple[int, int, str | None], task: asyncio.Task[Outcome]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # its waiters have it; a renewal ahead of time has none

    async def _obtain(self, client: Client, rejected: str | None) -> Outcome:
        until = stopwatch() + LONGEST_WAIT_S
        asks = client.profile_id, client.version, rejected
        beside = partial(asyncio.get_running_loop().run_in_executor, self._threads)
        while stopwatch() < until:
            seen: row.Seen | row.Leased
            seen = await beside(self._rows.look, *asks, self._clock.now())
            changed = seen.verdict is Verdict.BACKING_OFF and self._may_differ(
                client, seen.failed_with
            )
            outcome = None if changed else self._settled(client, seen)
            if outcome is not None:
                return outcome
            if seen.verdict is Verdict.ASK or changed:
                try:
                    secrets = client.secrets()
                except CredentialFailure as failure:
                    return failure
                shown = self._rows.secrets(secrets.current, seen.failed_with)
                self._tried[client.profile_id] = (client.version, shown.fingerprint)
                seen = await beside(self._rows.lease, *asks, self._clock.now(), shown)
                if isinstance(seen, row.Leased):
                    outcome = await self._ask(client, secrets, seen)
                    if outcome is not None:
                        return outcome
            elif seen.verdict is Verdict.WAIT:
                await asyncio.sleep(_POLL_S)
        return _unavailable(client, "another process is asking for a token and none came")

    def _may_differ(self, client: Client, failed_with: str) -> bool:
        """Whether a referred secret was changed since it failed, in a file or by a restart.

        Once per value and process, so that processes which disagree cause no storm. A value that
        can't be read counts as changed: its own failure says more.
        """
        try:
            shown = self._rows.secrets(client.secrets().current, failed_with)
        except CredentialFailure:
            return True
        tried = self._tried.get(client.profile_id)
        return shown.anew and tried != (client.version, shown.fingerprint)

    def _settled(self, client: Client, seen: row.Seen) -> Outcome | None:
        """What the row itself decides, if it does."""
        if seen.token:
            return self._hold(client, seen)
        if seen.verdict is Verdict.OUTDATED:
            return OutdatedProfile()
        if seen.verdict is Verdict.BACKING_OFF:
            return self._stand_back(client, seen)
        if seen.verdict is Verdict.TOO_SOON:
            return CredentialFailure(
                f"auth profile {client.name}: the API refuses a token that was renewed a moment"
                " ago: check what the profile may do there",
                code="credential.rejected",
            )
        return None

    async def _ask(self, client: Client, opened: Opened, leased: row.Leased) -> Outcome | None:
        """Ask under the lease and store what came; None where somebody else has the say by now."""
        rows, profile_id = self._rows, client.profile_id
        beside = partial(asyncio.get_running_loop().run_in_executor, self._threads)
        try:
            turn = _Turn(rows, self._threads, self._clock, profile_id, leased)
            asked = await self._servers.ask(client.profile, opened, leased.refresh_token, turn)
            if asked is None:
                return None
            secret_version = opened.previous_version if asked.with_previous else opened.version
            seen = await beside(
                rows.keep, profile_id, leased, asked, secret_version, turn.began, self._clock.now()
            )
        except BaseException:
            await beside(rows.release, profile_id, leased.fence)
            raise
        if not isinstance(asked.outcome, Grant):
            _log.info("auth profile %s: %s", client.name, asked.outcome.text)
        elif asked.outcome.warning:
            _log.warning("auth profile %s: %s", client.name, asked.outcome.warning)
        else:
            _log.info("auth profile %s: new access token", client.name)
        if asked.with_previous:
            _log.warning("auth profile %s: %s", client.name, PREVIOUS_NEEDED)
        return None if seen is None else self._settled(client, seen)

    def _stand_back(self, client: Client, seen: row.Seen) -> CredentialFailure:
        failure = _unavailable(client, seen.failure_text)
        self._held[client.profile_id] = _Held(
            client.version,
            failure=failure,
            failed_with=seen.failed_with,
            next_try_at=min(seen.next_try_at, self._clock.now() + _LOOK_AGAIN_US),
        )
        return failure

    def _hold(self, client: Client, seen: row.Seen) -> AccessToken:
        self._redactor.learn((seen.token,))
        token = AccessToken(seen.token, seen.fingerprint, client.version, seen.secret_version)
        self._held[client.profile_id] = _Held(
            client.version, token, seen.soft_expiry, seen.hard_expiry, next_try_at=seen.next_try_at
        )
        return token


def _unavailable(client: Client, text: str) -> CredentialFailure:
    return CredentialFailure(f"auth profile {client.name}: {text}", code="credential.unavailable")


def _again(failure: CredentialFailure) -> CredentialFailure:
    """One object raised by thousands of waiters would grow a traceback of them all."""
    return CredentialFailure(failure.message, code=failure.code)
