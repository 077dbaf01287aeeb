"""``ingest``: a file of events into the inbox by ``journey events send``, SQLite, no worker beside.

The whole command: each row is checked before the first one is sent. Beside it (``of_bare``) what
nobody gets around: reading the file's rows once with the ``csv`` module, and ``executemany`` of the
same rows into the same table, as durable, in transactions of 2,000.
"""

from __future__ import annotations

import csv
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from engine.operations.sending import SET
from tests.bench.bare_rows import bare_seconds
from tests.bench.installation import DATABASES, Place, installations
from tests.bench.shape import Bench, Case, Figures, Option, repeated, sizes
from tests.bench.sleepers import events_file


def measure(given: Namespace) -> Iterator[Case]:
    """A case for each size."""
    with installations(given.database) as place:
        for size in sizes(given.events):
            name = f"{size:,} events"
            yield repeated(name, given.runs, _once, place, size, given.database)


def _once(place: Place, events: int, database: str) -> Figures:
    installation = place()
    path = events_file(installation.folder / "events.csv", events)
    with installation.opened():
        pass  # the tables are no part of it
    sent = installation.ask("events", "send", path)
    figures = {
        "events_per_s": events / sent.wall,
        "cpu_us_an_event": sent.cpu / events * 1e6,
        "memory_mib": sent.memory,
    }
    if database == "sqlite":
        file = installation.folder / "home" / "engine.db"
        bare = _parse_seconds(path) + bare_seconds(file, ("inbox",), max(1, events // SET))
        figures["of_bare"] = bare / sent.wall
    return figures


def _parse_seconds(path: str) -> float:
    since = time.perf_counter()
    with Path(path).open(newline="") as file:
        for _ in csv.reader(file):
            pass
    return time.perf_counter() - since


BENCH = Bench(
    "ingest",
    "a file of events into the inbox\n\n" + (__doc__ or ""),
    (
        Option("events", "100000", "sizes, separated by commas"),
        Option("runs", 3, "how often each size is run"),
        Option("database", "sqlite", "where the state is", DATABASES),
    ),
    measure,
)
