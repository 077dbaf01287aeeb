"""``main-job``: a journey of five steps with one POST, every step durable, the whole command.

Each run is measured beside two bare loops of as many POSTs to the same server, on the same event
loop: the engine's own HTTP client with nothing around it (``of_bare``), and fixed bytes over kept
connections (``of_fixed_bytes``). On SQLite also beside both limits of a durable call: that loop of
the client, and then ``executemany`` of the rows that are left (``of_bare_and_rows``). Times include
the command's start. With ``--workers`` the command hands its users to so many workers; CPU and
memory are then those of all of them together.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.bare_rows import PASSAGES, bare_seconds
from tests.bench.installation import (
    DATABASES,
    Installation,
    Place,
    installations,
    until,
    users_file,
)
from tests.bench.shape import Bench, Case, Figures, Option, repeated, sizes
from tests.bench.spending import cpu_s, memory_mib, spend
from tests.partners import spawned

JOURNEY = """\
dsl: 1
journey: five-steps
steps:
  - {id: mark, type: set, values: {vars.tier: "{{ user.tier }}"}}
  - {id: arm, type: split, arms: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - id: post
    type: call_api
    endpoint: api
    path: /send
    body: {to: "{{ user.email }}", tier: "{{ vars.tier }}"}
  - id: kind
    type: branch
    paths:
      - {name: gold, when: user.tier == 'gold', next: done}
  - {id: done, type: exit, outcome: sent}
"""
STEPS = 5
_OWNED = "SELECT count(DISTINCT owner) FROM buckets WHERE owner IS NOT NULL"
_FREE = "SELECT count(*) FROM buckets WHERE owner IS NULL"


@dataclass(frozen=True, slots=True)
class Work:
    """What a run took: seconds of wall and CPU, MiB at most, of all processes of the engine."""

    wall: float
    cpu: float
    memory: float

    def of(self, users: int) -> Figures:
        """As figures of so many users."""
        return {
            "users_per_s": users / self.wall,
            "steps_per_s": users * STEPS / self.wall,
            "cpu_us_a_user": self.cpu / users * 1e6,
            "memory_mib": self.memory,
        }


def measure(given: Namespace) -> Iterator[Case]:
    """A case for each size."""
    if given.workers > 1 and given.database == "sqlite":
        raise SystemExit("on SQLite one worker works: --database postgresql")
    with spawned("load") as servers, installations(given.database) as place:
        url = servers["load"].url
        for size in sizes(given.users):
            name = f"{size:,} users"
            yield repeated(name, given.runs, _once, place, url, size, given)


def _once(place: Place, url: str, users: int, given: Namespace) -> Figures:
    installation = place()
    bare, fixed = bare_rates(installation, url, bare_calls(users))
    work = five_steps(installation, url, users, given.workers)
    rate = users / work.wall
    ratios = {"of_bare": rate / bare, "of_fixed_bytes": rate / fixed}
    if given.database == "sqlite":
        file = installation.folder / "home" / "engine.db"
        rows = bare_seconds(file, PASSAGES, max(1, users // 1_000))
        ratios["of_bare_and_rows"] = (users / bare + rows) / work.wall
    return work.of(users) | ratios


def bare_calls(users: int) -> int:
    """Of how many calls the rate is steady, for so many users."""
    return min(max(users, 5_000), 5 * users)


def bare_rates(installation: Installation, url: str, calls: int) -> tuple[float, float]:
    """Calls a second of the engine's client alone, and of fixed bytes."""
    command = [sys.executable, "-m", "tests.bench.bare_client", url, str(calls)]
    spend(command, installation.folder)
    client, fixed = (installation.folder / "out").read_text().split()
    return float(client), float(fixed)


def five_steps(
    installation: Installation, url: str, users: int, workers: int = 0, journey: str = JOURNEY
) -> Work:
    """Take so many users through the journey, by the command itself or by workers beside it."""
    installation.endpoints(api=url)
    path = users_file(installation.folder / "users.csv", users)
    if not workers:
        spent = installation.live(journey, path)
        return Work(spent.wall, spent.cpu, spent.memory)
    installation.publish(journey=journey)
    with ExitStack() as stack:
        team = [stack.enter_context(installation.process("worker")).pid for _ in range(workers)]
        until(lambda: _shared(installation, workers))
        before = sum(map(cpu_s, team))
        spent = installation.live(journey, path)
        cpu = spent.cpu + sum(map(cpu_s, team)) - before
        memory = spent.memory + sum(memory_mib(process, peak=True) for process in team)
    return Work(spent.wall, cpu, memory)


def _shared(installation: Installation, workers: int) -> bool:
    return installation.count(_OWNED) == workers and not installation.count(_FREE)


BENCH = Bench(
    "main-job",
    "five steps with one POST, durable, beside the bare loop of the client\n\n" + (__doc__ or ""),
    (
        Option("users", "1000,10000,50000,200000", "sizes, separated by commas"),
        Option("runs", 3, "how often each size is run"),
        Option("database", "sqlite", "where the state is", DATABASES),
        Option("workers", 0, "workers beside the command; 0: it works its run itself"),
    ),
    measure,
)
