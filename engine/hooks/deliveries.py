"""What came to hooks: their last deliveries, taken or refused, and what became of them.

Of a body nothing is kept but its size and what the mapping made of it: the event's name, its user
and its id. Of a request that wasn't signed nothing is kept that it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.calendar import MINUTE
from engine.users.store import fact_of_message, known_as

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.db.connect import Connection
    from engine.users.store import KnownFact

KEPT = 50
"""So many of each hook that weren't refused, and so many that were: strangers who send nonsense
don't push out what its sender sent."""

Result = Literal["event", "waits", "repeated", "forgotten", "ignored", "refused"]

_FIND = (
    "SELECT hook_id, refused, id, at, size, code, detail, event, message_id, user_id, inbox_id"
    " FROM hook_deliveries WHERE hook_id = ? ORDER BY id DESC"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request that came to the hook ``hook_id`` at ``at`` (microseconds UTC of wall time).

    ``code`` says why it was refused ('' if it wasn't), ``detail`` the same for people; ``size`` are
    its body's bytes. ``event``, ``user_id``, ``message_id`` are of the event that it was mapped to,
    ``inbox_id`` is the row that this became; None where it became none.
    """

    hook_id: int
    refused: bool
    id: int
    at: int
    size: int
    code: str = ""
    detail: str = ""
    event: str | None = None
    message_id: str | None = None
    user_id: str | None = None
    inbox_id: int | None = None


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a delivery: it was ``refused`` or ``ignored`` (not one of a user, or `when`
    says no); its event was received (``event``: ``seq`` among the facts of ``user``), ``waits`` to
    be, counted already when it came (``repeated``: ``seq`` is the first one's), or is
    ``forgotten``.
    """

    delivery: Delivery
    result: Result
    user: str | None = None
    seq: int | None = None


def shut_out_others(connection: Connection) -> None:
    """Nobody else writes or deletes deliveries until the end of the transaction, so that whom it
    found to be there still is when it has added some of his.
    """
    # Nobody else writes to a file meanwhile.
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE hook_deliveries IN SHARE ROW EXCLUSIVE MODE")


def add(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    """Write deliveries, and forget those that are too many of their hooks. What came to a hook that
    is gone is left out.
    """
    there = {row[0] for row in connection.exec_driver_sql("SELECT id FROM hooks")}
    rows = [one for one in deliveries if one.hook_id in there]
    if not rows:
        return
    connection.exec_driver_sql(
        "INSERT INTO hook_deliveries (hook_id, refused, id, at, size, code, detail, event,"
        " message_id, user_id, inbox_id, bucket) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_values(one) for one in rows],
    )
    for hook_id, refused in {(one.hook_id, one.refused) for one in rows}:
        connection.exec_driver_sql(
            "DELETE FROM hook_deliveries WHERE hook_id = ? AND refused = ? AND id <="
            " (SELECT id FROM hook_deliveries WHERE hook_id = ? AND refused = ?"
            " ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (hook_id, refused, hook_id, refused, KEPT),
        )


def _values(one: Delivery) -> tuple[object, ...]:
    told = (one.code, one.detail, one.event, one.message_id, one.user_id, one.inbox_id)
    bucket = None if one.user_id is None else bucket_of(one.user_id)
    return (one.hook_id, one.refused, one.id, one.at, one.size, *told, bucket)


def remove(connection: Connection, hook_id: int) -> None:
    """Forget what came to a hook."""
    connection.exec_driver_sql("DELETE FROM hook_deliveries WHERE hook_id = ?", (hook_id,))


def count_old(connection: Connection, before: int) -> int:
    """How much came before an instant."""
    found: int = connection.exec_driver_sql(
        "SELECT count(*) FROM hook_deliveries WHERE at < ?", (before,)
    ).scalar_one()
    return found


def forget(connection: Connection, before: int) -> None:
    """Forget what came before an instant."""
    connection.exec_driver_sql("DELETE FROM hook_deliveries WHERE at < ?", (before,))


def of_hook(
    connection: Connection, hook_id: int, *, before: int | None = None, most: int = 2 * KEPT
) -> list[Became]:
    """The last deliveries of a hook, the newest first, and what became of each; those before the
    one with the id ``before``.
    """
    found = [
        Delivery(row[0], bool(row[1]), *row[2:])
        for row in connection.exec_driver_sql(_FIND, (hook_id,))
    ]
    firsts = {(one.user_id, one.message_id): one.id for one in found}  # the oldest is the last
    page = [one for one in found if before is None or one.id < before][:most]
    return [_became(connection, one, firsts) for one in page]


def _became(
    connection: Connection, one: Delivery, firsts: dict[tuple[str | None, str | None], int]
) -> Became:
    if one.refused or one.user_id is None:
        return Became(one, "refused" if one.refused else "ignored")
    again = one.message_id is not None and firsts[one.user_id, one.message_id] != one.id
    user, fact = _received(connection, one.user_id, one.message_id)
    if fact is not None and fact.seq is not None:
        # The receiver's clock may be behind ours: only what is a minute earlier is earlier.
        again = again or fact.seq < one.at - MINUTE
        return Became(one, "repeated" if again else "event", user, fact.seq)
    if _waits(connection, one):
        return Became(one, "repeated" if again else "waits", user)
    return Became(one, "forgotten", user)


def _received(
    connection: Connection, user: str, message_id: str | None
) -> tuple[str, KnownFact | None]:
    """The fact of a message, and whose it is: an anonymous user's may be the known one's."""
    if message_id is None:
        return user, None
    known = known_as(connection, user)
    fact = None if known is None else fact_of_message(connection, known, message_id)
    if known is not None and fact is not None:
        return known, fact
    return user, fact_of_message(connection, user, message_id)


def _waits(connection: Connection, one: Delivery) -> bool:
    found: Iterable[object] = connection.exec_driver_sql(
        "SELECT 1 FROM inbox WHERE bucket = ? AND id = ?",
        (bucket_of(one.user_id or ""), one.inbox_id),
    )
    return any(True for _ in found)
