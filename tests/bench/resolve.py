"""``resolve``: resolutions of a credential while it is rotated, in several processes at once.

Each process resolves as fast as it can, 100 calls at a time, as they are sent: which versions stand
now, then the credential. Another process rotates the secret meanwhile and notes each version once
it is committed. A resolution that begins after that and gives an older one is ``stale``; one that
raises is an ``exception``. ``of_bare`` is beside as many bare tasks on the same event loop, each
waiting for its loop's next round and looking something up: more than 1 where nothing is waited for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.clock import wall
from engine.credentials.open_vault import open_vault
from engine.credentials.rotation import rotate
from engine.settings import load_settings
from tests.bench import spending
from tests.bench.installation import DATABASES, Installation, Place, installations
from tests.bench.shape import Bench, Case, Figures, Option, repeated

ENDPOINTS = """\
auth_profiles:
  key: {kind: bearer, token: {seal_from_env: BENCH_TOKEN}}
endpoints:
  api: {base_url: "https://api.example.com", auth: key}
"""


def measure(given: Namespace) -> Iterator[Case]:
    """Hot, and with a rotation going on."""
    with installations(given.database) as place:
        yield repeated("hot", given.runs, _once, place, given, 0.0)
        name = f"every {given.every:.0f} ms"
        yield repeated(name, given.runs, _once, place, given, given.every / 1e3)


def _once(place: Place, given: Namespace, every_s: float) -> Figures:
    installation = place()
    installation.environment["BENCH_TOKEN"] = "first-token-of-the-bench"
    installation.ask("apply", installation.file("endpoints.yaml", ENDPOINTS))
    committed = installation.folder / "committed"
    committed.write_bytes((0).to_bytes(8, "little"))
    rotations = 0
    with _resolving(installation, given.processes, given.resolutions, committed) as processes:
        if every_s:
            rotations = _rotate(installation, every_s, committed, processes)
        told = [json.loads(process.communicate()[0]) for process in processes]
    resolved = sum(each["resolved"] for each in told)
    return {
        "resolutions_per_s": min(each["per_s"] for each in told),
        "cpu_us_a_resolution": sum(each["cpu_s"] for each in told) / resolved * 1e6,
        "of_bare": min(each["of_bare"] for each in told),
        "memory_mib": max(each["memory_mib"] for each in told),
        "rotations": rotations,
        "resolved": resolved,
        "stale": sum(each["stale"] for each in told),
        "exceptions": sum(each["exceptions"] for each in told),
    }


def _rotate(
    installation: Installation,
    every_s: float,
    committed: Path,
    processes: list[subprocess.Popen[str]],
) -> int:
    """Rotate until nobody resolves any more; how often."""
    rotations = 0
    with installation.opened() as database, committed.open("r+b", buffering=0) as file:
        vault = open_vault(database, load_settings(installation.environment)).vault
        while any(process.poll() is None for process in processes):
            rotations += 1
            with database.write() as connection:
                token = f"token-{rotations}-of-the-bench"
                change = rotate(connection, vault, "key", token, actor="bench", now=wall())
            file.seek(0)
            file.write(change.version.to_bytes(8, "little"))
            time.sleep(every_s)
    return rotations


@contextmanager
def _resolving(
    installation: Installation, processes: int, resolutions: int, committed: Path
) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that resolve (``tests/bench/resolving.py``), once all of them are at it."""
    command = [sys.executable, "-m", "tests.bench.resolving", str(resolutions), str(committed)]
    running = [
        spending.Popen(
            command,
            env=installation.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


BENCH = Bench(
    "resolve",
    "credentials resolved while they are rotated\n\n" + (__doc__ or ""),
    (
        Option("resolutions", 300_000, "how many in each process"),
        Option("processes", 1, "how many processes resolve"),
        Option("every", 50.0, "milliseconds between two rotations"),
        Option("runs", 3, "how often"),
        Option("database", "sqlite", "where the state is", DATABASES),
    ),
    measure,
)
