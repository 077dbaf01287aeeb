"""Erasing a person: whatever the database holds of a user is deleted, in one transaction.

What was counted of him stays, as numbers. The audit log says that somebody was erased: by a hash
keyed with the installation's key, so that who knows the id can find it, and nobody can read it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from engine.audit.store import latest, latest_id, names_after, record
from engine.clock import rest, stopwatch
from engine.core.expressions.assignment import bucket_of
from engine.core.guarded_json import text_of
from engine.db.ids import IdMaker, entropy
from engine.enrollments.buckets import AnotherWorker, acquire
from engine.enrollments.store.ending import count_erased
from engine.enrollments.store.links import TRANSIT
from engine.errors import NotFound
from engine.users.incoming import ERASE, LINK
from engine.users.store import known_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.db.connect import Connection, Database

_OF_PASSAGES = "enrollment IN (SELECT id FROM enrollments WHERE bucket = ? AND user_id = ?)"
_OF_LINKS = "id = ? OR user_id = ?"
HELD: dict[str, str] = {
    "calls": _OF_PASSAGES,
    "executions": _OF_PASSAGES,
    "enrollments": "user_id = ?",
    "date_fires": "user_id = ?",
    "facts": "user_id = ?",
    "inbox": "user_id = ?",
    "refusals": "user_id = ?",
    "users": "id = ?",
    "links": _OF_LINKS,
    "hook_deliveries": "user_id = ?",
}
"""Every table that holds something of a user, and which of his bucket's rows are his (of links
those to him, too, whatever their bucket); in the order in which they are emptied."""

_STILL_TOLD_OF = ("inbox", "hook_deliveries")
"""What may stand under an anonymous user's id in his own bucket once he is known."""
_WISHES = """FROM inbox WHERE kind = ? AND name = ? AND NOT EXISTS
  (SELECT 1 FROM links WHERE links.bucket = inbox.bucket AND links.id = inbox.user_id)"""
"""Rows of the inbox by which an anonymous user is going to be a known one."""
_VERB, _KIND = "erase", "user"
_LOOK_AGAIN_S = 0.05


def erase(connection: Connection, bucket: int, user_id: str, wish: str = "{}") -> dict[str, int]:
    """Delete everything that is held of a user; how many rows that were, by table. What he was as
    an anonymous user goes, too: what is on its way to him, and what still stands under that id. Who
    was about to turn out to be him is to be erased next, as the ``wish`` (JSON) says.

    The caller owns ``bucket``, holds nothing of the user in memory any more, and commits.
    """
    gone = dict.fromkeys(HELD, 0)
    for id_, row in _about_to_be(connection, user_id):
        connection.exec_driver_sql(
            "UPDATE inbox SET kind = ?, name = '', data = ? WHERE bucket = ? AND id = ?",
            (ERASE, wish, bucket_of(id_), row),
        )
        gone["inbox"] += 1
    for id_ in known_from(connection, user_id):
        count_erased(connection, (TRANSIT, id_), bucket)
    count_erased(connection, (bucket, user_id), bucket)
    for table, where, values in _rows(connection, bucket, user_id):
        done = connection.exec_driver_sql(f"DELETE FROM {table} WHERE {where}", values)  # noqa: S608  both from HELD
        gone[table] += done.rowcount
    return gone


def held(connection: Connection, user_id: str) -> dict[str, int]:
    """How many rows are held of a user, by table."""
    found = dict.fromkeys(HELD, 0)
    found["inbox"] = len(_about_to_be(connection, user_id))
    for table, where, values in _rows(connection, bucket_of(user_id), user_id):
        count = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608  both from HELD
        found[table] += connection.exec_driver_sql(count, values).scalar_one()
    return found


def _rows(
    connection: Connection, bucket: int, user_id: str
) -> Iterator[tuple[str, str, tuple[object, ...]]]:
    """Where rows of a user are: table, condition and its values, in the order of deleting. First
    those of the anonymous users he was, on their way to him and in their own buckets.
    """
    for id_ in known_from(connection, user_id):
        for table, where in HELD.items():
            if table != "links":  # his are among his own
                yield table, f"bucket = ? AND {where}", _values(where, TRANSIT, id_)
            if table in _STILL_TOLD_OF:
                yield table, f"bucket = ? AND {where}", _values(where, bucket_of(id_), id_)
    for table, where in HELD.items():
        yield table, f"bucket = ? AND {where}", _values(where, bucket, user_id)


def _values(where: str, bucket: int, user_id: str) -> tuple[object, ...]:
    if where is _OF_PASSAGES:
        return (bucket, bucket, user_id)
    return (bucket, user_id, user_id) if where is _OF_LINKS else (bucket, user_id)


