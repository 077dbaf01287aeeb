"""``latency``: from an event that was accepted to the first byte of its first call, and how late
sleepers wake; a worker in a process of its own, SQLite.

An event is accepted when the transaction that appended it is committed. The stopwatch is the
machine's, so times of different processes can be compared.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clock import wall
from engine.db.connect import Database
from engine.db.ids import IdMaker, entropy
from engine.users.incoming import IncomingEvent
from engine.users.ingest import ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWERING = """\
dsl: 1
journey: answering
entry: {triggers: [{event: asked}], inputs: {n: number}, key: inputs.n, reentry: after_exit}
steps:
  - {id: post, type: call_api, endpoint: api, path: /x, body: {n: "{{ inputs.n }}"}}
"""
SLEEPING = """\
dsl: 1
journey: sleeping
entry: {triggers: [{event: slept}], inputs: {at: text}}
steps:
  - {id: rest, type: wait, until: {date: inputs.at, missing: exit}}
  - {id: up, type: set, values: {vars.up: 1}}
"""
BIN = Path(sys.executable).parent


def measure(rate: int, seconds: int, idle: int, sleepers: int) -> None:
    """Print a table of the figures and one JSON line."""
    with tempfile.TemporaryDirectory() as folder, _installed(Path(folder)) as (database, stamps):
        made = _Events(database)
        for _ in range(idle):
            time.sleep(random.uniform(0.15, 0.35))
            made.tell()
        calm = len(made.accepted)
        begin = time.monotonic()
        for n in range(rate * seconds):
            time.sleep(max(0.0, begin + n / rate - time.monotonic()))
            made.tell()
        rested = made.sleep(sleepers)
        late = _lateness(database, sleepers, rested)
        time.sleep(2)
        came = stamps()
    waited = [(came[str(n)] - at) / 1e6 for n, at in enumerate(made.accepted) if str(n) in came]
    lost = len(made.accepted) - len(waited)
    figures = {
        "idle_ms": _spread(waited[:calm]),
        f"at_{rate}_per_s_ms": _spread(waited[calm:]),
        f"wake_{sleepers}_ms": _spread(late),
        "lost": lost,
    }
    for name, figure in figures.items():
        print(f"{name:>20} {figure}")
    print(json.dumps({"bench": "latency", **figures}))


class _Events:
    """Tells of events one by one; ``accepted`` is when each was."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new_id = IdMaker(entropy)
        self.accepted: list[int] = []

    def tell(self) -> None:
        """One more, of another user each time."""
        n = len(self.accepted)
        self._append([IncomingEvent(f"u{n}", "asked", {"n": n})])
        self.accepted.append(time.monotonic_ns())

    def sleep(self, count: int) -> int:
        """So many users fall asleep until moments of one second; when that second begins."""
        begins = wall() + 15_000_000
        for start in range(0, count, 1_000):
            self._append(
                [
                    IncomingEvent(f"s{n}", "slept", {"at": _iso(begins + n * 1_000_000 // count)})
                    for n in range(start, min(count, start + 1_000))
                ]
            )
        return begins

    def _append(self, events: list[IncomingEvent]) -> None:
        with self._database.write() as connection:
            ingest(connection, events, now=wall(), new_id=self._new_id)


def _lateness(database: Database, count: int, begins: int) -> list[float]:
    """By how many milliseconds each sleeper woke too late."""
    time.sleep(max(0.0, (begins - wall()) / 1e6 + 5))
    with database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT e.user_id, x.ended_at FROM executions AS x"
            " JOIN enrollments AS e ON e.bucket = x.bucket AND e.id = x.enrollment"
            " WHERE x.step = 0 AND e.journey = 'sleeping'"
        ).fetchall()
    found = [(ended - (begins + int(user[1:]) * 1_000_000 // count)) / 1e3 for user, ended in rows]
    assert len(found) == count, f"{len(found)} of {count} woke"
    assert min(found) >= 0, "somebody woke too early"
    return found


def _iso(instant: int) -> str:
    seconds, micro = divmod(instant, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micro:06d}Z"


@contextmanager
def _installed(folder: Path) -> Iterator[tuple[Database, Callable[[], dict[str, int]]]]:
    """A worker at work, and a server that notes when requests came."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stamping"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    env = {"JOURNEY_HOME": str(folder / "home"), "JOURNEY_EGRESS_ALLOW": "127.0.0.0/8"}

    def command(*words: str) -> list[str]:
        return [str(BIN / "journey"), *words]

    def ask(*words: str) -> None:
        subprocess.run(command(*words), env=env, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    ask("endpoints", "set", "api", "--url", f"http://127.0.0.1:{port}")
    for name, text in (("answering", ANSWERING), ("sleeping", SLEEPING)):
        (folder / f"{name}.yaml").write_text(text)
        ask("publish", f"{name}.yaml")
    log = (folder / "worker.log").open("w+")
    worker = subprocess.Popen(command("worker"), env=env, cwd=folder, stderr=log)
    database = Database(f"sqlite:///{folder / 'home' / 'engine.db'}")

    def stamps() -> dict[str, int]:
        said, _ = server.communicate()
        came: dict[str, int] = json.loads(said)
        return came

    try:
        while "journeys that users enter" not in (folder / "worker.log").read_text():
            time.sleep(0.1)
        time.sleep(2)
        yield database, stamps
    finally:
        worker.terminate()
        worker.wait()
        log.close()
        database.close()


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {k: round(ordered[int((len(ordered) - 1) * q)], 1) for k, q in at.items()}
