"""What a person or a program sees of a live run, and of its report."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import Installation
from tests.partners import Answers, running

JOURNEY = """\
dsl: 1
journey: offers
steps:
  - id: half
    type: split
    arms: [{name: left, weight: 1}, {name: right, weight: 1}]
  - {id: ask, type: call_api, endpoint: api, path: "/ask/{{ user.id }}", retry: {delay: 10ms}}
  - {id: gold, type: set, when: user.tier == 'gold', values: {vars.gold: true}}
  - {id: tell, type: call_api, endpoint: api, path: "/tell/{{ user.name }}"}
"""
USERS = 60
RUN = ("run-journey", "journey.yaml", "--users", "users.csv", "--live")


@pytest.fixture(scope="module")
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        yield partner


@pytest.fixture
def here(tmp_path: Path, api: Answers) -> Installation:
    api.log.clear()
    api.change(delay=0.0, status=None, fail_first=0)
    installation = Installation(tmp_path)
    installation.write("endpoints.yaml", f"endpoints:\n  api: {{base_url: {api.url}}}\n")
    installation.write("journey.yaml", JOURNEY)
    rows = [f"u{n},{'gold' if n % 3 else 'base'},{'' if n % 4 == 0 else 'n'}" for n in range(USERS)]
    installation.write("users.csv", "\n".join(["id,tier,name", *rows]) + "\n")
    installation.run("journey", "apply", "endpoints.yaml")
    return installation


def recounted(here: Installation) -> dict[str, dict[str, int]]:
    """Each step's numbers, counted again from the executions."""
    steps = ("half", "ask", "gold", "tell")
    found = {step: {"succeeded": 0, "failed": 0, "skipped": 0} for step in steps}
    status = {1: "succeeded", 2: "failed", 3: "skipped"}
    for step, number, n in here.query(
        "SELECT step, status, count(*) FROM executions GROUP BY 1, 2"
    ):
        found[steps[step]][status[number]] = n
    return found


