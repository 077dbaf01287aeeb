"""``workers``: the main job on PostgreSQL by 1, 2 and 4 workers, on a fast disk and on a slow one.

The slow disk is simulated: the server's ``commit_delay`` (with ``commit_siblings=0``) has each
flush of its log wait 2 ms, holding the lock that flushes share, as a disk does that takes 2 ms; who
commits meanwhile joins the next flush. The server's files are in memory there, so that the disk
itself adds nothing. ``of_one`` is against one worker of the same disk, ``of_bare`` as in
``main-job``.
"""

from __future__ import annotations

import statistics
from argparse import Namespace
from collections.abc import Iterator

from tests.bench.installation import Place, installations
from tests.bench.main_job import bare_calls, bare_rates, five_steps
from tests.bench.shape import Bench, Case, Figures, Option, repeated, sizes
from tests.partners import spawned

DISKS = {
    "fast": {},
    "slow": {"commit_delay": "2000", "commit_siblings": "0"},
}


def measure(given: Namespace) -> Iterator[Case]:
    """A case for each number of workers on each disk."""
    with spawned("load") as servers:
        url = servers["load"].url
        for disk in given.disks.split(","):
            memory = disk == "slow"
            with installations("postgresql", in_memory=memory, **DISKS[disk]) as place:
                one: list[float] = []
                for workers in sizes(given.workers):
                    name = f"{disk} disk, {workers}"
                    yield repeated(name, given.runs, _once, place, url, given.users, workers, one)


def _once(place: Place, url: str, users: int, workers: int, one: list[float]) -> Figures:
    """``one`` keeps the rates of the first number of workers."""
    installation = place()
    bare, _ = bare_rates(installation, url, bare_calls(users))
    work = five_steps(installation, url, users, workers)
    rate = users / work.wall
    if workers == 1:
        one.append(rate)
    first = statistics.median(one) if one else rate
    return work.of(users) | {"of_bare": rate / bare, "of_one": rate / first}


BENCH = Bench(
    "workers",
    "1, 2 and 4 workers on PostgreSQL, with and without a commit of 2 ms\n\n" + (__doc__ or ""),
    (
        Option("users", 20_000, "how many in each run"),
        Option("workers", "1,2,4", "how many workers, separated by commas"),
        Option("disks", "fast,slow", "which disks, separated by commas"),
        Option("runs", 3, "how often each is run"),
    ),
    measure,
)
