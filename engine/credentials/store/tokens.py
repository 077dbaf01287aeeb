"""The shared state of access tokens: one row per profile, changed under a lease and a fence.

The lease says who may ask the token server, by the database's own clock. The fence rises with every
lease and every edit of the profile, and every later write names the fence it was begun under, so
that a late answer never overwrites a newer token or secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.db.statements import execute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class TokenRow:
    """The row as it stands. ``leased`` is the database's word on whether somebody asks just now."""

    profile_version: int = 0
    fence: int = 0
    leased: bool = False
    sealed_token: str | None = None
    sealed_refresh: str | None = None
    sealed_fence: int = 0
    fingerprint: str | None = None
    soft_expiry: int = 0
    hard_expiry: int = 0
    failures: int = 0
    failure_text: str | None = None
    failed_with: str | None = None
    next_try_at: int = 0
    forced_count: int = 0
    next_forced_at: int = 0
    secret_version: int = 0
    failed_at: int = 0


@dataclass(frozen=True, slots=True)
class FreshToken:
    """A token as it is stored: sealed under ``fence``, with its life in journey time, got with the
    secret of ``secret_version``.
    """

    fence: int
    sealed_token: str
    sealed_refresh: str | None
    fingerprint: str
    soft_expiry: int
    hard_expiry: int
    secret_version: int


@dataclass(frozen=True, slots=True)
class Renewable:
    """A profile whose token it is time to renew, at its present version."""

    profile_id: int
    version: int
    name: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A failed request: how many in a row, what to say, when it was and when to ask again.

    ``failed_with`` is the keyed fingerprint of the secrets it was made with.
    """

    failures: int
    code: str
    text: str
    failed_with: str
    failed_at: int
    next_try_at: int


def token_row(connection: Connection, profile_id: int) -> TokenRow:
    """The profile's row; an empty one where no token was ever asked for."""
    row = execute(connection, "token_row", (profile_id,)).one_or_none()
    return TokenRow() if row is None else TokenRow(row[0], row[1], bool(row[2]), *row[3:])


def profile_version(connection: Connection, profile_id: int) -> int | None:
    """The version of the profile itself; None if it was deleted."""
    found: int | None = connection.exec_driver_sql(
        "SELECT version FROM auth_profiles WHERE id = ?", (profile_id,)
    ).scalar()
    return found


def take_lease(
    connection: Connection, profile_id: int, *, version: int, seen: int, owner: str, lease_us: int
) -> int | None:
    """The new fence if the lease was free and the fence is still ``seen``; else None.

    Counts one request: a crash between here and the wire counts one too many, never one too few.
    """
    connection.exec_driver_sql(
        "INSERT INTO token_states (profile_id, profile_version, fence, lease_until, sealed_fence,"
        " soft_expiry, hard_expiry, failures, next_try_at, forced_count, next_forced_at, requests)"
        " VALUES (?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING",
        (profile_id, version),
    )
    values = (owner, version, lease_us, profile_id, seen, version)
    taken = execute(connection, "take_token_lease", values)
    return seen + 1 if taken.rowcount == 1 else None


def drop_token(
    connection: Connection, profile_id: int, fence: int, *, count: int, next_forced_at: int
) -> None:
    """The API refused the token: nobody may use it, and the next forced renewal has its time."""
    connection.exec_driver_sql(
        "UPDATE token_states SET sealed_token = NULL, fingerprint = NULL, forced_count = ?,"
        " next_forced_at = ? WHERE profile_id = ? AND fence = ?",
        (count, next_forced_at, profile_id, fence),
    )


def keep_token(connection: Connection, profile_id: int, token: FreshToken, unsent: int) -> bool:
    """Store a token and give the lease back; False where the fence has moved on.

    ``unsent`` is how many of the counted requests never reached the wire.
    """
    kept = connection.exec_driver_sql(
        "UPDATE token_states SET sealed_token = ?, sealed_refresh = ?, sealed_fence = ?,"
        " fingerprint = ?, soft_expiry = ?, hard_expiry = ?, failures = 0, failure = NULL,"
        " failure_text = NULL, failed_with = NULL, next_try_at = 0, lease_owner = NULL,"
        " lease_until = 0, requests = requests - ?, secret_version = ?"
        " WHERE profile_id = ? AND fence = ?",
        (
            token.sealed_token,
            token.sealed_refresh,
            token.fence,
            token.fingerprint,
            token.soft_expiry,
            token.hard_expiry,
            unsent,
            token.secret_version,
            profile_id,
            token.fence,
        ),
    )
    return kept.rowcount == 1


