"""Live runs against servers on loopback: everybody once, in fair order, and the counts agree."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.clock import wall
from engine.core.expressions.durations import DAY
from engine.endpoints import store as endpoints
from engine.enrollments import arriving
from engine.enrollments.arriving import Order, in_order
from engine.enrollments.store import runs
from engine.errors import OperatorError
from engine.processes.supply import ARRIVALS_PER_TURN
from engine.users.files import open_users
from tests.integration.live import House, Seen, call
from tests.partners import Answers, Partner, Reply, Request, bodies_by_key, running

NOW = 1_790_000_000_000_000
ONE_CALL = {"steps": [call("greet", "api", body={"user": "{{ user.id }}"})]}


def _ids(count: int, first: int = 0) -> list[str]:
    return ["id", *(f"u{n}" for n in range(first, first + count))]


def _users_of(partner: Partner, step: str = "greet") -> list[str]:
    """Whom a step's requests at a server were for, in order."""
    start = f"/{step}/"
    return [request.path[len(start) :] for request in partner.log if request.path.startswith(start)]


# --- everybody, once --------------------------------------------------------------------------


@pytest.mark.usefixtures("either_database")
def test_everybody_goes_through_and_the_counts_agree_to_the_last_request(tmp_path: Path) -> None:
    journey = {
        "on_enter": [call("hello", "api")],
        "steps": [
            {
                "id": "kind",
                "type": "branch",
                "paths": [
                    {
                        "name": "gold",
                        "when": "user.tier == 'gold'",
                        "steps": [call("gift", "api", outputs={"vars.n": "response.body.n"})],
                    }
                ],
            },
            {
                "id": "lots",
                "type": "split",
                "arms": [
                    {"name": "a", "weight": 1, "steps": [call("a", "flaky")]},
                    {"name": "b", "weight": 1},
                ],
            },
            call("never", "api") | {"when": "user.nobody"},
            call("lost", "api", body={"x": "{{ user.nobody }}"}),
        ],
        "on_exit": [call("bye", "api", body={"why": "{{ enrollment.outcome }}"})],
        "entry": {"holdout": 10},
    }
    users = 1_000
    with running(Answers(b'{"n":1}')) as api, running(Answers()) as flaky:
        flaky.change(statuses=[503, 200, 429, 404, 500, 200] * 100)
        house = House(tmp_path)
        house.endpoint("api", api.url)
        house.endpoint("flaky", flaky.url)
        rows = [f"u{n},{'gold' if n % 3 else 'base'}" for n in range(users)]
        ran = house.run(journey, house.users(["id,tier", *rows]))
        summary = ran.summary
        house.check_counts(ran, journey)
        assert summary.entered == summary.finished == users
        assert summary.calls.attempts == len(api.log) + len(flaky.log)
        assert summary.endpoints["flaky"].attempts == len(flaky.log)
        held = summary.outcomes["held_out"]
        assert summary.outcomes == {"completed": users - held, "held_out": held}
        assert 50 < held < 150
        bye = Counter(_users_of(api, "bye"))
        assert len(bye) == users - held
        assert set(bye.values()) == {1}
        assert summary.steps["lost"].failed == users - held
        assert summary.steps["never"].skipped == users - held
        assert summary.arms["lots"]["a"] == summary.steps["a"].entered
        for log in (api.log, flaky.log):
            for bodies in bodies_by_key(log).values():
                assert len(set(bodies)) == 1
        assert house.query("SELECT count(*) FROM calls WHERE next_try_at IS NOT NULL") == [(0,)]
        assert house.query("SELECT state FROM runs") == [("finished",)]


