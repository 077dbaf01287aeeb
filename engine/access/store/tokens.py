"""The rows of API tokens. Whoever changes one here says so by :func:`changed`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_COLUMNS = (
    "id, name, kind, slot, digest, hint, previous_digest, previous_hint, previous_until,"
    " previous_used_at, created_at, created_by, issued_at, expires_at, last_used_at, ended_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM api_tokens"  # noqa: S608 (nothing of it is from outside)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as the database has it. Instants are wall time; None for what isn't, or never was.
    ``previous_until`` is the end of the overlap in which the secret before is let in too.
    """

    id: int
    name: str
    kind: str
    slot: int | None
    digest: str
    hint: str
    previous_digest: str | None
    previous_hint: str | None
    previous_until: int | None
    previous_used_at: int | None
    created_at: int
    created_by: str
    issued_at: int
    expires_at: int | None
    last_used_at: int | None
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """What is told of a token when it is created."""

    name: str
    kind: str
    slot: int | None
    digest: str
    hint: str
    created_by: str
    expires_at: int | None


def change(connection: Connection) -> int:
    """The number that rises with every change of tokens."""
    found: int | None = connection.exec_driver_sql("SELECT change FROM api_token_changes").scalar()
    return found or 0


def changed(connection: Connection) -> None:
    """Say that tokens have changed, in the transaction that changes them."""
    connection.exec_driver_sql(
        "INSERT INTO api_token_changes (id, change) VALUES (1, 1)"
        " ON CONFLICT (id) DO UPDATE SET change = api_token_changes.change + 1"
    )


def live_tokens(connection: Connection) -> list[StoredToken]:
    """Those that nobody has ended; some may have expired. By name."""
    rows = connection.exec_driver_sql(f"{_SELECT} WHERE ended_at IS NULL ORDER BY name")
    return [StoredToken(*row) for row in rows]


def all_tokens(connection: Connection) -> list[StoredToken]:
    """Those that ended too, as long as they are kept; by name, the older first."""
    rows = connection.exec_driver_sql(f"{_SELECT} ORDER BY name, id")
    return [StoredToken(*row) for row in rows]


def live_token(connection: Connection, name: str) -> StoredToken | None:
    """The token of this name that nobody has ended."""
    rows = connection.exec_driver_sql(f"{_SELECT} WHERE name = ? AND ended_at IS NULL", (name,))
    row = rows.one_or_none()
    return None if row is None else StoredToken(*row)


def taken_slots(connection: Connection) -> set[int]:
    """The slots of live ``user_data`` tokens."""
    rows = connection.exec_driver_sql("SELECT slot FROM api_tokens WHERE slot IS NOT NULL")
    return set(rows.scalars())


def add(connection: Connection, token: NewToken, now: int) -> int:
    """Insert a token; its id, which never stands for another one."""
    row = (
        *(token.name, token.kind, token.slot, token.digest, token.hint),
        *(now, token.created_by, now, token.expires_at),
    )
    (token_id,) = connection.exec_driver_sql(
        "INSERT INTO api_tokens"
        " (name, kind, slot, digest, hint, created_at, created_by, issued_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        row,
    ).one()
    return int(token_id)


def replace_secret(
    connection: Connection,
    token_id: int,
    *,
    digest: str,
    hint: str,
    previous_until: int,
    expires_at: int | None,
    now: int,
) -> None:
    """Give a token another secret; the one before is let in until ``previous_until``."""
    connection.exec_driver_sql(
        "UPDATE api_tokens SET previous_digest = digest, previous_hint = hint,"
        " previous_used_at = last_used_at, previous_until = ?, digest = ?, hint = ?,"
        " issued_at = ?, expires_at = ?, last_used_at = NULL WHERE id = ?",
        (previous_until, digest, hint, now, expires_at, token_id),
    )


def end_previous(connection: Connection, token_id: int, now: int) -> None:
    """End the overlap: the secret before isn't let in any more."""
    connection.exec_driver_sql(
        "UPDATE api_tokens SET previous_until = ? WHERE id = ?", (now, token_id)
    )


def end(connection: Connection, token_id: int, now: int) -> None:
    """End a token: nobody is let in by it, and its name and slot are free."""
    connection.exec_driver_sql(
        "UPDATE api_tokens SET ended_at = ?, slot = NULL WHERE id = ?", (now, token_id)
    )


def end_expired(connection: Connection, now: int) -> int:
    """End the tokens that have expired; how many."""
    ended = connection.exec_driver_sql(
        "UPDATE api_tokens SET ended_at = expires_at, slot = NULL"
        " WHERE ended_at IS NULL AND expires_at <= ?",
        (now,),
    )
    return ended.rowcount


def note_use(connection: Connection, digest: str, at: int) -> None:
    """Say when the secret of this digest was last used, be it a token's present one or the one
    before it by now. No change of tokens.
    """
    for secret, used in (("digest", "last_used_at"), ("previous_digest", "previous_used_at")):
        connection.exec_driver_sql(
            f"UPDATE api_tokens SET {used} = ?"  # noqa: S608
            f" WHERE {secret} = ? AND ({used} IS NULL OR {used} < ?)",
            (at, digest, at),
        )


def forget_ended(connection: Connection, before: int) -> int:
    """Forget the tokens that ended before an instant; how many."""
    gone = connection.exec_driver_sql("DELETE FROM api_tokens WHERE ended_at < ?", (before,))
    return gone.rowcount