def _about_to_be(connection: Connection, user_id: str) -> list[tuple[str, int]]:
    """The anonymous users who are going to turn out to be this one, and the rows of the inbox that
    say so. It reads all that waits there.
    """
    rows = connection.exec_driver_sql(f"SELECT user_id, id {_WISHES}", (LINK, user_id))
    return [(row[0], row[1]) for row in rows]


def carry_out(connection: Connection, user_id: str, data: str, *, now: int) -> dict[str, int]:
    """Erase a user as the ``data`` of a row of the inbox (kind 3) asks, and tell the audit log: of
    him, and of every anonymous user he was.

    ``now`` is wall time in microseconds UTC. As :func:`erase` for the rest.
    """
    bucket = bucket_of(user_id)
    connection.exec_driver_sql(  # the wish itself is nothing that was known of him
        "DELETE FROM inbox WHERE bucket = ? AND user_id = ? AND kind = ?", (bucket, user_id, ERASE)
    )
    earlier = known_from(connection, user_id)
    gone = erase(connection, bucket, user_id, data)
    actor = str(json.loads(data).get("actor", ""))
    for id_ in earlier:
        record(connection, now, actor, _VERB, _KIND, pseudonym(connection, id_))
    rows = [f"{table} {count}" for table, count in gone.items() if count]
    record(connection, now, actor, _VERB, _KIND, pseudonym(connection, user_id), rows)
    return gone


def pseudonym(connection: Connection, user_id: str) -> str:
    """What the audit log calls a user who was erased."""
    key: str = connection.exec_driver_sql("SELECT key FROM installation").scalar_one()
    return blake2b(user_id.encode(), key=bytes.fromhex(key), digest_size=12).hexdigest()


def erased_since(connection: Connection, told: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those among ``told`` who were erased since: a user's id, and the number of the newest change
    of the audit log before something was told of him.
    """
    asked = set(told)
    if not asked:
        return set()
    gone = names_after(connection, min(after for _, after in asked), _VERB, _KIND)
    if not gone:
        return set()
    return {one for one in asked if gone.get(pseudonym(connection, one[0]), 0) > one[1]}


def erase_user(
    database: Database, user_id: str, *, actor: str, now: int, patience_s: float
) -> dict[str, int] | None:
    """Erase a user, here or by the worker that owns him: how many rows went, by table; None where
    the worker hasn't done it in that time, and does when it comes to it.

    ``now`` is wall time in microseconds UTC. Raises NotFound where nothing is held of him.
    """
    with database.read() as connection:
        if not any(held(connection, user_id).values()):
            raise NotFound(f"nothing is held of {user_id[:60]!r}")
    asked = ask(database, user_id, actor=actor, now=now)
    return wait(database, asked, now=now, patience_s=patience_s)


@dataclass(slots=True, frozen=True)
class Asked:
    """A user who is to be erased; ``after`` is the newest row of the audit log before that."""

    user_id: str
    data: str
    after: int


def ask(database: Database, user_id: str, *, actor: str, now: int) -> Asked:
    """Ask the owner of a user to erase him. ``now`` is wall time in microseconds UTC."""
    bucket, id_, data = bucket_of(user_id), IdMaker(entropy)(now), text_of({"actor": actor})
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO inbox (bucket, id, user_id, kind, name, at, data)"
            " VALUES (?, ?, ?, ?, '', ?, ?)",
            (bucket, id_, user_id, ERASE, now, data),
        )
        return Asked(user_id, data, latest_id(connection))


def wait(database: Database, asked: Asked, *, now: int, patience_s: float) -> dict[str, int] | None:
    """What was deleted, by table, once the user is erased; None: nobody did it in that time.

    The worker that owns him does it. Where nobody works, it is done here.
    """
    until = stopwatch() + patience_s
    while True:
        with suppress(AnotherWorker):
            buckets = acquire(database)
            try:
                done = _done(database, asked)
                return _alone(database, asked, now) if done is None else done
            finally:
                buckets.release()
        done = _done(database, asked)
        if done is not None or stopwatch() >= until:
            return done
        rest(_LOOK_AGAIN_S)


def _alone(database: Database, asked: Asked, now: int) -> dict[str, int]:
    with database.write() as connection:
        next_ones = [id_ for id_, _ in _about_to_be(connection, asked.user_id)]
        gone = carry_out(connection, asked.user_id, asked.data, now=now)
        for id_ in dict.fromkeys(next_ones):
            for table, count in carry_out(connection, id_, asked.data, now=now).items():
                gone[table] += count
        return gone


def _done(database: Database, asked: Asked) -> dict[str, int] | None:
    with database.read() as connection:
        name = pseudonym(connection, asked.user_id)
        fields = latest(connection, asked.after, _VERB, _KIND, name)
    if fields is None:
        return None
    rows = (field.rsplit(" ", 1) for field in fields.split(", ") if field)
    return {table: int(count) for table, count in rows}
