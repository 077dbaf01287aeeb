"""Creating, rotating, revoking and listing API tokens.

Every verb takes the connection of a write transaction, the actor and ``now`` (wall time), and
writes its audit row in that transaction. A token's text is in what the verb gives back, and nowhere
else, ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.access.store import tokens as store
from engine.access.tokens import KINDS, digest, make, masked
from engine.audit.store import record
from engine.errors import Limit, NotFound, OperatorError
from engine.telemetry.redact import known_secrets

if TYPE_CHECKING:
    from engine.access.store.tokens import StoredToken
    from engine.db.connect import Connection

AUDITED = "API token"
MOST_USER_DATA = 5
"""So many tokens of kind ``user_data`` are live at most; the table has no place for more."""

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,99}")
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Issued:
    """A token's new secret: ``text`` is to be shown once. Instants are wall time; None for what
    never ends (``expires_at``), or isn't let in (``previous_until``).
    """

    token_id: int
    name: str
    kind: str
    text: str
    expires_at: int | None
    previous_until: int | None = None


def create(
    connection: Connection,
    name: str,
    kind: str,
    *,
    actor: str,
    now: int,
    expires_at: int | None = None,
) -> Issued:
    """Create a token.

    Raises :class:`~engine.errors.Limit` where five of kind ``user_data`` are live, and
    :class:`~engine.errors.OperatorError` for a name that is taken or none, a kind that is none, and
    an end that has passed.
    """
    if kind not in KINDS:
        raise OperatorError(
            f"there is no kind of token {kind!r}: {', '.join(KINDS)}", code="tokens.kind"
        )
    _require_future(expires_at, now)
    store.end_expired(connection, now)
    _require_free_name(connection, name)
    text = make(kind)
    slot = _free_slot(connection) if kind == "user_data" else None
    new = store.NewToken(name, kind, slot, digest(text), text[-_SHOWN:], actor, expires_at)
    known_secrets.learn((text,))
    token_id = store.add(connection, new, now)
    store.changed(connection)
    record(connection, now, actor, "create", AUDITED, name, (f"kind {kind}",))
    return Issued(token_id, name, kind, text, expires_at)


def rotate(
    connection: Connection,
    name: str,
    *,
    actor: str,
    now: int,
    overlap: int = 0,
    expires_at: int | None = None,
) -> Issued:
    """Give a token another secret. The one before is let in for ``overlap`` microseconds more (not
    beyond its own end); one from before that, not any more. Without ``expires_at`` the new one
    lives as long as the one before was meant to.

    Raises :class:`~engine.errors.NotFound`, and :class:`~engine.errors.OperatorError` for an end
    that has passed.
    """
    stored = _require_live(connection, name, now)
    _require_future(expires_at, now)
    until = now + max(0, overlap)
    if stored.expires_at is not None:
        until = min(until, stored.expires_at)
        expires_at = expires_at or now + stored.expires_at - stored.issued_at
    text = make(stored.kind)
    known_secrets.learn((text,))
    store.replace_secret(
        connection,
        stored.id,
        digest=digest(text),
        hint=text[-_SHOWN:],
        previous_until=until,
        expires_at=expires_at,
        now=now,
    )
    store.changed(connection)
    record(connection, now, actor, "rotate", AUDITED, name, ("secret",))
    return Issued(stored.id, name, stored.kind, text, expires_at, until if overlap > 0 else None)


def revoke(connection: Connection, name: str, *, actor: str, now: int) -> None:
    """End a token, with the secret before in its overlap. Raises NotFound."""
    stored = _require_live(connection, name, now)
    store.end(connection, stored.id, now)
    store.changed(connection)
    record(connection, now, actor, "revoke", AUDITED, name)


def revoke_previous(connection: Connection, name: str, *, actor: str, now: int) -> None:
    """End the overlap after a rotation: the secret before isn't let in any more. Raises NotFound,
    for a token without an overlap too.
    """
    stored = _require_live(connection, name, now)
    if stored.previous_until is None or stored.previous_until <= now:
        raise NotFound(f"API token {name} has no previous secret")
    store.end_previous(connection, stored.id, now)
    store.changed(connection)
    record(connection, now, actor, "revoke", AUDITED, name, ("previous secret",))


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token as lists show it. ``token`` is masked. ``previous``, with when it was last used and
    its end, is the secret before, while it is let in too. Instants are wall time.
    """

    id: int
    name: str
    kind: str
    token: str
    state: Literal["live", "expired", "revoked"]
    created_by: str
    created_at: int
    issued_at: int
    last_used_at: int | None
    expires_at: int | None
    ended_at: int | None
    previous: str | None
    previous_used_at: int | None
    previous_until: int | None


def listed(connection: Connection, now: int, *, ended: bool = False) -> list[ListedToken]:
    """The tokens by name; with ``ended`` those too that nobody is let in by any more."""
    stored = store.all_tokens(connection)
    found = [_listed(each, now) for each in stored]
    return found if ended else [each for each in found if each.state == "live"]


def _listed(stored: StoredToken, now: int) -> ListedToken:
    overlaps = (stored.previous_until or 0) > now and stored.ended_at is None
    return ListedToken(
        id=stored.id,
        name=stored.name,
        kind=stored.kind,
        token=masked(stored.kind, stored.hint),
        state=_state(stored, now),
        created_by=stored.created_by,
        created_at=stored.created_at,
        issued_at=stored.issued_at,
        last_used_at=stored.last_used_at,
        expires_at=stored.expires_at,
        ended_at=stored.ended_at,
        previous=masked(stored.kind, stored.previous_hint or "") if overlaps else None,
        previous_used_at=stored.previous_used_at if overlaps else None,
        previous_until=stored.previous_until if overlaps else None,
    )


def _state(stored: StoredToken, now: int) -> Literal["live", "expired", "revoked"]:
    if stored.ended_at is not None and stored.ended_at != stored.expires_at:
        return "revoked"
    return "expired" if _has_expired(stored, now) else "live"


def _has_expired(stored: StoredToken, now: int) -> bool:
    return stored.expires_at is not None and stored.expires_at <= now


def _require_live(connection: Connection, name: str, now: int) -> StoredToken:
    stored = store.live_token(connection, name)
    if stored is None or _has_expired(stored, now):
        raise NotFound(f"there is no live API token {name}; `journey tokens list` shows them")
    return stored


def _require_free_name(connection: Connection, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise OperatorError(
            "a token's name is letters, digits, '_', '.', '-' (at most 100), a letter or digit"
            " first",
            code="tokens.name",
        )
    if store.live_token(connection, name) is not None:
        raise OperatorError(f"there is an API token {name} already", code="tokens.name")


def _require_future(expires_at: int | None, now: int) -> None:
    if expires_at is not None and expires_at <= now:
        raise OperatorError("a token's end has to lie ahead", code="tokens.expiry")


def _free_slot(connection: Connection) -> int:
    free = set(range(1, MOST_USER_DATA + 1)) - store.taken_slots(connection)
    if not free:
        raise Limit(
            f"{MOST_USER_DATA} API tokens of kind user_data are live, and there can't be more;"
            " revoke one, or rotate it"
        )
    return min(free)
