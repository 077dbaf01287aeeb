"""Journeys that are edited, deleted, made invalid, paused and archived with users inside: nobody is
lost, and what was said beforehand is what happens.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.users.incoming import IncomingEvent
from engine.versions.watching import SETTLED_US
from tests.e2e.sharing import Fleet, fleet, until
from tests.partners import Answers, running
from tests.postgresql import Server

WAITING, CALLING = 12, 6
BEFORE = ["one", "rest", "two", "last"]
EDITS = {
    "a step before": ["zero", "one", "rest", "two", "last"],
    "one where they are": ["zero", "one", "near", "rest", "two", "last"],
    "one behind": ["zero", "one", "near", "rest", "more", "two", "last"],
    "another name": ["zero", "one", "near", "halt", "more", "two", "last"],
    "one less": ["zero", "one", "near", "halt", "more", "last"],
}
STEPS = {
    "rest": "type: wait_for, any: [{event: go}], since: entry, within: 1h",
    "halt": "type: wait_for, any: [{event: go}], since: entry, within: 1h",
    "near": 'type: set, values: {vars.near: "yes"}',
    "more": 'type: set, values: {vars.more: "yes"}',
    "two": "type: call_api, endpoint: slow, path: '/two/{{ user.id }}', body: {}",
}
CALL = "type: call_api, endpoint: api, path: '/%s/{{ user.id }}', body: {}"


def text(steps: list[str], name: str = "j", **others: str) -> str:
    """A journey with these steps; ``others`` says what some of them are."""
    lines = [
        "dsl: 1",
        f"journey: {name}",
        f"entry: {{triggers: [{{event: hello, where: \"event.to == '{name}'\"}}]}}",
        "steps:",
        *(f"  - {{id: {s}, {others.get(s) or STEPS.get(s) or CALL % s}}}" for s in steps),
        "  - {id: done, type: exit, outcome: served}",
    ]
    return "\n".join(lines) + "\n"


@dataclass
class Edited:
    """An installation with a watched folder, and what can be seen of its journeys."""

    fleet: Fleet
    api: Answers
    slow: Answers
    folder: Path

    def put(self, file: str, content: str) -> None:
        """A file of the folder, as it is from now on: it came all at once, and needn't settle."""
        coming = self.folder.parent / f"coming-{file}"
        coming.write_text(content, encoding="utf-8")
        os.utime(coming, ns=(0, time.time_ns() - 10 * SETTLED_US * 1_000))
        coming.replace(self.folder / file)

    def says(self, words: str) -> None:
        """Return when the process has said so."""
        (worker,) = self.fleet.workers
        until(lambda: any(words in line for line in worker.lines), worker)

    def tell(self, event: str, journey: str, users: list[str]) -> None:
        """Something these users do."""
        said = {"to": journey}
        self.fleet.send([IncomingEvent(u, event, said, message_id=f"{event} {u}") for u in users])

    def standing(self, journey: str, version: int) -> dict[int, tuple[int, int]]:
        """How many wait and call at each step's number of a version."""
        rows = self.fleet.query(
            "SELECT e.position, sum(CASE e.state WHEN 0 THEN 1 ELSE 0 END), count(*)"
            " FROM enrollments AS e JOIN versions AS v ON v.id = e.version_id"
            f" WHERE v.journey = '{journey}' AND v.number = {version} AND e.state <> 2"
            " GROUP BY e.position"
        )
        return {row[0]: (int(row[1]), int(row[2] - row[1])) for row in rows}

    def stand(self, journey: str, version: int, steps: list[str], group: str) -> list[str]:
        """Let users in: some wait, of the others each is at a call that nobody answers so soon."""
        users = [f"{journey}-{group}-{n}" for n in range(WAITING + CALLING)]
        calling = CALLING if "two" in steps else 0
        self.tell("hello", journey, users)
        self.tell("go", journey, users[:calling])
        rest = next(n for n, step in enumerate(steps) if step in ("rest", "halt"))
        expected = {rest: (len(users) - calling, 0)}
        if calling:
            expected[steps.index("two")] = (0, calling)
        until(lambda: self.standing(journey, version) == expected, *self.fleet.workers)
        return users

    def plan(self, content: str) -> Any:
        """What publishing it would do."""
        self.fleet.write("planned.yaml", content)
        done = self.fleet.call("journey", "plan", "planned.yaml", "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    def taken(self, journey: str) -> dict[tuple[int, str], Counter[tuple[int, int]]]:
        """Which steps were taken by who entered a version and left it so: (step, status)."""
        rows = self.fleet.query(
            "SELECT v.number, e.outcome, x.step, x.status, count(*) FROM executions AS x"
            " JOIN enrollments AS e ON e.bucket = x.bucket AND e.id = x.enrollment"
            " JOIN versions AS v ON v.id = e.version_id"
            f" WHERE v.journey = '{journey}' AND e.state = 2 GROUP BY 1, 2, 3, 4"
        )
        found: dict[tuple[int, str], Counter[tuple[int, int]]] = {}
        for version, outcome, step, status, count in rows:
            found.setdefault((version, outcome), Counter())[step, status] = count
        return found

    def ended(self, journey: str) -> Counter[str]:
        """How those left who entered."""
        rows = self.fleet.query(
            "SELECT coalesce(e.outcome, 'inside'), count(*) FROM enrollments AS e"
            f" JOIN versions AS v ON v.id = e.version_id WHERE v.journey = '{journey}' GROUP BY 1"
        )
        return Counter(dict(rows))

    def command(self, *words: str, code: int = 0) -> str:
        """What `journey` says to it."""
        done = self.fleet.call("journey", *words)
        assert done.code == code, done.err
        return done.out + done.err


@contextmanager
def edited(
    folder: Path, server: Server | None, *, delay: float, concurrency: int = 2
) -> Iterator[Edited]:
    watched = folder / "watched"
    watched.mkdir()
    with running(Answers()) as api, running(Answers()) as slow, fleet(folder, server) as here:
        slow.change(delay=delay)
        here.write(
            "endpoints.yaml",
            f"endpoints:\n  api: {{base_url: '{api.url}'}}\n"
            f"  slow: {{base_url: '{slow.url}', concurrency: {concurrency}}}\n",
        )
        assert here.call("journey", "apply", "endpoints.yaml").code == 0
        here.start_one("up", "--journeys", "watched")
        yield Edited(here, api, slow, watched)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)])