def keep_refusal(
    connection: Connection, profile_id: int, fence: int, refusal: Refusal, unsent: int
) -> bool:
    """Store a failure and give the lease back; False where the fence has moved on."""
    kept = connection.exec_driver_sql(
        "UPDATE token_states SET failures = ?, failure = ?, failure_text = ?, failed_with = ?,"
        " failed_at = ?, next_try_at = ?,"
        " lease_owner = NULL, lease_until = 0, requests = requests - ?"
        " WHERE profile_id = ? AND fence = ?",
        (
            refusal.failures,
            refusal.code,
            refusal.text,
            refusal.failed_with,
            refusal.failed_at,
            refusal.next_try_at,
            unsent,
            profile_id,
            fence,
        ),
    )
    return kept.rowcount == 1


def ask_again(
    connection: Connection, profile_id: int, fence: int, *, lease_us: int, forget_refresh: bool
) -> bool:
    """Count one more request under this fence, with a lease that begins anew; False where the fence
    has moved on. A refresh token that the server refused is forgotten.
    """
    values = (lease_us, forget_refresh, profile_id, fence)
    asking = execute(connection, "extend_token_lease", values)
    return asking.rowcount == 1


def release_lease(connection: Connection, profile_id: int, fence: int) -> None:
    """Give the lease back without having stored an answer."""
    connection.exec_driver_sql(
        "UPDATE token_states SET lease_owner = NULL, lease_until = 0"
        " WHERE profile_id = ? AND fence = ?",
        (profile_id, fence),
    )


def forget_token(connection: Connection, profile_id: int, version: int) -> None:
    """The profile was edited: its token, back-off and lease are void, an answer on its way too."""
    connection.exec_driver_sql(
        "UPDATE token_states SET profile_version = ?, fence = fence + 1, lease_owner = NULL,"
        " lease_until = 0, sealed_token = NULL, sealed_refresh = NULL, fingerprint = NULL,"
        " soft_expiry = 0, hard_expiry = 0, failures = 0, failure = NULL, failure_text = NULL,"
        " failed_with = NULL, next_try_at = 0, forced_count = 0, next_forced_at = 0"
        " WHERE profile_id = ?",
        (version, profile_id),
    )


def carry_token(connection: Connection, profile_id: int, version: int) -> None:
    """The profile changed in nothing that its token comes from: the token stays good."""
    connection.exec_driver_sql(
        "UPDATE token_states SET secret_version = CASE WHEN secret_version = profile_version"
        " THEN ? ELSE secret_version END, profile_version = ?, next_try_at = 0, failures = 0,"
        " failure = NULL, failure_text = NULL WHERE profile_id = ?",
        (version, version, profile_id),
    )


def token_requests(connection: Connection) -> Mapping[str, int]:
    """How many requests went to the token server of each profile that has one, by name."""
    rows = connection.exec_driver_sql(
        "SELECT p.name, t.requests FROM token_states t JOIN auth_profiles p ON p.id = t.profile_id"
        " ORDER BY p.name"
    )
    return {row[0]: row[1] for row in rows}


def discard_token(connection: Connection, profile_id: int, sealed: str | None) -> None:
    """The token in ``sealed`` doesn't open: forget it, so that the next one asks anew."""
    connection.exec_driver_sql(
        "UPDATE token_states SET sealed_token = NULL, sealed_refresh = NULL, fingerprint = NULL"
        " WHERE profile_id = ? AND sealed_token = ?",
        (profile_id, sealed),
    )


_WIDEST_MARGIN = 40_000_000
"""What lies between soft and hard expiry of a token that lives five minutes or longer."""


def tokens_to_renew(connection: Connection, now: int) -> list[Renewable]:
    """Profiles of endpoints that active journeys name, whose token is past its soft expiry. Only of
    tokens that live five minutes or longer: others would be asked for again and again for nobody.
    """
    rows = connection.exec_driver_sql(
        "SELECT p.id, p.version, p.name FROM token_states AS t"
        " JOIN auth_profiles AS p ON p.id = t.profile_id AND p.version = t.profile_version"
        " WHERE t.sealed_token IS NOT NULL AND t.soft_expiry <= ? AND t.next_try_at <= ?"
        " AND t.hard_expiry - t.soft_expiry >= ? AND EXISTS ("
        "SELECT 1 FROM endpoints AS e JOIN version_endpoints AS u ON u.endpoint = e.name"
        " JOIN versions AS v ON v.id = u.version_id JOIN journeys AS j ON j.journey = v.journey"
        " WHERE e.profile_id = p.id AND j.state = 'active') ORDER BY p.name",
        (now, now, _WIDEST_MARGIN),
    )
    return [Renewable(*row) for row in rows]
