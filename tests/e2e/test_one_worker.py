"""One process works on a database: a second one waits and sees, a killed one is taken over from."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.e2e.installation import Installation, Running
from tests.partners import Answers, Partner, bodies_by_key, running

JOURNEY = """\
dsl: 1
journey: greet
steps:
  - {id: greet, type: call_api, endpoint: api, path: "/greet/{{ user.id }}", body: {n: 1}}
"""
COMMAND = ("run-journey", "journey.yaml", "--users", "users.csv", "--live", "--json")


def _installation(folder: Path, api: Partner, users: int, **endpoint: object) -> Installation:
    here = Installation(folder)
    settings = "".join(f", {name}: {value}" for name, value in endpoint.items())
    here.write("endpoints.yaml", f"endpoints:\n  api: {{base_url: {api.url}{settings}}}\n")
    here.write("journey.yaml", JOURNEY)
    here.write("users.csv", "\n".join(["id", *(f"u{n}" for n in range(users))]) + "\n")
    here.run("journey", "apply", "endpoints.yaml")
    return here


def _wait_for(api: Partner, requests: int, run: Running) -> None:
    while len(api.log) < requests:
        assert not run.ended, "it was over too early"
        time.sleep(0.005)


def test_the_same_command_twice_follows_the_first_and_goes_on_when_that_ends(
    tmp_path: Path,
) -> None:
    with running(Answers()) as api:
        api.change(delay=0.05)
        here = _installation(tmp_path, api, 600, concurrency=4)
        with here.running(*COMMAND) as first:
            _wait_for(api, 20, first)
            with here.start(*COMMAND) as second:
                assert second.stderr is not None
                assert "goes on" in second.stderr.readline()
                said = second.stderr.readline()
                assert f"process {first.process.pid} works on" in said
                assert "alone: these users are taken through when it is done" in said
                first.process.terminate()
                begun = first.finish(code=143)
                api.change(delay=0.0)
                out, err = second.communicate(timeout=300)
    assert second.returncode == 0, err
    *told, summary = map(json.loads, out.splitlines())
    assert summary["finished"] == 600
    seen = [line["user"] for line in told if line["type"] == "step"]
    assert len(set(seen)) == len(seen), "each step is told of once, whoever took it"
    assert {line["user"] for line in begun.lines[:-1]}.union(seen) == {f"u{n}" for n in range(600)}
    assert len(api.log) == len(bodies_by_key(api.log)) == 600, "a drained run repeats nothing"


def test_what_may_be_called_at_most_once_is_never_called_twice(tmp_path: Path) -> None:
    users = 400
    with running(Answers()) as api:
        api.change(delay=0.05)
        here = _installation(tmp_path, api, users, concurrency=20, delivery="at_most_once")
        for target in (30, 90, 150):
            with here.running(*COMMAND) as run:
                _wait_for(api, target, run)
                run.process.kill()
        api.change(delay=0.0)
        summary = here.run(*COMMAND).summary
    assert summary["finished"] == users
    assert max(len(bodies) for bodies in bodies_by_key(api.log).values()) == 1
    succeeded, failed = summary["calls"]["succeeded"], summary["calls"]["failed"]
    assert succeeded + failed == users
    assert 1 <= failed <= 3 * 20
    assert succeeded <= len(api.log) <= users
    unknown = here.query("SELECT DISTINCT failure FROM executions WHERE status = 2")
    assert unknown == [("call.unknown",)]


def test_settings_are_changed_while_users_are_on_their_way(tmp_path: Path) -> None:
    with running(Answers()) as api, running(Answers()) as other:
        api.change(delay=0.1)
        here = _installation(tmp_path, api, 800, concurrency=10)
        with here.running(*COMMAND) as run:
            _wait_for(api, 50, run)
            here.write("endpoints.yaml", f"endpoints:\n  api: {{base_url: {other.url}}}\n")
            begun = time.monotonic()
            here.run("journey", "apply", "endpoints.yaml")
            assert time.monotonic() - begun < 20
            before = len(api.log)
            summary = run.finish().summary
    assert summary["finished"] == 800
    assert len(api.log) + len(other.log) == 800
    assert len(api.log) <= before + 10, "only those under way still went to the old address"
    assert len(other.log) > 0
