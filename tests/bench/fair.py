"""``fair``: what one endpoint that takes five seconds costs the users of those that are fast.

Users of one file call, in turn, one of some fast endpoints or the slow one; each run is paired with
one in which all of these but one call another fast one, before or after, by turns. Measured is how
long it takes until the last user of a fast endpoint has left (``of_bare``: the paired time against
it), and by how much more (``slowed_percent``); by how much more CPU, which other work on the
machine hardly changes; and how long their passages take, from entry to exit.
"""

from __future__ import annotations

import subprocess
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle

from tests.bench import spending
from tests.bench.installation import Installation, Place, installations, until
from tests.bench.shape import Bench, Case, Figures, Option, percentiles, repeated
from tests.bench.spending import BIN, cpu_s, memory_mib
from tests.partners import Remote, spawned

_FAST = 4
_DONE = "SELECT sum(n) FROM step_counts WHERE step = -1 AND kind = 5 AND name = 'fast'"
_TOOK = "SELECT max(ended_at) - min(entered_at) FROM enrollments WHERE outcome = 'fast'"
_PASSAGES = "SELECT (ended_at - entered_at) / 1000.0 FROM enrollments WHERE outcome = 'fast'"
_STEP = """\
  - {{id: {name}, type: call_api, endpoint: {name}, path: /send, body: {{to: "{{{{ user.id }}}}"}}}}
  - {{id: {name}_done, type: exit, outcome: {outcome}}}
"""


def _journey() -> str:
    names = ["slow", "as_fast", *(f"fast{n}" for n in range(_FAST))]
    paths = "".join(f"      - {{name: {n}, when: user.api == '{n}', next: {n}}}\n" for n in names)
    steps = "".join(
        _STEP.format(name=name, outcome="fast" if name in names[2:] else "slow") for name in names
    )
    return (
        "dsl: 1\njourney: fair\nsteps:\n  - id: which\n    type: branch\n    paths:\n"
        + paths
        + steps
    )


def measure(given: Namespace) -> Iterator[Case]:
    """One case: the pairs."""
    with spawned("load", "answers") as servers, installations() as place:
        # What grows slower or faster meanwhile is for both alike.
        orders = cycle([(False, True), (True, False)])
        yield repeated(f"{given.slow}% slow", given.runs, _pair, place, servers, given, orders)


def _pair(
    place: Place,
    servers: Mapping[str, Remote],
    given: Namespace,
    orders: Iterator[tuple[bool, bool]],
) -> Figures:
    took = {
        slowed: _until_fast_are_done(place(), servers, given, slowed) for slowed in next(orders)
    }
    alone, beside = took[False], took[True]
    ratio = beside["took_s"] / alone["took_s"]
    return {
        "fast_users_per_s": given.users * (1 - given.slow / 100) / beside["took_s"],
        "slowed_percent": (ratio - 1) * 100,
        "of_bare": 1 / ratio,
        "cpu_us_a_user": beside["cpu_us_a_user"],
        "more_cpu_percent": (beside["cpu_us_a_user"] / alone["cpu_us_a_user"] - 1) * 100,
        "passage_ms_p50": beside["passage_ms_p50"],
        "passage_ms_p99": beside["passage_ms_p99"],
        "paired_passage_ms_p50": alone["passage_ms_p50"],
        "paired_passage_ms_p99": alone["passage_ms_p99"],
        "memory_mib": beside["memory_mib"],
    }


def _until_fast_are_done(
    installation: Installation, servers: Mapping[str, Remote], given: Namespace, slowed: bool
) -> Figures:
    fast, slow = servers["load"], servers["answers"]
    slow.change(delay=given.delay)
    installation.endpoints(
        slow=slow.url, as_fast=fast.url, **{f"fast{n}": fast.url for n in range(_FAST)}
    )
    with (installation.folder / "users.csv").open("w") as file:
        file.write("id,api\n")
        for n in range(given.users):
            api = f"fast{n % _FAST}"
            if n * given.slow % 100 < given.slow:
                # The first one keeps the paired run going until it is looked at.
                api = "slow" if slowed or n == 0 else "as_fast"
            file.write(f"u{n},{api}\n")
    slow_ones = sum(1 for n in range(given.users) if n * given.slow % 100 < given.slow)
    with _running(installation) as process:
        until(lambda: installation.count(_DONE) == given.users - slow_ones, process)
        cpu, memory = cpu_s(process.pid), memory_mib(process.pid, peak=True)
        took = installation.count(_TOOK) / 1e6
        passages = installation.numbers(_PASSAGES)
    return {
        "took_s": took,
        "cpu_us_a_user": cpu / given.users * 1e6,
        "memory_mib": memory,
        **percentiles("passage_ms_*", passages),
    }


@contextmanager
def _running(installation: Installation) -> Iterator[subprocess.Popen[str]]:
    """The run; killed when the fast ones are done."""
    with installation.opened():
        pass
    command = [str(BIN / "run-journey"), installation.file("journey.yaml", _journey()), "--live"]
    command += ["--quiet", "--users", str(installation.folder / "users.csv")]
    process = spending.Popen(
        command,
        env=installation.environment,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=installation.folder,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


BENCH = Bench(
    "fair",
    "one endpoint that takes five seconds among fast ones\n\n" + (__doc__ or ""),
    (
        Option("users", 6_000, "how many in each run"),
        Option("slow", 5, "how many of a hundred call the slow endpoint"),
        Option("delay", 5.0, "seconds that it takes"),
        Option("runs", 9, "how many pairs"),
    ),
    measure,
)