@pytest.mark.usefixtures("either_database")
def test_a_finished_run_is_not_run_again_unless_asked(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        users = house.users(_ids(50))
        first = house.run(ONE_CALL, users)
        second = house.run(ONE_CALL, users)
        assert second.result.already_ran
        assert second.result.run_ids == first.result.run_ids
        assert len(api.log) == 50
        again = house.run(ONE_CALL, users, again=True)
        assert again.result.run_ids != first.result.run_ids
        assert again.summary.refusals == {"once": 50}
        assert len(api.log) == 50
        comes_back = ONE_CALL | {"entry": {"reentry": "after_exit"}}
        third = house.run(comes_back, users, again=True)
        assert third.summary.finished == 50
        assert len(api.log) == 100
        assert len(bodies_by_key(api.log)) == 100, "a new passage has new keys"


@pytest.mark.usefixtures("either_database")
def test_attributes_merge_and_what_steps_write_to_a_user_is_kept(tmp_path: Path) -> None:
    journey = {
        "steps": [
            call("greet", "api", outputs={"user.score": "response.body.score", "vars.x": "7"}),
            {"id": "put", "type": "set", "values": {"user.old": "{{ none }}", "user.seen": True}},
        ]
    }
    with running(Answers(b'{"score":9007199254740993}')) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        first = ["id,tier,old,timezone", "u1,gold,x,Europe/Berlin", "u2,base,y,"]
        house.run(journey, house.users(first, "a.csv"))
        attributes = dict(house.query("SELECT id, attributes FROM users"))
        kept = '{"tier":"gold","score":9007199254740993,"seen":true}'
        assert attributes["u1"] == kept
        second = ["id,tier,note,timezone", "u1,null,hi,", "u3,new,,"]
        house.run(journey, house.users(second, "b.csv"))
        attributes = dict(house.query("SELECT id, attributes FROM users"))
        assert attributes["u1"] == '{"score":9007199254740993,"seen":true,"note":"hi"}'
        zones = dict(house.query("SELECT id, timezone FROM users"))
        assert zones == {"u1": "Europe/Berlin", "u2": None, "u3": None}


# --- sharing ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_database")
def test_what_finds_no_room_in_memory_is_served_all_the_same_in_fair_order(tmp_path: Path) -> None:
    users = 600
    with running(Answers()) as api:
        api.change(delay=0.002)
        house = House(tmp_path)
        house.endpoint("api", api.url, concurrency=2)
        ran = house.run(ONE_CALL, house.users(_ids(users)))
        assert ran.summary.finished == users
        assert Counter(_users_of(api)) == Counter(f"u{n}" for n in range(users))
        assert api.counts["most_at_once"] <= 2
        places = {user: place for place, user in enumerate(_users_of(api))}
        first = [places[f"u{n}"] for n in range(users // 3)]
        last = [places[f"u{n}"] for n in range(2 * users // 3, users)]
        assert sum(first) < sum(last), "who came first is served first, by and large"


def test_a_slow_endpoint_holds_up_nobody_who_goes_elsewhere(tmp_path: Path) -> None:
    kind = {
        "id": "kind",
        "type": "branch",
        "paths": [{"name": "s", "when": "user.kind == 'slow'", "steps": [call("slow", "slow")]}],
        "otherwise": {"steps": [call("fast", "fast")]},
    }
    finished = threading.Event()
    slow_before: list[int] = []
    with running(Answers()) as slow, running(Answers()) as fast:
        slow.change(delay=0.01)
        house = House(tmp_path)
        house.endpoint("slow", slow.url, concurrency=4)
        house.endpoint("fast", fast.url)
        count = 3 * ARRIVALS_PER_TURN
        rows = [f"s{n},slow" for n in range(count)] + [f"f{n},fast" for n in range(200)]

        class Watching(Seen):
            def turned(self, ledger: Any) -> None:
                if len(fast.log) == 200 and not finished.is_set():
                    finished.set()
                    slow_before.append(len(slow.log))

        ran = house.run({"steps": [kind]}, house.users(["id,kind", *rows]), seen=Watching())
        assert ran.summary.finished == count + 200
        assert slow_before, "all of the fast ones were served"
        assert slow_before[0] < count / 2, "long before the slow ones were"


def test_a_rate_limit_queues_and_drops_nobody(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url, rate_limit={"count": 20, "per": "PT0.2S"})
        ran = house.run(ONE_CALL, house.users(_ids(100)))
        assert ran.summary.endpoints["api"].succeeded == 100
        at = sorted(request.at for request in api.log)
        assert len(at) == 100
        assert at[-1] - at[0] > 3.5 * 200_000, "five windows, the first and the last cut short"


def test_an_endpoint_that_hangs_costs_its_timeout_and_nobody_more(tmp_path: Path) -> None:
    class Silent(Partner):
        def answer(self, request: Request) -> Reply:
            return Reply(pieces=[(3600.0, b"")])

    with running(Silent()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url, timeout="PT0.3S", retry={"attempts": 1})
        ran = house.run(ONE_CALL, house.users(_ids(30)))
        assert ran.summary.finished == 30
        assert [(f.code, f.times) for f in ran.summary.failures] == [("call.timed_out", 30)]


# --- retries ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_database")
def test_a_run_waits_for_retries_and_each_repeats_its_first_request(tmp_path: Path) -> None:
    with running(Answers()) as api:
        api.change(fail_first=2)
        house = House(tmp_path)
        house.endpoint("api", api.url)
        ran = house.run(ONE_CALL, house.users(_ids(200)))
        house.check_counts(ran, ONE_CALL)
        tally = ran.summary.endpoints["api"]
        assert (tally.succeeded, tally.failed, tally.attempts) == (200, 0, 600)
        by_key = bodies_by_key(api.log)
        assert len(by_key) == 200
        assert all(len(bodies) == 3 and len(set(bodies)) == 1 for bodies in by_key.values())


def test_retry_after_is_waited_for(tmp_path: Path) -> None:
    with running(Answers()) as api:
        api.change(fail_first=1, retry_after="1")
        house = House(tmp_path)
        house.endpoint("api", api.url)
        house.run(ONE_CALL, house.users(_ids(5)))
        times: dict[str, list[int]] = {}
        for request in api.log:
            times.setdefault(request.header("idempotency-key") or "", []).append(request.at)
        assert len(times) == 5
        assert all(second - first >= 990_000 for first, second in times.values())


def test_a_retry_too_late_for_its_journey_is_not_made(tmp_path: Path) -> None:
    journey = ONE_CALL | {"max_age": "PT2S"}
    with running(Answers()) as api:
        api.change(status=503, retry_after="60")
        house = House(tmp_path)
        house.endpoint("api", api.url)
        ran = house.run(journey, house.users(_ids(5)))
        assert len(api.log) == 5
        assert ran.summary.outcomes == {"completed": 5}


# --- sleepers, and going on -------------------------------------------------------------------

SLEEPY = {
    "steps": [
        call("greet", "api"),
        {"id": "rest", "type": "wait", "for": "P1D"},
        call("again", "api"),
    ]
}


@pytest.mark.usefixtures("either_database")
def test_a_run_ends_with_its_sleepers_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        users = house.users(_ids(300))
        first = house.run(SLEEPY, users, now=NOW)
        assert (first.summary.waiting, first.summary.finished) == (300, 0)
        assert house.query("SELECT state FROM runs") == [("open",)]
        early = house.run(SLEEPY, users, now=NOW + DAY // 2)
        assert (early.result.run_ids, early.summary.waiting) == (first.result.run_ids, 300)
        assert early.seen.opened_runs[0].continued
        assert len(api.log) == 300
        last = house.run(SLEEPY, users, now=NOW + DAY + 60_000_000)
        assert (last.summary.entered, last.summary.finished) == (300, 300)
        assert len(api.log) == 600
        house.check_counts(last, SLEEPY)
        assert house.query("SELECT state FROM runs") == [("finished",)]


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize(
    ("block", "stripe", "order"),
    [
        (None, None, Order(block=10, stripe=256)),
        (20, None, Order(block=20, stripe=256)),
        (20, 4, Order(block=20, stripe=4)),
    ],
)
def test_a_run_of_an_older_version_goes_on_in_its_own_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    block: int | None,
    stripe: int | None,
    order: Order,
) -> None:
    """Its position counts users as that version had put them in order."""
    monkeypatch.setattr(runs, "_BEFORE", Order(block=10, stripe=256))
    journey = {"steps": [{"id": "end", "type": "exit"}]}
    house = House(tmp_path)
    users = house.users(_ids(40))
    house.run(journey, users)
    with house.opened() as database, database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE runs SET state = 'open', position = 25, block = ?, stripe = ?", (block, stripe)
        )
    house.run(journey, users)
    with open_users(users, inputs={}) as file:
        left = [row.id for _, row in in_order(file.rows, 25, order)]
    told_twice = house.query("SELECT user_id FROM refusals")
    assert sorted(told_twice) == sorted((user,) for user in left)


def test_a_virtual_clock_goes_on_to_the_horizon_by_itself_and_stands_still_for_work(
    tmp_path: Path,
) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        ran = house.run(SLEEPY, house.users(_ids(100)), now=NOW, stay_us=2 * DAY)
        assert ran.summary.finished == 100
        ((least, most),) = house.query("SELECT min(ended_at), max(ended_at) FROM enrollments")
        assert least == most == NOW + DAY


def test_a_database_has_one_clock(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        users = house.users(_ids(1))
        house.run(ONE_CALL, users, now=NOW)
        with pytest.raises(OperatorError, match="virtual clock"):
            house.run(ONE_CALL, users)


def test_two_runs_long_ago_on_a_virtual_clock_stay_apart(tmp_path: Path) -> None:
    long_ago = 1_600_000_000_000_000
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        journey = ONE_CALL | {"entry": {"reentry": "after_exit"}}
        users = house.users(_ids(600))
        for again in (False, True, True):
            ran = house.run(journey, users, now=long_ago, again=again)
            assert ran.summary.finished == 600
        assert house.query("SELECT count(DISTINCT id) FROM enrollments") == [(1_800,)]


def test_the_newest_run_is_the_one_opened_last_whatever_its_clock_says(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        users = house.users(_ids(3))
        first = house.run(SLEEPY, users, now=NOW)
        again = SLEEPY | {"entry": {"reentry": "restart"}}
        second = house.run(again, users, now=NOW - 400 * DAY)
        third = house.run(again, users, now=NOW - 400 * DAY)
        assert second.result.run_ids[0] == first.result.run_ids[0]
        assert third.result.run_ids[-1] == second.result.run_ids[-1]


def test_sleepers_of_an_earlier_run_wake_under_the_same_command(tmp_path: Path) -> None:
    """A newer run over the same users doesn't make the older one forgotten."""
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        users = house.users(_ids(40))
        first = house.run(SLEEPY, users, now=NOW)
        again = house.run(SLEEPY, users, now=NOW, again=True)
        assert again.summary.refusals == {"live": 40}
        later = house.run(SLEEPY, users, now=NOW + 2 * DAY)
        assert first.result.run_ids[0] in later.result.run_ids
        assert not later.result.already_ran
        assert house.summary(first.result.run_ids[0]).finished == 40
        assert len(api.log) == 80
        assert house.run(SLEEPY, users, now=NOW + 3 * DAY).result.already_ran


@pytest.mark.usefixtures("either_database")
def test_a_changed_file_finishes_the_unfinished_run_on_its_own_version(tmp_path: Path) -> None:
    changed = {"steps": [*SLEEPY["steps"], call("more", "api")]}
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        users = house.users(_ids(30))
        first = house.run(SLEEPY, users, now=NOW)
        ran = house.run(changed, users, now=NOW + 2 * DAY)
        assert any("changed under an unfinished run" in text for text in ran.seen.notices)
        assert ran.result.run_ids[0] == first.result.run_ids[0]
        old, new = ran.summaries
        assert (old.finished, old.version) == (30, 1)
        assert (new.refusals, new.version) == ({"once": 30}, 2)
        assert _users_of(api, "more") == []


# --- the same user in two runs ----------------------------------------------------------------


@pytest.mark.usefixtures("either_database")
def test_a_user_who_is_inside_is_refused_by_a_second_run(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        house.run(SLEEPY, house.users(_ids(20), "a.csv"), now=NOW)
        ran = house.run(SLEEPY, house.users(_ids(20, 10), "b.csv"), now=NOW)
        assert (ran.summary.refusals, ran.summary.entered) == ({"live": 10}, 10)
        assert house.query("SELECT reason, count(*) FROM refusals GROUP BY 1") == [("live", 10)]


@pytest.mark.usefixtures("either_database")
def test_a_restart_ends_the_earlier_passage_and_both_runs_keep_their_counts(
    tmp_path: Path,
) -> None:
    journey = SLEEPY | {
        "entry": {"reentry": "restart"},
        "on_exit": [call("bye", "api", body={"why": "{{ enrollment.outcome }}"})],
    }
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        a, b = house.users(_ids(20), "a.csv"), house.users(_ids(20, 10), "b.csv")
        first = house.run(journey, a, now=NOW)
        second = house.run(journey, b, now=NOW + 1_000_000)
        assert (second.summary.entered, second.summary.waiting) == (20, 20)
        house.check_counts(second, journey)
        before = house.summary(first.result.run_ids[0])
        assert (before.outcomes, before.waiting) == ({"restarted": 10}, 10)
        said = [request.body for request in api.log if request.path.startswith("/bye/")]
        assert said == [b'{"why":"restarted"}'] * 10
        assert house.query("SELECT state FROM runs ORDER BY opened_at, id") == [("open",)] * 2
        later = NOW + 2 * DAY
        one, two = house.run(journey, a, now=later), house.run(journey, b, now=later)
        assert one.summary.outcomes == {"completed": 10, "restarted": 10}
        assert two.summary.outcomes == {"completed": 20}
        house.check_counts(one, journey)
        house.check_counts(two, journey)
        assert house.query("SELECT DISTINCT state FROM runs") == [("finished",)]
        assert one.summary.calls.attempts + two.summary.calls.attempts == len(api.log)


def test_a_farewell_by_restart_is_tried_again_by_the_run_that_restarted(tmp_path: Path) -> None:
    journey = {
        "steps": [{"id": "rest", "type": "wait", "for": "P1D"}],
        "entry": {"reentry": "restart"},
        "on_exit": [call("bye", "api")],
    }
    with running(Answers()) as api:
        api.change(fail_first=1)
        house = House(tmp_path)
        house.endpoint("api", api.url)
        first = house.run(journey, house.users(_ids(10), "a.csv"), now=NOW)
        house.run(journey, house.users(_ids(11), "b.csv"), now=NOW + 1_000_000)
        assert len(api.log) == 20
        before = house.summary(first.result.run_ids[0])
        assert before.outcomes == {"restarted": 10}
        assert (before.steps["bye"].succeeded, before.calls.attempts) == (10, 20)


@pytest.mark.usefixtures("either_database")
def test_a_restart_counts_the_requests_of_the_call_it_cuts_short(tmp_path: Path) -> None:
    """A passage whose call waits for its retry is restarted by another run."""
    journey = {"steps": [call("greet", "api")], "entry": {"reentry": "restart"}}
    with running(Answers()) as api:
        house = House(tmp_path)
        slow = {"delay": "PT1M", "max_delay": "PT1M", "within": "PT1H"}
        house.endpoint("api", api.url, retry=slow)
        api.change(status=503)

        class Stopping(Seen):
            def turned(self, ledger: Any) -> None:
                if ledger.retries:
                    signal.raise_signal(signal.SIGINT)

        first = house.run(journey, house.users(_ids(1), "a.csv"), seen=Stopping())
        assert first.result.interrupted == signal.SIGINT
        assert (first.summary.waiting, first.summary.calls.attempts) == (1, 1)
        api.change(status=None)
        second = house.run(journey, house.users(["id,x", "u0,1"], "b.csv"))
        assert second.summary.outcomes == {"completed": 1}
        before = house.summary(first.result.run_ids[0])
        assert before.outcomes == {"restarted": 1}
        assert (before.calls.failed, before.calls.attempts) == (1, 1)
        assert len(api.log) == 2
        assert len(bodies_by_key(api.log)) == 2


ROUNDS = {
    "paths": [{"name": "more", "when": "visits(on) < 20", "next": "on"}],
}


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize(
    ("step", "turns"),
    [
        ({"id": "mark", "type": "set", "values": {"vars.x": 1}}, [256, 1024, 1024, 1]),
        ({"id": "rest", "type": "wait", "for": "P1D"}, [256, 1024, 1024, 1]),
        (call("greet", "api", when="user.id == 'u255'"), [256, 256, 1024, 769]),
        ({"id": "on", "type": "branch", **ROUNDS}, [256] * 9 + [1]),
    ],
)
def test_users_are_taken_in_by_larger_sets_while_none_of_them_comes_to_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: dict[str, Any], turns: list[int]
) -> None:
    monkeypatch.setattr(arriving, "bucket_of", lambda _: 0)
    took: list[int] = []

    class Counting(Seen):
        def turned(self, ledger: Any) -> None:
            if ledger.admitted:
                took.append(ledger.admitted)

    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        house.run({"steps": [step]}, house.users(_ids(2305)), seen=Counting(), now=NOW)
    assert took == turns


# --- beside others ----------------------------------------------------------------------------


@pytest.mark.usefixtures("either_database")
def test_others_write_while_a_run_is_under_way(tmp_path: Path) -> None:
    waited: list[float] = []
    stop = threading.Event()
    with running(Answers()) as api:
        api.change(delay=0.005)
        house = House(tmp_path)
        house.endpoint("api", api.url)
        house.endpoint("other", api.url)

        def edit() -> None:
            with house.opened() as database:
                while not stop.is_set():
                    begun = wall()
                    with database.write() as connection:
                        other = endpoints.load(connection, "other").endpoint
                        title = {"title": f"edited {len(waited)} times"}
                        raised = other.model_copy(update=title)
                        endpoints.save(connection, raised, now=wall(), actor="test")
                    waited.append((wall() - begun) / 1e6)

        editor = threading.Thread(target=edit)
        editor.start()
        journey = {"steps": [call("greet", "api"), call("bye", "api")]}
        ran = house.run(journey, house.users(_ids(400)))
        stop.set()
        editor.join()
        assert ran.summary.finished == 400
        assert len(waited) > 5
        assert max(waited) < 5


def test_a_run_goes_on_when_a_lock_on_the_database_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    from engine.db import sqlite

    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 100)
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        other = sqlite3.connect(house.database, isolation_level=None, check_same_thread=False)
        locked = threading.Event()

        class Locking(Seen):
            def turned(self, ledger: Any) -> None:
                super().turned(ledger)
                if self.turns == 3:
                    other.execute("BEGIN IMMEDIATE")
                    locked.set()
                    threading.Timer(1.2, other.execute, ["ROLLBACK"]).start()

        journey = {"steps": [call("greet", "api"), call("bye", "api")]}
        ran = house.run(journey, house.users(_ids(800)), seen=Locking())
        other.close()
        assert locked.is_set()
        assert ran.summary.finished == 800
        house.check_counts(ran, journey)
        assert len(api.log) == 1_600
        assert len(ran.seen.pauses) >= 1
        assert "locked" in ran.seen.pauses[0]
        assert ran.seen.resumed_times == 1


@pytest.mark.usefixtures("either_database")
def test_a_wait_follows_a_date_that_a_later_row_brings(tmp_path: Path) -> None:
    until = {"date": "user.born", "missing": "continue"}
    journey = {"steps": [{"id": "rest", "type": "wait", "until": until}]}
    house = House(tmp_path)
    first = house.users(["id,born,color", "u1,2026-12-24,red", "u2,2026-12-24,red"])
    house.run(journey, first, now=NOW, stay_us=0)
    due = dict(house.query("SELECT user_id, wake_at FROM enrollments"))
    later = house.users(["id,born,color", "u1,2026-10-01,red", "u2,2026-12-24,blue"], "later.csv")
    ran = house.run(journey, later, now=NOW + DAY, stay_us=0)
    assert ran.summary.refusals == {"live": 2}
    woken = dict(house.query("SELECT user_id, wake_at FROM enrollments"))
    assert woken["u1"] == 1_790_812_800_000_000, "2026-10-01"
    assert woken["u2"] == due["u2"], "nobody waits for a colour"
    house.run(journey, first, now=NOW + 2 * DAY, stay_us=0)
    assert dict(house.query("SELECT user_id, wake_at FROM enrollments")) == woken
