"""The SQL of links: what was an anonymous user's becomes a known one's.

Two workers may own the two, so it goes by hand: the owner of the anonymous user puts everything of
his into a bucket that nobody owns (:func:`depart`), and tells the owner of the known one by the
inbox, who takes it from there (:func:`arrive`). Both happen once a person, so all of it is portable
SQL and none of it is a named statement.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.db.statements import execute
from engine.enrollments.store.ending import end_twins
from engine.enrollments.store.holding import HELD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.db.connect import Connection
    from engine.enrollments.pending import Lane
    from engine.enrollments.store.ending import Awaiting, Person

TRANSIT = -1
"""The bucket of what is on its way. No worker owns it."""

_OF_PASSAGES = "enrollment IN (SELECT id FROM enrollments WHERE bucket = ? AND user_id = ?)"
_FREED = "CASE WHEN {0} = ? THEN ? WHEN {0} > ? THEN {0} - ? ELSE {0} END"
_BY_USER = {
    "refusals": ("seq", "run_id", "version_id", "trigger", "reason", "at", "seen"),
    "date_fires": ("journey", "trigger", "value", "due_at", "done_at"),
}
_IF_BOTH = {
    "refusals": "NOTHING",
    "date_fires": "UPDATE SET done_at = coalesce(date_fires.done_at, excluded.done_at)",
}
_KEYS = {
    "refusals": "bucket, user_id, seq, run_id, version_id, trigger",
    "date_fires": "bucket, user_id, journey, trigger, value",
}


def links_of(connection: Connection, wanted: Iterable[Person]) -> dict[str, str]:
    """Whom those of a set of anonymous users are linked to, by their ids."""
    rows = execute(connection, "load_links", (json.dumps(list(wanted)),))
    return {row[0]: row[1] for row in rows}


def depart(connection: Connection, anonymous: Person, known: str, now: int) -> bool:
    """Link an anonymous user, whose bucket the caller owns, and put what is stored of him into
    transit; whether that was anything. The caller holds nothing of him in memory any more.
    """
    connection.exec_driver_sql(
        "INSERT INTO links (bucket, id, user_id, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (bucket, id) DO NOTHING",
        (*anonymous, known, now),
    )
    bucket = anonymous[0]
    moved = [
        _run(
            connection,
            "UPDATE calls SET bucket = ?, next_try_at = CASE WHEN next_try_at < ?"  # noqa: S608
            f" THEN next_try_at + ? ELSE next_try_at END WHERE bucket = ? AND {_OF_PASSAGES}",
            (TRANSIT, HELD, HELD, bucket, *anonymous),
        ),
        _run(
            connection,
            f"UPDATE executions SET bucket = ? WHERE bucket = ? AND {_OF_PASSAGES}",  # noqa: S608
            (TRANSIT, bucket, *anonymous),
        ),
    ]
    for table, column in (
        ("enrollments", "user_id"),
        ("facts", "user_id"),
        ("refusals", "user_id"),
        ("date_fires", "user_id"),
        ("users", "id"),
    ):
        moved.append(
            _run(
                connection,
                f"UPDATE {table} SET bucket = ? WHERE bucket = ? AND {column} = ?",  # noqa: S608
                (TRANSIT, *anonymous),
            )
        )
    return any(moved)


@dataclass(slots=True, frozen=True)
class InTransit:
    """What of an anonymous user on his way is to be known before it is there: his ``attributes``
    (his zone among them), when he was contacted, when his first passage is due (None: none is), his
    calls that are to be made, with when, and the versions that his passages are in.
    """

    attributes: dict[str, object]
    contacts: list[int]
    wake_at: int | None
    calls: list[tuple[Lane, int]]
    versions: list[int]


def in_transit(connection: Connection, anonymous: str, now: int) -> InTransit:
    """What is on its way of an anonymous user."""
    place = (TRANSIT, anonymous)
    user = connection.exec_driver_sql(
        "SELECT timezone, attributes, contacts FROM users WHERE bucket = ? AND id = ?", place
    ).first()
    attributes: dict[str, object] = {}
    contacts: list[int] = []
    if user is not None:
        attributes = json.loads(user[1])
        if user[0] is not None:
            attributes["timezone"] = user[0]
        contacts = json.loads(user[2]) if user[2] else []
    passages = connection.exec_driver_sql(
        "SELECT version_id, wake_at FROM enrollments WHERE bucket = ? AND user_id = ?", place
    ).fetchall()
    calls = connection.exec_driver_sql(
        f"SELECT endpoint, journey, next_try_at FROM calls WHERE bucket = ? AND {_OF_PASSAGES}"  # noqa: S608
        " AND next_try_at IS NOT NULL",
        (TRANSIT, *place),
    )
    wakes = [_freed(row[1], now) for row in passages if row[1] is not None]
    return InTransit(
        attributes,
        contacts,
        min(wakes, default=None),
        [((row[0], row[1]), _freed(row[2], now)) for row in calls],
        sorted({row[0] for row in passages}),
    )


def facts_since(connection: Connection, known: Person, at: int) -> list[int]:
    """Where a user's facts are whose own time is ``at`` or later: the newest thousand."""
    rows = connection.exec_driver_sql(
        "SELECT seq FROM facts WHERE bucket = ? AND user_id = ? AND at >= ?"
        " ORDER BY seq DESC LIMIT 1000",
        (*known, at),
    )
    return [row[0] for row in rows]


