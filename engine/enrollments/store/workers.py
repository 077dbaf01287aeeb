"""The rows of workers and of the buckets they own. Instants are the database's own clock.

One rule keeps users with one worker: a bucket goes from one owner to another only by the first
one's own commit (:func:`give`), or after the first one's epoch was raised (:func:`bury`), from when
on none of its commits passes the fence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.db.statements import execute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.db.connect import Connection

BUCKETS = 256


def one_at_a_time(connection: Connection) -> None:
    """Who joins, takes over or takes all does so alone until the end of the transaction."""
    connection.exec_driver_sql("LOCK TABLE buckets IN SHARE ROW EXCLUSIVE MODE")


def join(connection: Connection, worker: str, name: str, lease_us: int) -> None:
    """Write down a worker that begins, and make the buckets where there are none yet."""
    connection.exec_driver_sql(
        "INSERT INTO buckets (bucket) SELECT generate_series(0, ?) ON CONFLICT DO NOTHING",
        (BUCKETS - 1,),
    )
    execute(connection, "add_worker", (worker, lease_us, name))


def renew(connection: Connection, worker: str, epoch: int, lease_us: int) -> bool:
    """Let the lease begin anew; False where the epoch was raised."""
    return execute(connection, "renew_worker", (lease_us, worker, epoch)).rowcount == 1


def bury(connection: Connection, lease_us: int) -> list[str]:
    """Take everything from workers whose lease is over; their ids. Those that another worker is
    burying just now are left to it.
    """
    dead = [row[0] for row in execute(connection, "bury_workers")]
    for worker in dead:
        connection.exec_driver_sql("UPDATE buckets SET owner = NULL WHERE owner = ?", (worker,))
    execute(connection, "forget_workers", (24 * 120 * lease_us,))
    return dead


def live(connection: Connection) -> list[tuple[str, str]]:
    """Workers whose lease lasts: id and name, by id."""
    return [(row[0], row[1]) for row in execute(connection, "live_workers")]


def owned(connection: Connection, worker: str) -> list[int]:
    """The buckets of a worker, in order."""
    rows = connection.exec_driver_sql(
        "SELECT bucket FROM buckets WHERE owner = ? ORDER BY bucket", (worker,)
    )
    return [row[0] for row in rows]


def claim(connection: Connection, worker: str, most: int) -> list[int]:
    """Up to ``most`` buckets that nobody owns, now the worker's."""
    return sorted(row[0] for row in execute(connection, "claim_buckets", (worker, most)))


def give(connection: Connection, worker: str, buckets: Iterable[int]) -> None:
    """Let go of buckets; whoever has too few takes them."""
    connection.exec_driver_sql(
        "UPDATE buckets SET owner = NULL WHERE bucket = ? AND owner = ?",
        [(bucket, worker) for bucket in buckets],
    )


def leave(connection: Connection, worker: str, epoch: int) -> None:
    """The worker ends: its buckets are anybody's."""
    if connection.exec_driver_sql(
        "DELETE FROM workers WHERE id = ? AND epoch = ?", (worker, epoch)
    ).rowcount:
        connection.exec_driver_sql("UPDATE buckets SET owner = NULL WHERE owner = ?", (worker,))


def fence(connection: Connection, worker: str, epoch: int) -> int | None:
    """Count one commit of the worker, and hold its row until then: who takes over waits for it.
    None where the epoch was raised. A worker that stands still in between is cut off.
    """
    found: int | None = execute(connection, "fence_worker", (worker, epoch)).scalar()
    return found


def commits(connection: Connection, worker: str, epoch: int) -> int | None:
    """How many commits of the worker were made; None where the epoch was raised."""
    found: int | None = connection.exec_driver_sql(
        "SELECT commits FROM workers WHERE id = ? AND epoch = ?", (worker, epoch)
    ).scalar()
    return found
