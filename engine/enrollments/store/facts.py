"""The SQL of facts: what was told, what was received, and what is remembered of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.guarded_json import text_of
from engine.core.steps.facts import MOST_COUNTED, Change, Event
from engine.db.statements import ask, fetch, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from engine.core.interpreter.state import User
    from engine.core.steps.facts import Fact
    from engine.db.connect import Connection

EVENT, CHANGE, ENTRY, ERASURE, LINK, JOIN, FILL, CATCH_UP = range(8)
"""Kinds of what is told."""
_RUN = '{"run":'


@dataclass(slots=True, frozen=True)
class Told:
    """A row of the inbox, or (``id`` 0) something that comes another way. ``data`` is JSON; ``at``
    is its own time, in microseconds UTC.
    """

    bucket: int
    id: int
    user_id: str
    kind: int
    name: str
    at: int
    message_id: str | None
    data: str


def append(connection: Connection, rows: Sequence[Told]) -> None:
    """Append to the inbox what is to be told later."""
    write_rows(
        connection,
        "insert_inbox",
        [(t.bucket, t.id, t.user_id, t.kind, t.name, t.at, t.message_id, t.data) for t in rows],
    )


def become(connection: Connection, told: Told, kind: int, data: str) -> None:
    """Let a row of the inbox tell something else, in its place."""
    connection.exec_driver_sql(
        "UPDATE inbox SET kind = ?, data = ? WHERE bucket = ? AND id = ?",
        (kind, data, told.bucket, told.id),
    )


def anything_told(connection: Connection) -> bool:
    """Whether something waits to be received."""
    return bool(ask(connection, "SELECT 1 FROM inbox LIMIT 1"))


def more_than_entries(connection: Connection, buckets: Sequence[int], most: int = 0) -> bool:
    """Whether more than ``most`` others than users of runs wait to be received, from the first to
    the last of these buckets, which rise.
    """
    if not buckets:
        return False
    text = (
        "SELECT count(*) FROM (SELECT 1 FROM inbox WHERE bucket BETWEEN ? AND ?"
        " AND NOT (kind = ? AND substr(data, 1, ?) = ?) LIMIT ?) AS found"
    )
    place = (buckets[0], buckets[-1], ENTRY, len(_RUN), _RUN, most + 1)
    found: int = ask(connection, text, place)[0][0]
    return found > most


def other_entries(connection: Connection, buckets: Sequence[int], runs: Iterable[int]) -> bool:
    """Whether a user of another run than these waits there to enter."""
    text = (
        "SELECT 1 FROM inbox WHERE bucket BETWEEN ? AND ? AND kind = ? AND substr(data, 1, ?) = ?"
    )
    values: list[object] = [ENTRY, len(_RUN), _RUN]
    for begins in map(_of_run, runs):
        text += " AND substr(data, 1, ?) <> ?"
        values += [len(begins), begins]
    text += " LIMIT 1"
    return bool(buckets and ask(connection, text, (buckets[0], buckets[-1], *values)))


def run_of(told: Told) -> int | None:
    """The run whose user waits to enter; None: it is something else that is told."""
    if told.kind != ENTRY or not told.data.startswith(_RUN):
        return None
    return int(told.data[len(_RUN) : told.data.index(",")])


def entry_of_run(
    run_id: int, version_id: int, inputs: Mapping[str, object], attributes: Mapping[str, object]
) -> str:
    """The data of a row of the inbox (:data:`ENTRY`) by which a run's user enters."""
    said = {"version": version_id, "inputs": inputs, "attributes": attributes}
    return f"{_of_run(run_id)}{text_of(said)[1:]}"


def entries_waiting(connection: Connection, run_id: int) -> int:
    """How many of a run's users are in the inbox. It reads all that waits there."""
    begins = _of_run(run_id)
    found: int = connection.exec_driver_sql(
        "SELECT count(*) FROM inbox WHERE kind = ? AND substr(data, 1, ?) = ?",
        (ENTRY, len(begins), begins),
    ).scalar_one()
    return found


def _of_run(run_id: int) -> str:
    return f"{_RUN}{run_id},"


def told(connection: Connection, buckets: str, most: int) -> list[Told]:
    """Up to ``most`` of what waits to be received. ``buckets`` is a JSON array."""
    rows = fetch(connection, "inbox_rows", (buckets, most))
    return [Told(*row) for row in rows]


def last_seqs(connection: Connection, wanted: Iterable[tuple[int, str]]) -> dict[str, int]:
    """The ``seq`` of the last fact of each of a set of users (bucket, id); 0 without any."""
    place = (json.dumps(list(wanted)),)
    return {row[0]: row[1] or 0 for row in fetch(connection, "last_seqs", place)}


def known_messages(
    connection: Connection, wanted: Iterable[tuple[int, str, str]]
) -> set[tuple[str, str]]:
    """Those of a set of messages (bucket, user id, message id) that were received: (user, id)."""
    place = (json.dumps(list(wanted)),)
    rows = fetch(connection, "known_messages", place)
    return {(row[0], row[1]) for row in rows}


def past_events(
    connection: Connection, wanted: Iterable[tuple[int, str, str]]
) -> dict[str, list[Event]]:
    """The newest events of a set of (bucket, user id, name), by user, in order of their own time:
    of each name as many as are counted.
    """
    found: dict[str, list[Event]] = {}
    place = (json.dumps(list(wanted)), MOST_COUNTED - 1)
    for row in fetch(connection, "past_events", place):
        user, name, seq, at, depth, message, data = row
        event = Event(seq, at, name, json.loads(data), message, depth)
        found.setdefault(user, []).append(event)
    return found


def read_fact(row: Sequence[Any]) -> Fact:
    """A fact from its seq, kind, name, time and data."""
    seq, kind, name, at, data = row
    values = json.loads(data)
    if kind == EVENT:
        return Event(seq, at, name, values)
    before = {name: both[0] for name, both in values.items()}
    return Change(seq, at, {name: both[1] for name, both in values.items()}, before)


def fact_row(user: User, fact: Fact) -> tuple[object, ...]:
    """Parameters of ``insert_fact``."""
    if isinstance(fact, Event):
        said = EVENT, fact.name, fact.at, fact.depth, fact.id, text_of(fact.properties)
    else:
        said = CHANGE, "", fact.at, fact.depth, fact.id, _of_change(fact)
    return (user.bucket, user.id, fact.seq, *said)


def _of_change(change: Change) -> str:
    return text_of({name: [old, change.values.get(name)] for name, old in change.before.items()})