@dataclass(slots=True, frozen=True)
class Arrived:
    """What became a known user's: the ``passages`` that facts may still move, and which of them
    waited for one that ended as merged, each with the passage of his that this was merged into.
    """

    passages: list[int]
    awaiting: Awaiting


def arrive(connection: Connection, anonymous: str, known: Person, now: int) -> Arrived:
    """Make what is in transit of an anonymous user the known user's, whose bucket the caller owns.

    A passage of a journey and key that he is on himself ends as merged. Facts keep their
    places, and one whose message he was told of himself is dropped. What a pause held is due, so
    that one that still stands holds it again.
    """
    merged = end_twins(connection, (TRANSIT, anonymous), known, now)
    _make_places(connection, anonymous, known)
    place = (TRANSIT, anonymous)
    moving = connection.exec_driver_sql(
        "SELECT id FROM enrollments WHERE bucket = ? AND user_id = ?"
        " AND (slot = 0 OR goals_until IS NOT NULL) ORDER BY id",
        place,
    ).fetchall()
    free = (HELD, now, HELD, HELD)
    _run(
        connection,
        f"UPDATE calls SET bucket = ?, next_try_at = {_FREED.format('next_try_at')}"  # noqa: S608
        f" WHERE bucket = ? AND {_OF_PASSAGES}",
        (known[0], *free, TRANSIT, *place),
    )
    _run(
        connection,
        f"UPDATE executions SET bucket = ? WHERE bucket = ? AND {_OF_PASSAGES}",  # noqa: S608
        (known[0], TRANSIT, *place),
    )
    _run(
        connection,
        "UPDATE enrollments SET bucket = ?, user_id = ?,"  # noqa: S608
        f" wake_at = {_FREED.format('wake_at')} WHERE bucket = ? AND user_id = ?",
        (*known, *free, *place),
    )
    _run(
        connection,
        "UPDATE facts SET bucket = ?, user_id = ? WHERE bucket = ? AND user_id = ?",
        (*known, *place),
    )
    _add_to_his(connection, anonymous, known)
    _run(connection, "DELETE FROM users WHERE bucket = ? AND id = ?", place)
    passages = [row[0] for row in moving]
    return Arrived(passages, [one for one in merged if one[0] in passages])


def _add_to_his(connection: Connection, anonymous: str, known: Person) -> None:
    """What both may have a row of: his stays, and who was let in by a date was let in by it."""
    place = (TRANSIT, anonymous)
    for table, columns in _BY_USER.items():
        names = ", ".join(columns)
        _run(
            connection,
            f"INSERT INTO {table} (bucket, user_id, {names}) SELECT ?, ?, {names}"  # noqa: S608
            f" FROM {table} WHERE bucket = ? AND user_id = ?"
            f" ON CONFLICT ({_KEYS[table]}) DO {_IF_BOTH[table]}",
            (*known, *place),
        )
        _run(
            connection,
            f"DELETE FROM {table} WHERE bucket = ? AND user_id = ?",  # noqa: S608
            place,
        )


def _make_places(connection: Connection, anonymous: str, known: Person) -> None:
    """Drop the facts in transit whose message the known user has, and give those a place of their
    own that came at the very microsecond of one of his.
    """
    _run(
        connection,
        "DELETE FROM facts WHERE bucket = ? AND user_id = ? AND message_id IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM facts AS k WHERE k.bucket = ? AND k.user_id = ?"
        " AND k.message_id = facts.message_id)",
        (TRANSIT, anonymous, *known),
    )
    mine = _seqs(connection, (TRANSIT, anonymous), 0)
    taken = set(_seqs(connection, known, mine[0])) if mine else set()
    if taken.isdisjoint(mine):
        return
    moves: list[tuple[int, int, str, int]] = []
    last = 0
    for seq in mine:
        place = max(seq, last + 1)
        while place in taken:
            place += 1
        last = place
        if place != seq:
            moves.append((place, TRANSIT, anonymous, seq))
    for move in reversed(moves):  # from the end, so that no place is taken while it is needed
        _run(
            connection,
            "UPDATE facts SET seq = ? WHERE bucket = ? AND user_id = ? AND seq = ?",
            move,
        )


def _seqs(connection: Connection, person: Person, since: int) -> list[int]:
    rows = connection.exec_driver_sql(
        "SELECT seq FROM facts WHERE bucket = ? AND user_id = ? AND seq >= ? ORDER BY seq",
        (*person, since),
    )
    return [row[0] for row in rows]


def _freed(at: int, now: int) -> int:
    if at == HELD:
        return now
    return at - HELD if at > HELD else at


def _run(connection: Connection, statement: str, values: tuple[object, ...]) -> int:
    return connection.exec_driver_sql(statement, values).rowcount
