"""Telling an installation of events from here, without a command in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.clock import wall
from engine.db.connect import Database
from engine.db.ids import IdMaker, entropy
from engine.users.incoming import Incoming, IncomingEvent
from engine.users.ingest import ingest
from tests.bench.installation import Installation

SET = 1_000

SLEEPING = """\
dsl: 1
journey: sleeping
entry: {triggers: [{event: slept}], inputs: {at: text}}
steps:
  - {id: rest, type: wait, until: {date: inputs.at, missing: exit}}
  - {id: up, type: set, values: {vars.up: 1}}
"""
_WOKEN = (
    "SELECT e.user_id, e.entered_at, x.ended_at FROM executions AS x"
    " JOIN enrollments AS e ON e.bucket = x.bucket AND e.id = x.enrollment"
    " WHERE x.step = 0 AND e.journey = 'sleeping'"
)

Append = Callable[[list[Incoming]], None]


@contextmanager
def appending(installation: Installation) -> Iterator[Append]:
    """What appends events: when it returns they are committed."""
    with installation.opened() as database:
        new_id = IdMaker(entropy)

        def append(events: list[Incoming]) -> None:
            with database.write() as connection:
                ingest(connection, events, now=wall(), new_id=new_id)

        yield append


def fall_asleep(append: Append, count: int, begins: int) -> None:
    """So many users fall asleep until moments evenly over the second that begins at ``begins``."""
    for start in range(0, count, SET):
        append(
            [
                IncomingEvent(f"s{n}", "slept", {"at": _iso(begins + n * 1_000_000 // count)})
                for n in range(start, min(count, start + SET))
            ]
        )


def lateness_ms(database: Database, count: int, begins: int) -> list[float]:
    """By how much each of them woke too late; waits until all have."""
    time.sleep(max(0.0, (begins - wall()) / 1e6 + 1))
    deadline = time.monotonic() + 60
    rows: list[tuple[str, int, int]] = []
    while len(rows) < count and time.monotonic() < deadline:
        time.sleep(0.2)
        with database.read() as connection:
            rows = [(r[0], r[1], r[2]) for r in connection.exec_driver_sql(_WOKEN)]
    assert len(rows) == count, f"{len(rows)} of {count} woke"
    assert max(entered for _, entered, _ in rows) < begins, "somebody fell asleep too late"
    late = [
        (ended - (begins + int(user[1:]) * 1_000_000 // count)) / 1e3 for user, _, ended in rows
    ]
    assert min(late) >= 0, "somebody woke too early"
    return late


def _iso(instant: int) -> str:
    seconds, micro = divmod(instant, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micro:06d}Z"
