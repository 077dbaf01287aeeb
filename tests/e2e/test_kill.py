"""kill -9 at any moment, any number of times: nobody is lost, nobody is served twice."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from engine.enrollments.send import MOST_UNCOMMITTED
from tests.e2e.installation import Installation
from tests.partners import Answers, bodies_by_key, running

JOURNEY = """\
dsl: 1
journey: five-steps
steps:
  - {id: mark, type: set, values: {vars.tier: "{{ user.tier }}"}}
  - {id: greet, type: call_api, endpoint: api, path: "/greet/{{ user.id }}", body: {n: 1}}
  - id: kind
    type: branch
    paths:
      - name: gold
        when: vars.tier == 'gold'
        steps:
          - {id: gift, type: call_api, endpoint: api, path: "/gift/{{ user.id }}", body: {n: 2}}
  - {id: close, type: call_api, endpoint: api, path: "/close/{{ user.id }}", body: {n: 3}}
  - {id: done, type: exit, outcome: served}
"""
USERS = 1_500
KILLS = 20
CONCURRENCY = 100


def _still_runs(process: subprocess.Popen[str]) -> bool:
    """Wait a moment for the process to end; True if it didn't."""
    try:
        process.wait(0.01)
    except subprocess.TimeoutExpired:
        return True
    return False


@pytest.mark.parametrize("seed", [1])
def test_nobody_is_lost_or_served_twice_through_twenty_kills(tmp_path: Path, seed: int) -> None:
    lots = random.Random(seed)
    with running(Answers()) as api:
        api.change(delay=0.01)
        here = Installation(tmp_path)
        here.write("endpoints.yaml", f"endpoints:\n  api: {{base_url: {api.url}}}\n")
        here.write("journey.yaml", JOURNEY)
        rows = [f"u{n},{'gold' if n % 3 == 0 else 'base'}" for n in range(USERS)]
        here.write("users.csv", "\n".join(["id,tier", *rows]) + "\n")
        here.run("journey", "apply", "endpoints.yaml")
        command = ("run-journey", "journey.yaml", "--users", "users.csv", "--live", "--json")

        expected = 2 * USERS + USERS // 3
        in_flight = 0
        for _ in range(KILLS):
            before = len(api.log)
            target = before + lots.randint(1, expected // (KILLS + 4))
            with here.start(*command) as process:
                while len(api.log) < target and _still_runs(process):
                    pass
                process.kill()
                process.communicate()
            in_flight += CONCURRENCY + MOST_UNCOMMITTED
        summary = here.run(*command).summary
        again = here.run(*command).summary

    assert summary["entered"] == summary["finished"] == USERS
    assert summary["waiting"] == 0
    assert summary["outcomes"] == {"served": USERS}
    assert (again["entered"], again["refused"]) == (0, USERS)

    answered = bodies_by_key(api.log)
    assert len(answered) == expected, "each call has one key, whatever was killed"
    for bodies in answered.values():
        assert len(set(bodies)) == 1, "a repeat has the body of the first attempt"
    assert expected <= len(api.log) <= expected + in_flight
    paths = {request.path for request in api.log}
    assert len(paths) == expected, "everybody got every call that was his"

    assert here.query("SELECT count(*) FROM executions") == [(5 * USERS + USERS // 3,)]
    assert here.query("SELECT count(*) FROM enrollments WHERE state <> 2") == [(0,)]
    assert here.query("SELECT count(*) FROM calls") == [(0,)]
