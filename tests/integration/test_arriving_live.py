"""Users of a file whom something else concerns at the moment they arrive."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.clock import wall
from engine.operations.erase import ask
from engine.processes.feed import FileFeed
from engine.processes.model import RunOptions
from engine.processes.run import run_live
from engine.users.events import open_events
from engine.users.files import open_users
from tests.integration.live import House, Seen, call
from tests.partners import Answers, running

NOW = 1_795_500_000_000_000
PEOPLE = 2_000


def test_who_arrives_in_the_turn_that_erases_him_neither_enters_nor_counts(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        known = house.users(["id,tier", "u1,base", "u2,base"], "known.csv")
        house.run({"steps": [{"id": "x", "type": "exit"}]}, known)
        with house.opened() as database:
            ask(database, "u1", actor="somebody", now=wall())
        users = house.users(["id,tier", "u1,gold", "u2,gold"])
        entry = {"reentry": "after_exit"}
        steps = [call("hi", "api"), call("bye", "api")]
        ran = house.run({"entry": entry, "steps": steps}, users)
        assert (ran.summary.entered, ran.summary.waiting) == (1, 0)
        assert ran.summary.outcomes == {"completed": 1}
        assert [each.target for each in api.log] == ["/hi/u2", "/bye/u2"]
        assert {row[0] for row in house.query("SELECT state FROM runs")} == {"finished"}


def test_users_of_a_replay_who_call_an_endpoint_that_has_no_room_hold_up_nothing(
    tmp_path: Path,
) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        known = house.users(["id,tier", *(f"u{n},base" for n in range(PEOPLE))], "known.csv")
        house.run({"steps": [{"id": "x", "type": "exit"}]}, known, now=NOW)
        users = house.users(["id,tier", *(f"u{n},gold" for n in range(PEOPLE))])
        told = tmp_path / "events.csv"
        told.write_text(
            f"user,event,at\nu1,came,{datetime.fromtimestamp(NOW // 10**6 + 1, UTC).isoformat()}\n"
        )
        triggers = [{"audience": "user.tier == 'gold'"}, {"event": "came"}]
        journey = {"dsl": 1, "journey": "k", "entry": {"triggers": triggers}}
        source = json.dumps(journey | {"steps": [call("hi", "api")]}).encode()
        api.change(statuses=[429], retry_after="60")
        with open_users(users, inputs={}) as file, open_events(told, ZoneInfo("UTC")) as events:
            options = RunOptions(
                "k.yaml",
                source,
                file,
                house.settings,
                "somebody",
                feed=FileFeed(events),
                triggered=True,
                now=NOW,
            )
            run_live(options, Seen())
        ended = "SELECT outcome, count(*) FROM enrollments WHERE journey = 'k' GROUP BY 1"
        assert [tuple(row) for row in house.query(ended)] == [("completed", PEOPLE)]