def finished(steps: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    keys = ("succeeded", "failed", "skipped")
    return {name: {key: step[key] for key in keys} for name, step in steps.items()}


def test_the_summary_is_what_was_executed_and_what_the_server_saw(
    here: Installation, api: Answers
) -> None:
    api.change(fail_first=1)
    done = here.run(*RUN, "--json")
    summary = done.summary
    steps = [line for line in done.lines if line["type"] == "step"]
    assert finished(summary["steps"]) == recounted(here)
    assert len(steps) == sum(sum(step.values()) for step in finished(summary["steps"]).values())
    ended = Counter(line["outcome"] for line in done.lines if line["type"] == "passage")
    assert ended == summary["outcomes"]
    # A quarter has no name: their second call can't be filled in and isn't sent.
    unnamed = USERS // 4
    calls = 2 * USERS - unnamed
    assert summary["calls"] == {"succeeded": calls, "failed": unnamed, "attempts": 2 * calls}
    assert summary["calls"]["attempts"] == len(api.log)
    assert summary["endpoints"]["api"] == {"calls": 2 * USERS, **summary["calls"]}
    assert (summary["entered"], summary["finished"], summary["waiting"]) == (USERS, USERS, 0)
    assert summary["outcomes"] == {"completed": USERS}
    assert sum(summary["arms"]["half"].values()) == USERS
    assert summary["version"] == 1


def test_the_report_of_a_run_is_its_summary(here: Installation) -> None:
    summary = here.run(*RUN, "--json").summary
    said = json.loads(here.run("journey", "report", "offers", "--json").out)
    run = said.pop("run")
    assert said.pop("state") == "finished"
    assert said.pop("opened_at") <= said.pop("finished_at")
    assert said == summary
    table = here.run("journey", "report", "offers", "--run", str(run)).out
    assert "failed 15, went on 15, stuck 0" in table
    assert "15 times  tell  call.unfillable  for example user u" in table
    rows = list(csv.DictReader(io.StringIO(here.run("journey", "report", "offers", "--csv").out)))
    assert [(row["step"], row["entered"], row["endpoint"]) for row in rows] == [
        ("half", "60", ""),
        ("ask", "60", "api"),
        ("gold", "60", ""),
        ("tell", "60", "api"),
    ]
    refused = here.run("journey", "report", "offers", "--run", "7", code=2)
    assert f"its newest is {run}" in refused.err


def test_the_same_command_again_enters_nobody(here: Installation) -> None:
    first = here.run(*RUN, "--json").summary
    again = here.run(*RUN, "--json")
    assert len(again.lines) == 1
    assert (again.summary["entered"], again.summary["refused"]) == (0, USERS)
    assert again.summary["refusals"] == {"already_ran": USERS}
    same = ("calls", "steps", "outcomes", "finished", "waiting", "tokens")
    assert all(again.summary[key] == first[key] for key in same)
    assert "--again" in again.err


def test_a_simulation_decides_as_the_live_run_does(here: Installation) -> None:
    simulated = here.run(*RUN[:-1], "--json").summary
    live = here.run(*RUN, "--json").summary
    assert simulated.pop("version") is None
    assert live.pop("version") == 1
    assert simulated == live


def test_one_user_gets_a_timeline(here: Installation, api: Answers) -> None:
    api.change(status=404)
    command = ("run-journey", "journey.yaml", "--user", "ann", "--set", "name=ann", "--live")
    lines = here.run(*command).out.splitlines()
    assert lines[0].startswith("offers · user ann · live from ")
    marks = [line.split()[1:3] for line in lines[1:]]
    assert marks[0] == ["●", "entered"]
    assert marks[2:] == [["✗", "ask"], ["○", "gold"], ["✗", "tell"], ["■", "completed"]]
    assert "POST api/ask/ann  call.client_error: answered 404; goes on" in lines[3]
    assert here.run(*command, "--fail-on", "step", code=6).out.startswith("offers · version 1")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_drains_and_the_same_command_goes_on(
    here: Installation, api: Answers, number: int, code: int
) -> None:
    api.change(delay=0.1)
    settings = f"endpoints:\n  api: {{base_url: {api.url}, concurrency: 4}}\n"
    here.write("endpoints.yaml", settings)
    here.run("journey", "apply", "endpoints.yaml")
    with here.start(*RUN, "--json") as process:
        while len(api.log) < 12:
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    interrupted: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert interrupted["type"] == "summary"
    assert interrupted["calls"]["attempts"] == len(api.log), "what was on its way was answered"
    assert finished(interrupted["steps"]) == recounted(here)
    report = json.loads(here.run("journey", "report", "offers", "--json").out)
    assert (report["state"], report["calls"]) == ("open", interrupted["calls"])
    api.change(delay=0.0)
    whole = here.run(*RUN, "--json")
    assert "goes on" in whole.err
    assert whole.summary["finished"] == USERS
    assert whole.summary["calls"]["attempts"] == len(api.log) == 2 * USERS - USERS // 4


def test_sleepers_are_told_and_woken_on_a_virtual_clock(here: Installation, api: Answers) -> None:
    here.write(
        "journey.yaml",
        "dsl: 1\njourney: nap\nsteps:\n  - {id: rest, type: wait, for: P2D}\n"
        "  - {id: ask, type: call_api, endpoint: api}\n",
    )
    now = ("--now", "2026-11-22T09:00Z")
    done = here.run(*RUN, "--json", *now, "--for", "P1D")
    assert (done.summary["entered"], done.summary["waiting"]) == (USERS, USERS)
    assert done.summary["steps"]["rest"]["waiting"] == USERS
    assert "60 waiting, the first until Tue 24 Nov 2026 09:00 UTC" in done.err
    assert not api.log
    done = here.run(*RUN, "--json", *now, "--for", "P3D")
    assert (done.summary["finished"], done.summary["waiting"]) == (USERS, 0)
    assert len(api.log) == USERS
    assert min(line["at"] for line in done.lines[:-1]) >= "2026-11-24T09:00:00"


def test_an_endpoint_that_does_not_exist_is_exit_4(here: Installation) -> None:
    here.write("journey.yaml", JOURNEY.replace("endpoint: api", "endpoint: apple"))
    refused = here.run(*RUN, code=4)
    assert "apple" in refused.err
    assert len(refused.err.splitlines()) == 1
    assert here.query("SELECT count(*) FROM users") == [(0,)]


def test_whoever_is_restarted_ends_in_his_own_run_and_waits_in_the_new_one(
    here: Installation,
) -> None:
    here.write(
        "journey.yaml",
        "dsl: 1\njourney: nap\nentry: {reentry: restart}\n"
        "steps: [{id: rest, type: wait, for: P2D}]\n",
    )
    first = here.run(*RUN, "--json").summary
    assert first["waiting"] == USERS
    again = here.run(*RUN, "--json", "--again").summary
    assert (again["entered"], again["finished"], again["waiting"]) == (USERS, 0, USERS)
    runs = [row[0] for row in here.query("SELECT id FROM runs ORDER BY id")]
    old = json.loads(here.run("journey", "report", "nap", "--json", "--run", str(runs[0])).out)
    assert old["outcomes"] == {"restarted": USERS}
    assert (old["entered"], old["waiting"]) == (USERS, 0)
    assert here.query("SELECT state FROM runs ORDER BY id")[1] == ("open",)


def test_who_waits_for_another_journey_is_told_what_takes_him_through_it(
    here: Installation,
) -> None:
    rest = "{id: rest, type: wait, for: P2D}"
    here.write("child.yaml", f"dsl: 1\njourney: child\nsteps: [{rest}]\n")
    here.run("journey", "publish", "child.yaml")
    started = "{id: other, type: start_journey, journey: child, await: true}"
    gold = (
        f"{{id: b, type: branch, paths: [{{name: g, when: user.tier == 'gold', steps: [{rest}]}}]}}"
    )
    here.write("journey.yaml", f"dsl: 1\njourney: parent\nsteps: [{gold}, {started}]\n")
    said = here.run(*RUN).err
    assert "40 waiting, the first until" in said
    assert "20 waiting for the end of another journey" in said
    assert "`journey up`" in said


@pytest.mark.usefixtures("either_database")
def test_why_tells_which_journey_started_another_without_waiting_for_it(tmp_path: Path) -> None:
    here = Installation(tmp_path)
    here.write("child.yaml", "dsl: 1\njourney: child\nsteps: [{id: out, type: exit}]\n")
    here.run("journey", "publish", "child.yaml")
    start = "{id: other, type: start_journey, journey: child}"
    here.write("journey.yaml", f"dsl: 1\njourney: parent\nsteps: [{start}]\n")
    here.run("run-journey", "journey.yaml", "--user", "ada", "--live")
    assert "by journey parent" in here.run("journey", "why", "ada", "child").out


LETTING_IN = """\
dsl: 1
journey: offers
entry:
  inputs: {by: text}
  reentry: after_exit
  triggers:
    - {schedule: "0 0 * * *", timezone: UTC, audience: user.tier == 'gold', inputs: {by: "'night'"}}
    - {schedule: "0 9 * * *", timezone: user, audience: user.tier == 'base', inputs: {by: "'day'"}}
    - {audience: user.tier == 'gold', inputs: {by: "'gold'"}}
    - {event: came, where: user.tier == 'base', inputs: {by: "'came'"}}
steps:
  - {id: morning, type: wait, until: {time: "07:00"}}
  - {id: night, type: exit, when: inputs.by == 'night', outcome: night}
  - {id: day, type: exit, when: inputs.by == 'day', outcome: day}
  - {id: gold, type: exit, when: inputs.by == 'gold', outcome: gold}
"""


@pytest.mark.usefixtures("either_database")
def test_users_are_known_before_the_first_trigger_lets_them_in(tmp_path: Path) -> None:
    here = Installation(tmp_path)
    zones = ("Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "")
    users = [f"u{n},{'gold' if n % 3 else 'base'},{zones[n % 4]}" for n in range(700)]
    events = [f"u{n},came,2026-11-24T0{n % 10}:00:00Z," for n in range(0, 700, 6)]
    events += [f"u{n},,2026-11-24T11:00:00Z,gold" for n in range(0, 700, 9)]
    here.write("journey.yaml", LETTING_IN)
    here.write("users.csv", "\n".join(["id,tier,timezone", *users]) + "\n")
    here.write("events.csv", "\n".join(["user,event,at,tier", *events]) + "\n")
    files = ("--users", "users.csv", "--events", "events.csv", "--json", "--quiet")
    told = [
        here.run("run-journey", "journey.yaml", *files, *how, "--now", "2026-11-24T00:00Z")
        for how in (("--for", "P2D"), ("--for", "P2D", "--live"))
    ]
    ends = [
        sorted(str(line) for line in one.lines if line["type"] == "passage" and line["outcome"])
        for one in told
    ]
    assert ends[0] == ends[1]
    outcomes = told[1].summary["outcomes"]
    assert outcomes.keys() == {"night", "day", "gold", "completed"}
    assert told[0].summary["outcomes"] == outcomes