def server(request: pytest.FixtureRequest) -> Server | None:
    if request.param == "sqlite":
        return None
    found: Server = request.getfixturevalue("postgresql")
    return found


def test_everybody_stays_on_his_version_as_the_plan_said_whatever_is_edited(
    tmp_path: Path, server: Server | None
) -> None:
    with edited(tmp_path, server, delay=3.0, concurrency=4) as here:
        here.put("j.yaml", text(BEFORE))
        here.says("journey j version 1 published")
        before, users = BEFORE, list[str]()
        planned: dict[int, list[str]] = {}
        for version, (what, steps) in enumerate(EDITS.items(), 1):
            users += here.stand("j", version, before, str(version))
            said = here.plan(text(steps))
            assert (said["would"], said["version"]) == ("published", version + 1), what
            newest = said["versions"][0]
            assert (newest["number"], newest["users"]) == (version, WAITING + CALLING), what
            stood = {step["step"]: (step["waiting"], step["calling"]) for step in newest["steps"]}
            rest = "rest" if "rest" in before else "halt"
            assert stood == {rest: (WAITING, 0), "two": (0, CALLING)}, what
            assert newest["gone"] == [step for step in (rest, "two") if step not in steps], what
            planned[version] = before
            here.put("j.yaml", text(steps))
            here.says(f"journey j version {version + 1} published")
            before = steps
        here.slow.change(delay=0.0)
        here.tell("go", "j", users)
        until(lambda: here.ended("j") == {"served": len(users)}, *here.fleet.workers)
        everybody = WAITING + CALLING
        assert here.taken("j") == {
            (version, "served"): {(number, 1): everybody for number in range(len(steps) + 1)}
            for version, steps in planned.items()
        }
        requests = Counter(each.path for each in (*here.api.log, *here.slow.log))
        assert set(requests.values()) == {1}
        calls = {"zero", "one", "two", "last"}
        assert len(requests) == sum(
            everybody * len(calls.intersection(steps)) for steps in planned.values()
        )


