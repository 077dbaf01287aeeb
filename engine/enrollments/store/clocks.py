"""The SQL of clocks: users read in pages, how far they were, and dates that are near."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from engine.db.statements import write_rows
from engine.enrollments.rows import read_user

if TYPE_CHECKING:
    from engine.core.interpreter.state import User
    from engine.db.connect import Connection
    from engine.enrollments.users_held import UsersHeld

Clock = tuple[int, str, int]
"""A clock of a bucket: (bucket, journey, the trigger's key)."""
OnesClock = tuple[int, str, str, int]
"""A date trigger of one user: (bucket, user id, journey, the trigger's key)."""

_USERS = (
    "SELECT bucket, id, timezone, attributes, contacts FROM users"
    " WHERE bucket = ? AND id > ? ORDER BY id LIMIT ?"
)
_USERS_OF_ZONE = (
    "SELECT bucket, id, timezone, attributes, contacts FROM users"
    " WHERE bucket = ? AND timezone = ? AND id > ? ORDER BY id LIMIT ?"
)
_NO_VALUE = -(1 << 62)
"""No date has it."""


@dataclass(slots=True)
class ClockRows:
    """What a transaction writes of clocks.

    Written as often as it takes: the whole of it in each transaction, and in one that it was
    written in before only what was added since.
    """

    _fires: dict[tuple[Clock, str], tuple[int, str | None]] = field(default_factory=dict)
    _dates: dict[OnesClock, dict[int, tuple[int, int | None]]] = field(default_factory=dict)
    _stands: dict[OnesClock, int] = field(default_factory=dict)
    _over: dict[Clock, int] = field(default_factory=dict)
    _new: ClockRows | None = None
    _written_in: Connection | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._fires or self._dates or self._stands or self._over)

    def read(self, clock: Clock, zone: str, fire_at: int, cursor: str | None) -> None:
        """Users were read up to ``cursor`` for the fire ``fire_at``, or all of them (None)."""
        for rows in self._both():
            rows._fires[clock, zone] = fire_at, cursor

    def stands(self, ones: OnesClock, value: int | None) -> None:
        """A user's date is ``value`` now (None: he has none): what was to come of others won't."""
        kept = _NO_VALUE if value is None else value
        for rows in self._both():
            rows._stands[ones] = kept
            known = rows._dates.get(ones, {})
            for other in [v for v, (_, done_at) in known.items() if v != kept and done_at is None]:
                del known[other]

    def date(self, ones: OnesClock, value: int, due_at: int, done_at: int | None = None) -> None:
        """A user's date is due, or let him in at ``done_at``."""
        for rows in self._both():
            known = rows._dates.setdefault(ones, {})
            if known.get(value, (0, None))[1] is None:
                known[value] = due_at, done_at

    def over(self, clock: Clock, before: int) -> None:
        """What was due earlier than ``before`` can't come again."""
        for rows in self._both():
            rows._over[clock] = before

    def write(self, connection: Connection) -> None:
        """Write what isn't written yet in the transaction of ``connection``."""
        if connection is not self._written_in or self._new is None:
            self._write(connection)
        elif self._new:
            self._new._write(connection)
        self._written_in, self._new = connection, ClockRows()

    def _both(self) -> tuple[ClockRows, ...]:
        return (self,) if self._new is None else (self, self._new)

    def _write(self, connection: Connection) -> None:
        gone = [(*ones, kept) for ones, kept in self._stands.items()]
        if gone:
            connection.exec_driver_sql(
                "DELETE FROM date_fires WHERE bucket = ? AND user_id = ? AND journey = ?"
                " AND trigger = ? AND value <> ? AND done_at IS NULL",
                gone,
            )
        over = [(*clock, before) for clock, before in self._over.items()]
        if over:
            connection.exec_driver_sql(
                "DELETE FROM date_fires WHERE bucket = ? AND journey = ? AND trigger = ?"
                " AND due_at < ?",
                over,
            )
        fires = [(*clock, zone, *far) for (clock, zone), far in self._fires.items()]
        write_rows(connection, "upsert_schedule_fire", fires)
        dates = [
            (*ones, value, *when)
            for ones, known in self._dates.items()
            for value, when in known.items()
        ]
        write_rows(connection, "upsert_date_fire", dates)


