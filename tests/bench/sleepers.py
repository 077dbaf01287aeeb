"""``sleepers``: what users who sleep cost, and what an idle ``journey up`` takes beside them.

How many fall asleep in a second (the whole command), their bytes in the file with indexes, and
``of_bare`` beside ``executemany`` of the same rows; then CPU and memory of an idle ``journey up``;
then as many events, sent by file and received: at what rate, and in what memory.
"""

from __future__ import annotations

import sqlite3
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.bench.bare_rows import bare_seconds
from tests.bench.installation import Installation, Place, installations, users_file
from tests.bench.shape import Bench, Case, Figures, Option, repeated, sizes
from tests.bench.spending import cpu_s, memory_mib

JOURNEY = """\
dsl: 1
journey: resting
entry: {triggers: [{event: came}]}
steps:
  - {id: rest, type: wait, for: P30D}
  - {id: up, type: set, values: {vars.up: 1}}
"""
SETTLE_S = 10
_WAITING = "SELECT count(*) FROM (SELECT 1 FROM inbox LIMIT 1) AS one"


def measure(given: Namespace) -> Iterator[Case]:
    """A case for each size."""
    with installations() as place:
        for size in sizes(given.users):
            yield repeated(f"{size:,} users", given.runs, _once, place, size, given.idle)


def _once(place: Place, users: int, idle_s: float) -> Figures:
    installation = place()
    path = users_file(installation.folder / "users.csv", users)
    run = installation.live(JOURNEY, path)
    file = installation.folder / "home" / "engine.db"
    bare = bare_seconds(file, ("users", "enrollments"), max(1, users // 1_000))
    figures = {
        "asleep_per_s": users / run.wall,
        "cpu_us_a_user": run.cpu / users * 1e6,
        "of_bare": bare / run.wall,
        "bytes_a_user": _bytes_of_sleepers(file) / users,
        "memory_mib": run.memory,
    }
    return figures | _beside(installation, users, idle_s)


def _beside(installation: Installation, users: int, idle_s: float) -> Figures:
    """What ``journey up`` takes, idle and with an event for each sleeper."""
    installation.publish(resting=JOURNEY)
    events = events_file(installation.folder / "events.csv", users)
    with installation.process("up") as up:
        time.sleep(min(SETTLE_S, idle_s))
        before = cpu_s(up.pid)
        time.sleep(idle_s)
        idle = (cpu_s(up.pid) - before) / idle_s
        idle_memory = memory_mib(up.pid)
        before = cpu_s(up.pid)
        since = time.monotonic()
        sent = installation.ask("events", "send", events)
        while installation.count(_WAITING):
            time.sleep(0.2)
        took = time.monotonic() - since
        return {
            "idle_cpu_percent": idle * 100,
            "idle_memory_mib": idle_memory,
            "events_received_per_s": users / took,
            "cpu_us_an_event": (cpu_s(up.pid) - before) / users * 1e6,
            "up_memory_mib": memory_mib(up.pid, peak=True),
            "send_memory_mib": sent.memory,
        }


def events_file(path: Path, events: int) -> str:
    """A CSV file with an event of each user; its path."""
    with path.open("w") as file:
        file.write("user,event,at,total\n")
        file.writelines(f"u{n},seen,2026-01-01T00:00:00Z,{n}\n" for n in range(events))
    return str(path)


def _bytes_of_sleepers(file: Path) -> int:
    """What users and enrollments take in the file, with their indexes."""
    with closing(sqlite3.connect(file)) as connection:
        total: int = connection.execute(
            "SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN (SELECT name FROM"
            " sqlite_master WHERE tbl_name IN ('users', 'enrollments'))"
        ).fetchone()[0]
    return total


BENCH = Bench(
    "sleepers",
    "what users who sleep cost, and their events\n\n" + (__doc__ or ""),
    (
        Option("users", "10,100000", "sizes, separated by commas"),
        Option("idle", 10.0, "seconds that an idle process is watched"),
        Option("runs", 1, "how often each size is run"),
    ),
    measure,
)
