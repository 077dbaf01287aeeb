"""The shared states of endpoints, with several processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.db.connect import Database
from engine.endpoints import states, store
from engine.endpoints.gate import OPEN, WELL, Breaker, GatePolicy, Sighting
from engine.endpoints.limits import Rate
from engine.endpoints.model import Endpoint
from tests.databases import database_url
from tests.forked import Popen

pytestmark = pytest.mark.usefixtures("either_database")

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND
POLICY = GatePolicy(Breaker(2, 10 * SECOND, 30 * SECOND))
FAILED = Sighting("failed", "call.timed_out", "no answer in time")

SENDS_FOR_A_WHILE = """
import asyncio, json, sys, time
from engine.clock import RealClock
from engine.db.connect import Database
from engine.endpoints.live import LiveEndpoints
from engine.enrollments.pending import PendingCall

async def main(until):
    database, uses = Database(sys.argv[1]), []
    live = LiveEndpoints(database, RealClock())
    with database.read() as connection:
        live.terms(connection)
    woken = asyncio.Event()
    live.changed = lambda _: woken.set()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + until
    while time.monotonic() < end:
        call = PendingCall(0, 1, "api", "POST", "/", (), None, b"", "k")
        wait = live.admit("api", call, lambda: 50)
        if wait == 0.0:
            uses.append(time.time_ns() // 1000)
            continue
        try:
            await asyncio.wait_for(woken.wait(), min(wait, 0.2))
        except TimeoutError:
            pass
        woken.clear()
    print(json.dumps(uses))

asyncio.run(main(float(sys.argv[2])))
"""


def uses_of(url: str, processes: int, seconds: float) -> list[int]:
    """When so many processes at once took permits, as many as they got."""
    command = [sys.executable, "-c", SENDS_FOR_A_WHILE, url, str(seconds)]
    started = [
        Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    said = []
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in started:
        said.append(one.communicate(timeout=300)[0])
        assert one.returncode == 0
    return sorted(use for text in said for use in json.loads(text))


def test_four_processes_together_keep_one_limit_and_use_it_up(
    database: Database, tmp_path: Path
) -> None:
    rate = {"count": 100, "per": "1s"}
    limited = {"name": "api", "base_url": "https://a.example", "rate_limit": rate}
    with database.write() as connection:
        store.save(connection, Endpoint.model_validate(limited), now=NOW, actor="ada")
    uses = uses_of(database_url(tmp_path), 4, 2.3)
    for first, last in zip(uses, uses[100:], strict=False):
        assert last - first >= SECOND, "101 uses lie in less than a second"
    assert len(uses) >= 200, "two spans, and what was left of the third"


def test_failures_of_two_processes_open_one_circuit(database: Database) -> None:
    for _ in range(2):
        with database.write() as connection:
            shared = states.observe(connection, "api", POLICY, [(FAILED, NOW, False)])
    assert shared.gate.since == NOW
    with database.read() as connection:
        assert states.gates(connection) == {"api": shared}


def test_only_one_claims_a_probe_and_its_success_opens_for_all(database: Database) -> None:
    with database.write() as connection:
        shut = states.observe(connection, "api", POLICY, [(FAILED, NOW, False)] * 2)
    claims = []
    for _ in range(2):
        with database.write() as connection:
            until = NOW + 70 * SECOND
            claims.append(states.claim_probe(connection, "api", shut.gate, until))
    assert claims == [True, False]
    with database.write() as connection:
        seen = [(WELL, NOW + 31 * SECOND, True)]
        opened = states.observe(connection, "api", POLICY, seen)
    assert opened.gate == OPEN
    assert opened.change > shut.change


def test_permits_that_one_process_takes_are_not_anothers(database: Database) -> None:
    rate, taken = Rate(10, SECOND), []
    for wanted in (6, 6, 6):
        with database.write() as connection:
            grants, _ = states.take_permits(connection, "api", rate, NOW, wanted)
        taken.append(sum(grant.count for grant in grants))
    assert taken == [6, 4, 0]


def test_what_happened_to_an_endpoint_goes_with_it(database: Database) -> None:
    endpoint = Endpoint.model_validate({"name": "api", "base_url": "https://a.example"})
    with database.write() as connection:
        store.save(connection, endpoint, now=NOW, actor="ada")
        states.observe(connection, "api", POLICY, [(FAILED, NOW, False)] * 2)
        store.delete(connection, "api", now=NOW, actor="ada")
        assert states.gates(connection) == {}
