"""The rows of workers and of the buckets they own, on PostgreSQL.

Lease instants are the database's own clock. One rule keeps each user with one worker: a bucket goes
from one owner to another only by the first one's own doing (:func:`give`), or after the first one's
epoch was raised (:func:`bury`), from when on none of its commits passes the fence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.db.connect import Connection

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_CUT_OFF = "set_config('idle_in_transaction_session_timeout', ?, true)"
"""A process that stands still in the middle of a transaction is cut off, and its locks are free,
well before its lease is over."""
_DAY_US = 86_400_000_000


@cache
def _sql(text: str) -> str:
    return text.replace("$NOW", _NOW).replace("$CUT_OFF", _CUT_OFF)


@dataclass(frozen=True, slots=True)
class Live:
    """A worker whose lease lasts, for so many seconds more."""

    id: str
    name: str
    alone: bool
    left_s: int


def _half_in_ms(lease_us: int) -> str:
    return str(lease_us // 2_000)


def one_at_a_time(connection: Connection, lease_us: int) -> None:
    """Whoever changes who owns what does so alone until the end of the transaction."""
    connection.exec_driver_sql(_sql("SELECT $CUT_OFF"), (_half_in_ms(lease_us),))
    connection.exec_driver_sql("LOCK TABLE buckets IN SHARE ROW EXCLUSIVE MODE")


def join(
    connection: Connection, worker: str, name: str, lease_us: int, *, alone: bool = False
) -> None:
    """Write down a worker that begins, and the buckets where there are none yet."""
    connection.exec_driver_sql(
        "INSERT INTO buckets (bucket) SELECT generate_series(0, ?) ON CONFLICT DO NOTHING",
        (BUCKETS - 1,),
    )
    connection.exec_driver_sql(
        _sql(
            "INSERT INTO workers (id, epoch, lease_until, commits, name, alone, started_at)"
            " VALUES (?, 1, $NOW + ?, 0, ?, ?, $NOW)"
        ),
        (worker, lease_us, name, alone),
    )


def renew(connection: Connection, worker: str, epoch: int, lease_us: int) -> bool:
    """Let the lease begin anew; False where the epoch was raised."""
    renewed = connection.exec_driver_sql(
        _sql(
            "UPDATE workers SET lease_until = $NOW + ? WHERE id = ? AND epoch = ?"
            " RETURNING $CUT_OFF"
        ),
        (lease_us, worker, epoch, _half_in_ms(lease_us)),
    )
    return renewed.rowcount == 1


def bury(connection: Connection) -> None:
    """Take their buckets from workers whose lease is over, their epochs raised first.

    One that is committing at this very moment is left for the next time.
    """
    buried = connection.exec_driver_sql(
        _sql(
            "UPDATE workers SET epoch = epoch + 1 WHERE id IN ("
            " SELECT id FROM workers AS w WHERE lease_until <= $NOW"
            " AND EXISTS (SELECT 1 FROM buckets WHERE owner = w.id) FOR UPDATE SKIP LOCKED)"
            " RETURNING id"
        )
    )
    for (worker,) in buried.all():
        connection.exec_driver_sql("UPDATE buckets SET owner = NULL WHERE owner = ?", (worker,))
    connection.exec_driver_sql(
        _sql(
            "DELETE FROM workers AS w WHERE lease_until < $NOW - ?"
            " AND NOT EXISTS (SELECT 1 FROM buckets WHERE owner = w.id)"
        ),
        (_DAY_US,),
    )


def are_known(connection: Connection) -> bool:
    """Whether the database is of a version that writes workers down."""
    return bool(connection.exec_driver_sql("SELECT to_regclass('workers') IS NOT NULL").scalar())


def live(connection: Connection) -> list[Live]:
    """The workers whose lease lasts, the oldest first."""
    rows = connection.exec_driver_sql(
        _sql(
            "SELECT id, name, alone, (lease_until - $NOW) / 1000000 + 1 FROM workers"
            " WHERE lease_until > $NOW ORDER BY started_at, id"
        )
    )
    return [Live(*row) for row in rows]


def shares(connection: Connection) -> list[tuple[str, int]]:
    """How many buckets each worker has whose lease lasts, by name, the oldest first."""
    rows = connection.exec_driver_sql(
        _sql(
            "SELECT name, (SELECT count(*) FROM buckets WHERE owner = w.id) FROM workers AS w"
            " WHERE lease_until > $NOW ORDER BY started_at, id"
        )
    )
    return [(row[0], row[1]) for row in rows]


def owned(connection: Connection, worker: str) -> list[int]:
    """The buckets of a worker, in order."""
    rows = connection.exec_driver_sql(
        "SELECT bucket FROM buckets WHERE owner = ? ORDER BY bucket", (worker,)
    )
    return [row[0] for row in rows]


def claim(connection: Connection, worker: str, most: int) -> None:
    """Take up to ``most`` buckets that nobody owns."""
    connection.exec_driver_sql(
        "UPDATE buckets SET owner = ? WHERE bucket IN ("
        " SELECT bucket FROM buckets WHERE owner IS NULL ORDER BY bucket LIMIT ?)",
        (worker, most),
    )


def give(connection: Connection, worker: str, buckets: Collection[int]) -> None:
    """Let go of buckets: whoever has too few takes them."""
    connection.exec_driver_sql(
        "UPDATE buckets SET owner = NULL WHERE bucket = ? AND owner = ?",
        [(bucket, worker) for bucket in buckets],
    )


def leave(connection: Connection, worker: str, epoch: int) -> None:
    """The worker ends: what it still owns is free."""
    gone = connection.exec_driver_sql(
        "DELETE FROM workers WHERE id = ? AND epoch = ?", (worker, epoch)
    )
    if gone.rowcount:
        connection.exec_driver_sql("UPDATE buckets SET owner = NULL WHERE owner = ?", (worker,))


def fence(connection: Connection, worker: str, epoch: int, lease_us: int) -> int | None:
    """Count a commit of the worker, and hold its row until then: nobody takes over in between.
    None where the epoch was raised.
    """
    found = connection.exec_driver_sql(
        _sql(
            "UPDATE workers SET commits = commits + 1 WHERE id = ? AND epoch = ?"
            " RETURNING commits, $CUT_OFF"
        ),
        (worker, epoch, _half_in_ms(lease_us)),
    ).one_or_none()
    return None if found is None else found[0]


def commits(connection: Connection, worker: str, epoch: int) -> int | None:
    """How many commits of the worker were made; None where the epoch was raised."""
    found: int | None = connection.exec_driver_sql(
        "SELECT commits FROM workers WHERE id = ? AND epoch = ?", (worker, epoch)
    ).scalar()
    return found
