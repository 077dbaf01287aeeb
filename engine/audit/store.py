"""The audit log's rows: who changed what, when, and which fields, by name and never by value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.db.connect import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``at`` is wall time in microseconds UTC; ``kind`` and ``name`` say what it was
    made to, ``fields`` which of its fields changed; ``id`` tells it from any other.
    """

    at: int
    actor: str
    verb: str
    kind: str
    name: str
    fields: str
    id: int


def record(
    connection: Connection,
    now: int,
    actor: str,
    verb: str,
    kind: str,
    name: str,
    fields: Iterable[str] = (),
) -> None:
    """Add one change in the transaction that makes it. ``now`` is wall time in microseconds UTC."""
    connection.exec_driver_sql(
        "INSERT INTO audit (at, actor, verb, kind, name, fields) VALUES (?, ?, ?, ?, ?, ?)",
        (now, actor, verb, kind, name, ", ".join(fields)),
    )


def recorded_since(connection: Connection, since: int, verb: str, kind: str, name: str) -> bool:
    """Whether such a change stands in the log, made at ``since`` or later."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM audit WHERE at >= ? AND verb = ? AND kind = ? AND name = ? LIMIT 1",
        (since, verb, kind, name),
    )
    return found.one_or_none() is not None


def latest_id(connection: Connection) -> int:
    """The number of the newest change; 0 where nothing was changed yet."""
    found: int | None = connection.exec_driver_sql("SELECT max(id) FROM audit").scalar()
    return found or 0


def latest(connection: Connection, after: int, verb: str, kind: str, name: str) -> str | None:
    """The fields of the last such change whose number is above ``after``; None: there is none."""
    found: str | None = connection.exec_driver_sql(
        "SELECT fields FROM audit WHERE id > ? AND verb = ? AND kind = ? AND name = ?"
        " ORDER BY id DESC LIMIT 1",
        (after, verb, kind, name),
    ).scalar()
    return found


def names_after(connection: Connection, after: int, verb: str, kind: str) -> dict[str, int]:
    """What such changes were made to whose number is above ``after``, each with the last one's
    number.
    """
    rows = connection.exec_driver_sql(
        "SELECT name, max(id) FROM audit WHERE id > ? AND verb = ? AND kind = ? GROUP BY name",
        (after, verb, kind),
    )
    return {row[0]: row[1] for row in rows}


def changes(
    connection: Connection,
    *,
    since: int = 0,
    actor: str = "",
    what: str = "",
    newest: int | None = None,
    after: int | None = None,
    upto: int | None = None,
) -> Iterator[Change]:
    """The changes since an instant, the first first: those of ``actor``, those whose verb, kind,
    name or fields hold ``what``, whatever the case. With ``newest`` only so many, the last first.
    ``after`` is the id of the change behind which to go on, in that order, ``upto`` of the last one
    that is looked at.
    """
    back, beyond, until = ("", ">", "<=") if newest is None else (" DESC", "<", ">=")
    limit = "" if newest is None else f" LIMIT {newest:d}"
    bounds = [(beyond, after), (until, upto)]
    places = "".join(f" AND id {sign} ?" for sign, place in bounds if place is not None)
    rows = connection.exec_driver_sql(
        f"SELECT at, actor, verb, kind, name, fields, id FROM audit WHERE at >= ?{places}"  # noqa: S608
        " AND lower(actor) LIKE lower(?) ESCAPE '!'"
        " AND lower(verb || ' ' || kind || ' ' || name || ' ' || fields) LIKE lower(?) ESCAPE '!'"
        f" ORDER BY id{back}{limit}",
        (
            since,
            *(place for _, place in bounds if place is not None),
            _literal(actor) or "%",
            f"%{_literal(what)}%",
        ),
    )
    for row in rows:
        yield Change(*row)


def look_back(connection: Connection, before: int | None, most: int) -> int | None:
    """The id of the change that ``most`` changes lead back to from ``before`` (None: from the last
    one on); None where there are fewer.
    """
    where, values = ("", ()) if before is None else (" WHERE id < ?", (before,))
    found: int | None = connection.exec_driver_sql(
        f"SELECT id FROM audit{where} ORDER BY id DESC LIMIT 1 OFFSET ?",  # noqa: S608
        (*values, most - 1),
    ).scalar()
    return found


def old_changes(connection: Connection, before: int, most: int) -> list[tuple[object, ...]]:
    """The keys of changes made before an instant, the oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT id FROM audit WHERE at < ? ORDER BY id LIMIT ?", (before, most)
    )
    return [tuple(row) for row in rows]


def delete_changes(connection: Connection, keys: Sequence[tuple[object, ...]]) -> None:
    """Forget changes."""
    connection.exec_driver_sql("DELETE FROM audit WHERE id = ?", list(keys))


def _literal(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
