"""The SQL of users: what is told of them, and what is known of one.

Reading is for people and looks at one user, or at a page of them; the loops have statements of
their own. Facts have the kinds of :mod:`engine.users.incoming`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.core.expressions.assignment import bucket_of
from engine.db.statements import write_rows
from engine.users.incoming import CHANGE, EVENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from engine.users.incoming import InboxRow

_PAGE = 1_000
_EVER = -(2**63)
_LAST = (2**63 - 1, 2, 0)


def append(connection: Connection, rows: Sequence[InboxRow]) -> None:
    """Append rows to the inbox: in the order of its key, which fills its pages one by one."""
    write_rows(connection, "insert_inbox", sorted(rows))


@dataclass(slots=True, frozen=True)
class KnownUser:
    """A user as he stands now."""

    id: str
    timezone: str | None
    attributes: Mapping[str, object]


def find_user(connection: Connection, user: str) -> KnownUser | None:
    """The user of that id, None if there is none."""
    row = connection.exec_driver_sql(
        "SELECT id, timezone, attributes FROM users WHERE bucket = ? AND id = ?",
        (bucket_of(user), user),
    ).one_or_none()
    return None if row is None else KnownUser(row[0], row[1], json.loads(row[2]))


def known_as(connection: Connection, user: str) -> str | None:
    """The known user that an anonymous one turned out to be; None for every other user."""
    found: str | None = connection.exec_driver_sql(
        "SELECT user_id FROM links WHERE bucket = ? AND id = ?", (bucket_of(user), user)
    ).scalar()
    return found


def known_from(connection: Connection, user: str) -> list[str]:
    """The anonymous users who turned out to be this one, the first first."""
    rows = connection.exec_driver_sql(
        "SELECT id FROM links WHERE user_id = ? ORDER BY at, id", (user,)
    )
    return [row[0] for row in rows]


def every_user(connection: Connection, after: str | None = None) -> Iterator[KnownUser]:
    """All users, by bucket and id, read in pages; those behind the user ``after``."""
    bucket, last = (-1, "") if after is None else (bucket_of(after), after)
    while True:
        rows = connection.exec_driver_sql(
            "SELECT bucket, id, timezone, attributes FROM users WHERE (bucket, id) > (?, ?)"
            " ORDER BY bucket, id LIMIT ?",
            (bucket, last, _PAGE),
        ).fetchall()
        for _, id_, timezone, attributes in rows:
            yield KnownUser(id_, timezone, json.loads(attributes))
        if len(rows) < _PAGE:
            return
        bucket, last = rows[-1][:2]


@dataclass(slots=True, frozen=True)
class KnownFact:
    """An event ``name``, or (None) a change of attributes. Instants are microseconds UTC.

    ``seq`` is its place among the user's facts, and when it was received; None: it waits in the
    inbox, in the row ``waits``. ``data`` are an event's properties; of a change
    {attribute: [before, after]} once it was received, and {attribute: value} until then.
    """

    seq: int | None
    name: str | None
    at: int
    message_id: str | None
    data: Mapping[str, object]
    depth: int = 0
    waits: int | None = None

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands among the user's facts in the order of their own time."""
        return self.at, int(self.seq is None), (self.seq or 0) if self.waits is None else self.waits


def facts_of(
    connection: Connection,
    user: str,
    *,
    event: str | None = None,
    since: int | None = None,
    before: tuple[int, int, int] | None = None,
    most: int = 100,
) -> list[KnownFact]:
    """The newest facts of a user, at most so many: in the order of their own time; those of the
    inbox among them. ``event`` and ``since`` narrow them down, and ``before``, the
    :attr:`KnownFact.place` of one, to those that stand before it.
    """
    place = (
        bucket_of(user),
        user,
        _EVER if since is None else since,
        EVENT,
        EVENT if event is not None else CHANGE,
        event,
        *(before or _LAST),
        most,
    )
    received = connection.exec_driver_sql(
        "SELECT seq, kind, name, at, message_id, data, depth FROM facts"
        " WHERE bucket = ? AND user_id = ? AND at >= ? AND kind IN (?, ?)"
        " AND name = coalesce(?, name) AND (at, 0, seq) < (?, ?, ?)"
        " ORDER BY at DESC, seq DESC LIMIT ?",
        place,
    )
    waiting = connection.exec_driver_sql(
        "SELECT NULL, kind, name, at, message_id, data, 0, id FROM inbox"
        " WHERE bucket = ? AND user_id = ? AND at >= ? AND kind IN (?, ?)"
        " AND name = coalesce(?, name) AND (at, 1, id) < (?, ?, ?)"
        " ORDER BY at DESC, id DESC LIMIT ?",
        place,
    )
    found = [_fact(row) for rows in (received, waiting) for row in rows]
    found.sort(key=lambda fact: fact.place)
    return found[-most:] if most else []


def fact_at(connection: Connection, user: str, seq: int) -> KnownFact | None:
    """A received fact of a user by its ``seq``."""
    row = connection.exec_driver_sql(
        "SELECT seq, kind, name, at, message_id, data, depth FROM facts"
        " WHERE bucket = ? AND user_id = ? AND seq = ?",
        (bucket_of(user), user, seq),
    ).one_or_none()
    return None if row is None else _fact(row)


def fact_of_message(connection: Connection, user: str, message_id: str) -> KnownFact | None:
    """A received fact of a user by its sender's id."""
    row = connection.exec_driver_sql(
        "SELECT seq, kind, name, at, message_id, data, depth FROM facts"
        " WHERE bucket = ? AND user_id = ? AND message_id = ?",
        (bucket_of(user), user, message_id),
    ).one_or_none()
    return None if row is None else _fact(row)


def _fact(row: Sequence[Any]) -> KnownFact:
    seq, kind, name, at, message_id, data, depth, *waits = row
    name = name if kind == EVENT else None
    return KnownFact(seq, name, at, message_id, json.loads(data), depth, *waits)


@dataclass(slots=True, frozen=True)
class KnownPassage:
    """A passage of a user, as its row has it. Instants are microseconds UTC; ``entered_seq`` is the
    ``seq`` of the user's last fact when he entered, None in a journey that hears nothing.
    """

    id: int
    journey: str
    key: str
    version_id: int
    version: int
    run_id: int
    state: int
    reason: int
    position: int
    wake_at: int | None
    entered_at: int
    ended_at: int | None
    outcome: str | None
    entered_seq: int | None


def passages_of(connection: Connection, user: str) -> list[KnownPassage]:
    """Every passage of a user, the newest first."""
    rows = connection.exec_driver_sql(
        "SELECT e.id, e.journey, e.key, e.version_id, v.number, e.run_id, e.state, e.reason,"
        " e.position, e.wake_at, e.entered_at, e.ended_at, e.outcome, e.data"
        " FROM enrollments AS e JOIN versions AS v ON v.id = e.version_id"
        " WHERE e.bucket = ? AND e.user_id = ? ORDER BY e.entered_at DESC, e.id DESC",
        (bucket_of(user), user),
    )
    return [KnownPassage(*[*row[:-1], _noted_seq(json.loads(row[-1]))]) for row in rows]


def _noted_seq(data: Mapping[str, Any]) -> int | None:
    """What is noted beside a fact's depth, in a journey that hears nothing, is no fact: 0."""
    return data.get("e", (0,))[0] or None
