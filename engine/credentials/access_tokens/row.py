"""The token row's short transactions: look, take the lease, keep what came.

Everything here blocks: it is for a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.clock import stopwatch, wall
from engine.core.expressions.durations import SECOND
from engine.credentials.access_tokens.answer import Grant
from engine.credentials.access_tokens.life import (
    Verdict,
    expiries,
    space_forced,
    stand_back,
    verdict,
)
from engine.credentials.key_ring import Place
from engine.credentials.overlap import record_fall_back
from engine.credentials.store import tokens as store
from engine.errors import CredentialFailure

if TYPE_CHECKING:
    from engine.credentials.access_tokens.ask import Asked
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection, Database

LEASE_US = 15 * SECOND
"""The longest token request, and some: when its asker dies, others ask after this."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the row says: a verdict, and a token (opened) or a failure to tell."""

    verdict: Verdict
    token: str = field(default="", repr=False)
    fingerprint: str = ""
    soft_expiry: int = 0
    hard_expiry: int = 0
    failure_text: str = ""
    failed_with: str = ""
    next_try_at: int = 0
    secret_version: int = 0


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keyed fingerprint of what will be shown to the token server; ``anew`` if it is other than
    what failed.
    """

    fingerprint: str
    anew: bool


@dataclass(frozen=True, slots=True)
class Leased:
    """The lease is ours under ``fence``, to ask with the secrets of that fingerprint.

    ``still`` is a token that is good for a while yet. ``until`` is when the lease ends by this
    process's stopwatch, a little early: from then on nothing may be sent.
    """

    fence: int
    failures: int
    secrets: str
    refresh_token: str | None = field(repr=False)
    still: Seen | None
    until: float


class Rows:
    """The rows of ``token_states``, for one process called ``owner``."""

    def __init__(
        self, database: Database, vault: Vault, owner: str, lot: Callable[[], float]
    ) -> None:
        self._database = database
        self._vault = vault
        self._owner = owner
        self._lot = lot

    def secrets(self, values: Mapping[str, str], failed_with: str) -> Secrets:
        """What identifies these values, and whether they are others than those that failed."""
        fingerprint = self._vault.fingerprint(repr(sorted(values.items())))
        return Secrets(fingerprint, failed_with not in ("", fingerprint))

    def look(self, profile_id: int, version: int, rejected: str | None, now: int) -> Seen:
        """What stands, by a read."""
        with self._database.read() as connection:
            found = store.token_row(connection, profile_id)
            said = verdict(found, version=version, rejected=rejected, now=now)
            seen = self._seen(connection, profile_id, found, said)
        if seen.verdict in (Verdict.USE, Verdict.USE_STILL) and not seen.token:
            # It doesn't open (changed, another key's): forgotten, since another can be had.
            with self._database.write() as connection:
                store.discard_token(connection, profile_id, found.sealed_token)
        return seen

    def lease(
        self, profile_id: int, version: int, rejected: str | None, now: int, secrets: Secrets
    ) -> Seen | Leased:
        """The lease, if it is still time to ask and nobody was faster; else what stands."""
        until = stopwatch() + LEASE_US / SECOND
        with self._database.write() as connection:
            if store.profile_version(connection, profile_id) != version:
                return Seen(Verdict.OUTDATED)
            found = store.token_row(connection, profile_id)
            said = verdict(found, version=version, rejected=rejected, now=now, anew=secrets.anew)
            if said is not Verdict.ASK:
                return Seen(Verdict.WAIT)
            if found.profile_version < version:
                store.forget_token(connection, profile_id, version)
                found = store.token_row(connection, profile_id)
            fence = store.take_lease(
                connection,
                profile_id,
                version=version,
                seen=found.fence,
                owner=self._owner,
                lease_us=LEASE_US,
            )
            if fence is None:
                return Seen(Verdict.WAIT)
            if rejected is not None and found.fingerprint == rejected:
                count, at = space_forced(found.forced_count, found.next_forced_at, now)
                store.drop_token(connection, profile_id, fence, count=count, next_forced_at=at)
            return self._leased(
                connection, profile_id, found, fence, rejected, now, secrets.fingerprint, until
            )

    def keep(
        self,
        profile_id: int,
        leased: Leased,
        asked: Asked,
        secret_version: int,
        started: int,
        now: int,
    ) -> Seen | None:
        """Store what was answered to the secret of that version; None where the fence has moved on
        and it counts no more.
        """
        outcome = asked.outcome
        if isinstance(outcome, Grant):
            return self._keep_token(profile_id, leased, asked, outcome, secret_version, started)
        pause = stand_back(
            leased.failures,
            permanent=outcome.permanent,
            retry_after=outcome.retry_after,
            lot=self._lot(),
        )
        refusal = store.Refusal(
            leased.failures + 1,
            "credential.unavailable",
            outcome.text,
            leased.secrets,
            now,
            now + pause,
        )
        with self._database.write() as connection:
            if not store.keep_refusal(connection, profile_id, leased.fence, refusal, asked.unsent):
                return None
        still = leased.still
        if still is not None and now < still.hard_expiry:
            return replace(still, next_try_at=refusal.next_try_at)
        return Seen(
            Verdict.BACKING_OFF,
            failure_text=refusal.text,
            failed_with=refusal.failed_with,
            next_try_at=refusal.next_try_at,
        )

    def once_more(self, profile_id: int, fence: int, *, forget_refresh: bool) -> bool:
        """Count one request more under a lease that begins anew; False if fenced out."""
        with self._database.write() as connection:
            return store.ask_again(
                connection, profile_id, fence, lease_us=LEASE_US, forget_refresh=forget_refresh
            )

    def release(self, profile_id: int, fence: int) -> None:
        """Give the lease back without an answer."""
        with self._database.write() as connection:
            store.release_lease(connection, profile_id, fence)

    def _keep_token(
        self,
        profile_id: int,
        leased: Leased,
        asked: Asked,
        grant: Grant,
        secret_version: int,
        started: int,
    ) -> Seen | None:
        soft, hard = expiries(started, grant.life, self._lot())
        refused = asked.refresh_refused
        refresh = grant.refresh_token or (None if refused else leased.refresh_token)
        with self._database.write() as connection:
            token = store.FreshToken(
                fence=leased.fence,
                sealed_token=self._sealed(
                    connection, profile_id, "access_token", leased.fence, grant.access_token
                ),
                sealed_refresh=refresh
                and self._sealed(connection, profile_id, "refresh_token", leased.fence, refresh),
                fingerprint=self._vault.fingerprint(grant.access_token),
                soft_expiry=soft,
                hard_expiry=hard,
                secret_version=secret_version,
            )
            if not store.keep_token(connection, profile_id, token, asked.unsent):
                return None
            if asked.with_previous:
                record_fall_back(connection, profile_id, wall())
        return Seen(
            Verdict.USE,
            grant.access_token,
            token.fingerprint,
            soft,
            hard,
            secret_version=secret_version,
        )

    def _sealed(
        self, connection: Connection, profile_id: int, name: str, fence: int, value: str
    ) -> str:
        return self._vault.seal(connection, value, token_place(profile_id, name, fence))

    def _seen(
        self, connection: Connection, profile_id: int, found: store.TokenRow, said: Verdict
    ) -> Seen:
        text, token = found.failure_text or "", ""
        if said in (Verdict.USE, Verdict.USE_STILL):
            token = self._opened(connection, profile_id, found, "access_token") or ""
        return Seen(
            said,
            token,
            found.fingerprint or "",
            found.soft_expiry,
            found.hard_expiry,
            text,
            found.failed_with or "",
            found.next_try_at,
            found.secret_version,
        )

    def _leased(
        self,
        connection: Connection,
        profile_id: int,
        found: store.TokenRow,
        fence: int,
        rejected: str | None,
        now: int,
        secrets: str,
        until: float,
    ) -> Leased:
        still = None
        if found.sealed_token and found.fingerprint != rejected and now < found.hard_expiry:
            seen = self._seen(connection, profile_id, found, Verdict.USE_STILL)
            still = seen if seen.token else None
        refresh = self._opened(connection, profile_id, found, "refresh_token")
        return Leased(fence, found.failures, secrets, refresh, still, until)

    def _opened(
        self, connection: Connection, profile_id: int, found: store.TokenRow, name: str
    ) -> str | None:
        """The token; None if there is none or it doesn't open. Raises CredentialFailure where
        nothing opens: that is no reason to forget what other processes can open.
        """
        sealed = found.sealed_token if name == "access_token" else found.sealed_refresh
        if sealed is None:
            return None
        try:
            place = token_place(profile_id, name, found.sealed_fence)
            return self._vault.open(connection, sealed, place)
        except CredentialFailure as failure:
            if failure.code != "credential.unreadable":
                raise
            return None


def token_place(profile_id: int, name: str, fence: int) -> Place:
    """Where a sealed token belongs."""
    return Place("token_states", profile_id, name, fence)
