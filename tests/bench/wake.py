"""``wake``: sleepers who are all due within one second, and by how much each wakes too late.

A worker in a process of its own. Too late is from the moment a user is due to when the step that
he waited in has ended, as it is written down. ``of_bare`` is the time from the first one due to
the last one's step, against ``executemany`` of the same steps: above one second's worth of work
that is the limit, below it the second itself is.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator

from engine.clock import wall
from tests.bench.bare_rows import bare_seconds
from tests.bench.installation import DATABASES, Place, installations
from tests.bench.shape import Bench, Case, Figures, Option, percentiles, repeated, sizes
from tests.bench.spending import cpu_s, memory_mib
from tests.bench.telling import SLEEPING, appending, fall_asleep, lateness_ms

_ENTERED_PER_S = 1_500
"""Slower than a slow machine is: who works has a moment with nothing to do, as before a morning."""
_LAST = "SELECT max(ended_at) FROM executions"


def measure(given: Namespace) -> Iterator[Case]:
    """A case for each number of sleepers."""
    with installations(given.database) as place:
        for size in sizes(given.sleepers):
            name = f"{size:,} sleepers"
            yield repeated(name, given.runs, _once, place, size, given.database)


def _once(place: Place, sleepers: int, database: str) -> Figures:
    installation = place()
    installation.publish(sleeping=SLEEPING)
    with (
        installation.process("worker") as worker,
        installation.opened() as opened,
        appending(installation) as append,
    ):
        begins = wall() + 1_000_000 + sleepers * 1_000_000 // _ENTERED_PER_S
        fall_asleep(append, sleepers, begins)
        time.sleep(max(0.0, (begins - wall()) / 1e6 - 0.2))
        before = cpu_s(worker.pid)
        late = lateness_ms(opened, sleepers, begins)
        figures = {
            **percentiles("late_*_ms", late),
            "cpu_us_a_user": (cpu_s(worker.pid) - before) / sleepers * 1e6,
            "memory_mib": memory_mib(worker.pid, peak=True),
        }
    took = (installation.count(_LAST) - begins) / 1e6
    figures["woken_per_s"] = sleepers / took
    if database == "sqlite":
        file = installation.folder / "home" / "engine.db"
        figures["of_bare"] = bare_seconds(file, ("executions",), max(1, sleepers // 1_000)) / took
    return figures


BENCH = Bench(
    "wake",
    "sleepers due in one second: how late each wakes\n\n" + (__doc__ or ""),
    (
        Option("sleepers", "1000,10000", "how many, separated by commas"),
        Option("runs", 3, "how often each is run"),
        Option("database", "sqlite", "where the state is", DATABASES),
    ),
    measure,
)