def test_a_bad_file_and_none_at_all_replace_no_version_and_an_archive_loses_nobody(
    tmp_path: Path, server: Server | None
) -> None:
    with edited(tmp_path, server, delay=3.0) as here:
        here.put("j.yaml", text(BEFORE))
        here.says("journey j version 1 published")
        here.put("j.yaml", text(BEFORE, last="type: call_api, endpoint: api, colour: red"))
        here.says("colour")
        users = here.stand("j", 1, BEFORE, "bad")
        (here.folder / "j.yaml").unlink()
        here.says("j.yaml")
        here.slow.change(delay=0.0)
        until(lambda: here.standing("j", 1) == {1: (WAITING, 0)}, *here.fleet.workers)
        assert here.ended("j") == {"inside": WAITING, "served": CALLING}
        here.tell("go", "j", users)
        until(lambda: here.ended("j") == {"served": len(users)}, *here.fleet.workers)
        here.slow.change(delay=3.0)
        here.stand("j", 1, BEFORE, "gone")
        everybody = WAITING + CALLING
        assert f"{everybody} users inside j would leave" in here.command("archive", "j", code=2)
        assert f"{everybody} users inside leave it" in here.command("archive", "j", "--yes")
        expected = {"served": everybody, "archived": everybody}
        until(lambda: here.ended("j") == expected, *here.fleet.workers)
        under_way = Counter(each.path for each in here.slow.log if "gone" in each.path)
        assert sum(under_way.values()) <= 2 + 2, "what was queued isn't sent"
        here.tell("hello", "j", ["late"])
        here.put("j.yaml", text(["one"]))
        until(lambda: here.fleet.query("SELECT count(*) FROM inbox") == [(0,)])
        assert here.ended("j") == expected


@pytest.mark.parametrize("rule", ["run", "skip", "shift"])
def test_whom_a_pause_holds_goes_on_by_its_rule(
    tmp_path: Path, server: Server | None, rule: str
) -> None:
    rest = "type: wait_for, any: [{event: go}], since: entry, within: 4s"
    with edited(tmp_path, server, delay=3.0) as here:
        here.put("j.yaml", text(BEFORE, rest=rest))
        here.says("journey j version 1 published")
        users = here.stand("j", 1, BEFORE, "held")
        said = here.command("pause", "j")
        assert f"{len(users)} users inside held" in said
        until(lambda: here.standing("j", 1).get(3, (0, 0))[1] == 2, *here.fleet.workers)
        begun = len(here.slow.log) + len(here.api.log)
        until(lambda: _held(here) == len(users), *here.fleet.workers)
        here.tell("hello", "j", ["door"])
        until(lambda: len(here.fleet.query("SELECT 1 FROM enrollments")) == len(users) + 1)
        assert len(here.slow.log) + len(here.api.log) == begun, "none begins in a pause"
        here.slow.change(delay=0.0)
        here.command("resume", "j", "--overdue", rule)
        until(lambda: here.ended("j") == {"served": len(users) + 1}, *here.fleet.workers)
        requests = Counter(each.path for each in (*here.api.log, *here.slow.log))
        assert set(requests.values()) == {1}
        every = here.taken("j")[1, "served"]
        assert every[4, 1] == len(users) + 1
        called = every[0, 1] + every[2, 1] + every[3, 1]
        assert called == len(requests)
        if rule == "skip":
            assert every[2, 3] == len(users) - 2, "all but those whose call was under way"
            assert every[3, 3] == len(users)
        else:
            assert every[2, 3] == every[3, 3] == 0


def _held(here: Edited) -> int:
    """How many wait, or are in calls, beyond the end of time."""
    waiting = here.fleet.query(
        "SELECT count(*) FROM enrollments WHERE wake_at >= 4611686018427387904"
    )
    calling = here.fleet.query(
        "SELECT count(*) FROM calls WHERE next_try_at >= 4611686018427387904"
    )
    return int(waiting[0][0]) + int(calling[0][0])
