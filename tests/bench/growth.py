"""``growth``: the main job from 1,000 to 1,000,000 users: what one more costs, and memory.

CPU is counted without what the command takes for one user, so that its start isn't shared out.
``of_bare`` is the same as in ``main-job``. The last case is what a user of the largest size costs,
and what memory it takes, against 10,000 users (or the smallest size).
"""

from __future__ import annotations

import statistics
from argparse import Namespace
from collections.abc import Iterator

from tests.bench.installation import DATABASES, Place, installations
from tests.bench.main_job import JOURNEY, Work, bare_calls, bare_rates, five_steps
from tests.bench.pure import JOURNEY as PURE
from tests.bench.shape import Bench, Case, Figures, Option, repeated, sizes
from tests.partners import spawned

_REFERENCE = 10_000


def measure(given: Namespace) -> Iterator[Case]:
    """A case for each size, and one of the largest against the reference."""
    cases: dict[int, Case] = {}
    journey = PURE if given.journey == "pure" else JOURNEY
    with spawned("load") as servers, installations(given.database) as place:
        url = servers["load"].url
        start = _least(place, url, journey)
        for size in sizes(given.users):
            name = f"{size:,} users"
            cases[size] = repeated(name, given.runs, _once, place, url, size, journey, start)
            yield cases[size]
    reference = cases.get(_REFERENCE, cases[min(cases)])
    largest = cases[max(cases)]
    against = Case("largest")
    for name in ("cpu_us_a_user", "wall_us_a_user"):
        against.add({f"{name}_ratio": _median(largest, name) / _median(reference, name)})
    more = _median(largest, "memory_mib") - _median(reference, "memory_mib")
    against.add({"more_memory_mib": more})
    yield against


def _least(place: Place, url: str, journey: str) -> Work:
    """What the command takes for one user; the first time something may be left to compile."""
    runs = [five_steps(place(), url, 1, journey=journey) for _ in range(2)]
    return min(runs, key=lambda work: work.cpu)


def _once(place: Place, url: str, users: int, journey: str, start: Work) -> Figures:
    installation = place()
    bare, _ = bare_rates(installation, url, min(bare_calls(users), 50_000))
    work = five_steps(installation, url, users, journey=journey)
    return {
        "users_per_s": users / work.wall,
        "wall_us_a_user": (work.wall - start.wall) / users * 1e6,
        "cpu_us_a_user": (work.cpu - start.cpu) / users * 1e6,
        "memory_mib": work.memory,
        "of_bare": users / work.wall / bare,
    }


def _median(case: Case, name: str) -> float:
    return statistics.median(case.figures[name])


BENCH = Bench(
    "growth",
    "1,000 to 1,000,000 users: cost of one user, memory\n\n" + (__doc__ or ""),
    (
        Option("users", "1000,10000,100000,1000000", "sizes, separated by commas"),
        Option("runs", 1, "how often each size is run"),
        Option("journey", "main", "five steps with a call, or five without", ("main", "pure")),
        Option("database", "sqlite", "where the state is", DATABASES),
    ),
    measure,
)
