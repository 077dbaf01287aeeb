"""``latency``: from an event that was accepted to the first byte of its first call.

A worker in a process of its own, SQLite. An event is accepted when the transaction that appended
it is committed. The stopwatch is the machine's, so times of different processes can be compared.
First single events, then so many a second; with ``--enrolling`` a ``run-journey --live`` takes that
many users through the main job meanwhile, handed over to the same worker. Beside it (``bare``)
commits of one row, each followed by a request on a kept connection: no worker could be faster.
"""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from engine.users.incoming import IncomingEvent
from tests.bench import spending
from tests.bench.installation import Installation, Place, installations, until, users_file
from tests.bench.main_job import JOURNEY as MAIN_JOB
from tests.bench.shape import Bench, Case, Option, percentiles
from tests.bench.spending import BIN, cpu_s, memory_mib
from tests.bench.telling import appending
from tests.partners import spawned

ANSWERING = """\
dsl: 1
journey: answering
entry: {triggers: [{event: asked}], inputs: {n: number}, key: inputs.n, reentry: after_exit}
steps:
  - {id: post, type: call_api, endpoint: stamps, path: /x, body: {n: "{{ inputs.n }}"}}
"""
_BARE = 200
_ANSWERED = "SELECT count(*) FROM enrollments WHERE journey = 'answering' AND state = 2"


def measure(given: Namespace) -> Iterator[Case]:
    """Bare, calm and at a rate."""
    calm, busy, bare = Case("single events"), Case(f"{given.rate} a second"), Case("bare")
    with installations() as place:
        for _ in range(given.runs):
            _once(place, given, calm, busy, bare)
    yield bare
    yield calm
    yield busy


def _once(place: Place, given: Namespace, calm: Case, busy: Case, bare: Case) -> None:
    installation = place()
    accepted: list[int] = []
    with (
        spawned("load") as servers,
        _stamping() as (port, stamps),
    ):
        installation.endpoints(stamps=f"http://127.0.0.1:{port}", api=servers["load"].url)
        installation.publish(answering=ANSWERING)
        with installation.process("worker") as worker, appending(installation) as append:

            def tell() -> None:
                n = len(accepted)
                append([IncomingEvent(f"u{n}", "asked", {"n": n})])
                accepted.append(time.monotonic_ns())

            for _ in range(given.idle):
                time.sleep(random.uniform(0.15, 0.35))
                tell()
            before = cpu_s(worker.pid)
            with _enrolling(installation, given.enrolling):
                begin = time.monotonic()
                for n in range(int(given.rate * given.seconds)):
                    time.sleep(max(0.0, begin + n / given.rate - time.monotonic()))
                    tell()
                until(lambda: installation.count(_ANSWERED) >= len(accepted), worker)
            cpu = cpu_s(worker.pid) - before
            memory = memory_mib(worker.pid, peak=True)
        bare_times = _bare(installation.folder, int(port), len(accepted))
        came = stamps()
    waited = [(came[str(n)] - at) / 1e6 for n, at in enumerate(accepted) if str(n) in came]
    bare_ms = [(came[str(n)] - at) / 1e6 for n, at in bare_times.items()]
    bare.add(percentiles("first_byte_*_ms", bare_ms))
    calm.add(percentiles("first_byte_*_ms", waited[: given.idle]))
    calm.add(
        {"of_bare": bare.figures["first_byte_p50_ms"][-1] / calm.figures["first_byte_p50_ms"][-1]}
    )
    busy.add(percentiles("first_byte_*_ms", waited[given.idle :]))
    busy.add({"lost": len(accepted) - len(waited), "memory_mib": memory})
    if not given.enrolling:
        busy.add({"cpu_us_an_event": cpu / (given.rate * given.seconds) * 1e6})


@contextmanager
def _enrolling(installation: Installation, users: int) -> Iterator[None]:
    """``run-journey --live`` beside, over so many users; given up at the end."""
    if not users:
        yield
        return
    path = users_file(installation.folder / "users.csv", users)
    journey = installation.file("main.yaml", MAIN_JOB)
    command = [str(BIN / "run-journey"), journey, "--live", "--quiet", "--users", path]
    process = spending.Popen(
        command, env=installation.environment, stdout=subprocess.DEVNULL, cwd=installation.folder
    )
    try:
        while not installation.count(
            "SELECT count(*) FROM enrollments WHERE journey <> 'answering'"
        ):
            time.sleep(0.1)
        yield
        if process.poll() is not None:
            print("all were enrolled before the events were told: give more users", file=sys.stderr)
    finally:
        process.terminate()
        process.wait(60)


def _bare(folder: Path, port: int, first: int) -> dict[int, int]:
    """When each row was committed; a request that names it follows."""
    committed: dict[int, int] = {}
    with (
        closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as database,
        closing(http.client.HTTPConnection("127.0.0.1", port)) as connection,
    ):
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE events (n INTEGER PRIMARY KEY)")
        for n in range(first, first + _BARE):
            database.execute("INSERT INTO events VALUES (?)", (n,))
            committed[n] = time.monotonic_ns()
            connection.request("POST", "/x", json.dumps({"n": n}))
            connection.getresponse().read()
    return committed


@contextmanager
def _stamping() -> Iterator[tuple[str, Callable[[], dict[str, int]]]]:
    """A server that notes when requests came: its port, and what ends it and gives them."""
    server = spending.Popen(
        [sys.executable, "-m", "tests.bench.stamping"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None

    def stamps() -> dict[str, int]:
        said, _ = server.communicate()
        came: dict[str, int] = json.loads(said)
        return came

    try:
        yield server.stdout.readline().strip(), stamps
    finally:
        if server.poll() is None:
            server.communicate()


BENCH = Bench(
    "latency",
    "from an event to the first byte of its first call\n\n" + (__doc__ or ""),
    (
        Option("rate", 500, "events a second"),
        Option("seconds", 15.0, "for how long"),
        Option("idle", 60, "single events before that"),
        Option("enrolling", 0, "users who are taken through the main job meanwhile"),
        Option("runs", 1, "how often"),
    ),
    measure,
)