@dataclass(slots=True, frozen=True)
class Far:
    """How far a clock came: see :meth:`ClockRows.read`."""

    fire_at: int
    cursor: str | None


def clocks_of(connection: Connection, bucket: int) -> dict[tuple[str, int, str], Far]:
    """How far the clocks of a bucket came, by (journey, trigger, zone)."""
    rows = connection.exec_driver_sql(
        "SELECT journey, trigger, zone, fire_at, cursor FROM schedule_fires WHERE bucket = ?",
        (bucket,),
    )
    return {(row[0], row[1], row[2]): Far(row[3], row[4]) for row in rows}


def zones_of(connection: Connection, bucket: int) -> list[str | None]:
    """The time zones that users of a bucket have, as they are written."""
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT timezone FROM users WHERE bucket = ?", (bucket,)
    )
    return [row[0] for row in rows]


def users_after(
    connection: Connection,
    bucket: int,
    cursor: str,
    zone: str | None,
    most: int,
    held: UsersHeld,
) -> list[User]:
    """The next users of a bucket behind the id ``cursor``, in a ``zone`` or (None) in any."""
    place = (bucket, cursor, most) if zone is None else (bucket, zone, cursor, most)
    rows = connection.exec_driver_sql(_USERS if zone is None else _USERS_OF_ZONE, place)
    return [held.keep(row[1], partial(read_user, *row)) for row in rows.fetchall()]


def due_dates(
    connection: Connection, clock: Clock, now: int, most: int, held: UsersHeld
) -> list[tuple[User, int, int]]:
    """Users whose date is due, the earliest first, each with its value and its moment."""
    rows = connection.exec_driver_sql(
        "SELECT u.bucket, u.id, u.timezone, u.attributes, u.contacts, d.value, d.due_at"
        " FROM date_fires AS d JOIN users AS u ON u.bucket = d.bucket AND u.id = d.user_id"
        " WHERE d.bucket = ? AND d.journey = ? AND d.trigger = ? AND d.done_at IS NULL"
        " AND d.due_at <= ? ORDER BY d.due_at, d.user_id LIMIT ?",
        (*clock, now, most),
    )
    return [
        (held.keep(row[1], partial(read_user, *row[:5])), row[5], row[6]) for row in rows.fetchall()
    ]


def next_date(connection: Connection, clock: Clock) -> int | None:
    """When the first date is due that hasn't let anybody in yet."""
    found: int | None = connection.exec_driver_sql(
        "SELECT min(due_at) FROM date_fires WHERE bucket = ? AND journey = ? AND trigger = ?"
        " AND done_at IS NULL",
        clock,
    ).scalar()
    return found


def published_at(connection: Connection, version_id: int) -> int | None:
    """When a version was published, on the clock that people live by; None where that isn't the
    clock that the installation goes by.
    """
    found: int | None = connection.exec_driver_sql(
        "SELECT v.published_at FROM versions AS v, installation AS i"
        " WHERE v.id = ? AND (i.clock IS NULL OR i.clock <> 'virtual')",
        (version_id,),
    ).scalar_one_or_none()
    return found


def versions_before(connection: Connection, version_id: int, since: int) -> list[tuple[int, str]]:
    """Publication and text of the earlier versions of a version's journey whose triggers let
    users in at ``since`` (microseconds UTC) or later, the newest first.
    """
    rows = connection.exec_driver_sql(
        "SELECT e.published_at, e.source FROM versions AS v"
        " JOIN versions AS e ON e.journey = v.journey AND e.number < v.number AND e.triggers_on"
        " WHERE v.id = ? AND e.number >= coalesce((SELECT max(f.number) FROM versions AS f"
        " WHERE f.journey = v.journey AND f.number < v.number AND f.triggers_on"
        " AND f.published_at <= ?), 0) ORDER BY e.number DESC",
        (version_id, since),
    )
    return [(row[0], row[1]) for row in rows]
