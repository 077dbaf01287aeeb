"""``pure``: a journey of five steps without calls; SQLite, every step durable, the whole command.

Beside it (``of_bare``) the same rows of users, passages and steps by the driver's ``executemany``,
into the same tables, as durable, in transactions of 1,000 users. Times include the command's start.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from tests.bench.bare_rows import PASSAGES, bare_seconds
from tests.bench.installation import Place, installations, users_file
from tests.bench.main_job import STEPS, Work
from tests.bench.shape import Bench, Case, Figures, Option, repeated, sizes

JOURNEY = """\
dsl: 1
journey: five-pure-steps
steps:
  - {id: mark, type: set, values: {vars.tier: "{{ user.tier }}"}}
  - {id: arm, type: split, arms: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - {id: count, type: set, values: {vars.count: 1}}
  - id: kind
    type: branch
    paths:
      - {name: gold, when: user.tier == 'gold', next: done}
  - {id: done, type: exit, outcome: sent}
"""


def measure(given: Namespace) -> Iterator[Case]:
    """A case for each size."""
    with installations() as place:
        for size in sizes(given.users):
            yield repeated(f"{size:,} users", given.runs, _once, place, size)


def _once(place: Place, users: int) -> Figures:
    installation = place()
    spent = installation.live(JOURNEY, users_file(installation.folder / "users.csv", users))
    file = installation.folder / "home" / "engine.db"
    bare = bare_seconds(file, PASSAGES, max(1, users // 1_000))
    bytes_each = file.stat().st_size / users
    figures = Work(spent.wall, spent.cpu, spent.memory).of(users)
    steps = {"bare_steps_per_s": users * STEPS / bare}
    return figures | steps | {"of_bare": bare / spent.wall, "bytes_a_user": bytes_each}


BENCH = Bench(
    "pure",
    "five steps without calls, beside executemany of the same rows\n\n" + (__doc__ or ""),
    (
        Option("users", "100000", "sizes, separated by commas"),
        Option("runs", 3, "how often each size is run"),
    ),
    measure,
)
