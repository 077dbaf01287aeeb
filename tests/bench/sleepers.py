"""``sleepers``: what users who sleep cost in bytes, and what an idle ``journey up`` takes beside
them; what as many events take in memory, sent and received.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.spending import BIN, cpu_s, memory_mib, spend

if TYPE_CHECKING:
    from collections.abc import Iterator

RESTING = """\
dsl: 1
journey: resting
entry: {triggers: [{event: came}]}
steps:
  - {id: rest, type: wait, for: P30D}
  - {id: up, type: set, values: {vars.up: 1}}
"""
IDLE_S = 30
SETTLE_S = 10
TERMINATED = 143


def measure(sizes: list[int]) -> None:
    """Print a table of the figures and one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        figures = []
        print(
            f"{'users':>9} {'asleep/s':>9} {'bytes each':>10} {'run MiB':>8} {'idle %':>7}", end=""
        )
        print(f" {'idle MiB':>8} {'send MiB':>8} {'received/s':>10} {'up MiB':>7}")
        for size in sizes:
            found = _one_size(Path(folder), size)
            figures.append(found)
            print(
                f"{size:>9,} {found['asleep_per_s']:>9,.0f} {found['bytes_each']:>10.0f}"
                f" {found['run_mib']:>8.0f} {found['idle_percent']:>7.3f} {found['idle_mib']:>8.0f}"
                f" {found['send_mib']:>8.0f} {found['received_per_s']:>10,.0f}"
                f" {found['up_mib']:>7.0f}"
            )
    print(json.dumps({"bench": "sleepers", "sizes": figures}))


def _one_size(folder: Path, users: int) -> dict[str, float]:
    folder = folder / str(users)
    folder.mkdir()
    os.chdir(folder)
    home = folder / "home"
    os.environ["JOURNEY_HOME"] = str(home)
    os.environ["JOURNEY_LOG_LEVEL"] = "warning"
    (folder / "resting.yaml").write_text(RESTING)
    with (folder / "users.csv").open("w") as rows:
        rows.write("id,email\n")
        rows.writelines(f"u{n},u{n}@example.com\n" for n in range(users))
    with (folder / "events.csv").open("w") as rows:
        rows.write("user,event,at,total\n")
        rows.writelines(f"u{n},seen,2026-01-01T00:00:00Z,{n}\n" for n in range(users))
    command = [str(BIN / "run-journey"), "resting.yaml", "--live", "--quiet", "--users"]
    run = spend([*command, "users.csv"], folder)
    spend([str(BIN / "journey"), "publish", "resting.yaml"], folder)
    found = {
        "users": users,
        "asleep_per_s": users / run.wall,
        "bytes_each": _bytes_of_sleepers(home) / users,
        "run_mib": run.memory,
    }
    with _up(folder) as process:
        time.sleep(SETTLE_S)
        before = cpu_s(process)
        time.sleep(IDLE_S)
        found["idle_percent"] = (cpu_s(process) - before) / IDLE_S * 100
        found["idle_mib"] = memory_mib(process)
        sent = spend([str(BIN / "journey"), "events", "send", "events.csv"], folder)
        since = time.monotonic()
        while _waiting(home):
            time.sleep(0.2)
        found["send_mib"] = sent.memory
        found["received_per_s"] = users / (sent.wall + time.monotonic() - since)
        found["up_mib"] = memory_mib(process, peak=True)
    return found


def _bytes_of_sleepers(home: Path) -> int:
    """What users and enrollments take in the file, with their indexes."""
    with closing(sqlite3.connect(home / "engine.db")) as connection:
        total: int = connection.execute(
            "SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN (SELECT name FROM"
            " sqlite_master WHERE tbl_name IN ('users', 'enrollments'))"
        ).fetchone()[0]
    return total


def _waiting(home: Path) -> bool:
    with closing(sqlite3.connect(home / "engine.db")) as connection:
        return connection.execute("SELECT 1 FROM inbox LIMIT 1").fetchone() is not None


@contextmanager
def _up(folder: Path) -> Iterator[int]:
    """``journey up``; its process."""
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen([str(BIN / "journey"), "up"], cwd=folder, stderr=log)
        try:
            yield process.pid
        finally:
            process.terminate()
            if process.wait(60) != TERMINATED:
                raise SystemExit((folder / "up.log").read_text())
