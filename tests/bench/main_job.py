"""``main-job``: five steps with one POST, SQLite, everything durable, the whole command measured.

Each size is measured beside a bare loop of the same HTTP client, in turn, so that the ratio holds
whatever the machine does meanwhile. Times include the command's start.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.spending import BIN, Spent, spend
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


def measure(sizes: list[int], runs: int) -> None:
    """Print a table of the figures and one JSON line."""
    with spawned("load") as servers, tempfile.TemporaryDirectory() as folder:
        url = servers["load"].url
        print(
            f"{'users':>9} {'users/s':>22} {'steps/s':>9} {'of bare':>8} {'µs CPU':>7} {'MiB':>6}"
        )
        figures = [_one_size(Path(folder), url, size, runs) for size in sizes]
    print(json.dumps({"bench": "main-job", "runs": runs, "sizes": figures}))


def _one_size(folder: Path, url: str, users: int, runs: int) -> dict[str, object]:
    spent: list[Spent] = []
    ratios: list[float] = []
    for run in range(runs):
        calls = str(max(users, 5_000))
        spend([sys.executable, "-m", "tests.bench.bare_client", url, calls], folder)
        calls_per_s = float((folder / "out").read_text().split()[0])
        home = folder / f"home-{users}-{run}"
        spent.append(_main_job(folder, home, url, users))
        ratios.append(users / spent[-1].wall / calls_per_s)
    rates = sorted(users / s.wall for s in spent)
    rate, ratio = statistics.median(rates), statistics.median(ratios)
    cpu = statistics.median(s.cpu for s in spent) / users * 1e6
    memory = max(s.memory for s in spent)
    spread = f"{rate:,.0f} ({rates[0]:,.0f}-{rates[-1]:,.0f})"
    print(
        f"{users:>9,} {spread:>22} {rate * STEPS:>9,.0f} {ratio:>8.2f} {cpu:>7.0f} {memory:>6.0f}"
    )
    return {
        "users": users,
        "users_per_s": [round(r) for r in rates],
        "of_bare": [round(r, 3) for r in sorted(ratios)],
        "cpu_us": round(cpu),
        "memory_mib": round(memory),
    }


def _main_job(folder: Path, home: Path, url: str, users: int) -> Spent:
    """One run of the command over fresh users in a fresh installation."""
    os.environ["JOURNEY_HOME"] = str(home)
    os.environ["JOURNEY_EGRESS_ALLOW"] = "127.0.0.0/8,[::1]"
    (folder / "journey.yaml").write_text(JOURNEY)
    (folder / "endpoints.yaml").write_text(f"endpoints:\n  api: {{base_url: {url}}}\n")
    with (folder / "users.csv").open("w") as file:
        file.write("id,email,tier\n")
        for n in range(users):
            file.write(f"u{n},u{n}@example.com,{'gold' if n % 3 else 'base'}\n")
    spend([str(BIN / "journey"), "apply", str(folder / "endpoints.yaml")], folder)
    command = [str(BIN / "run-journey"), str(folder / "journey.yaml"), "--live", "--quiet"]
    return spend([*command, "--users", str(folder / "users.csv")], folder)
