"""Whom a pause holds, and how everybody goes on: what it does to the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from engine.core.interpreter.state import Passage, State, User
from engine.core.steps.facts import Change, Event, Fact
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.db.statements import write_rows
from engine.endpoints.model import Endpoint
from engine.endpoints.store import save
from engine.enrollments import store
from engine.enrollments.pausing import HeldBack, Holding
from engine.enrollments.pending import Held, PendingCall
from engine.enrollments.store import holding
from engine.enrollments.store.facts import fact_row
from engine.enrollments.store.holding import HELD
from engine.operations.archive import archive
from engine.operations.pause import pause, resume
from engine.operations.publish import publish, read_text
from engine.versions.live import LiveJourneys
from engine.versions.states import Rule
from engine.versions.store import Versions
from tests.databases import database_url, on_postgresql

pytestmark = pytest.mark.usefixtures("either_database")

HOUR = 3_600_000_000
DAY = 24 * HOUR
PAUSED = 1_000 * DAY
RESUMED = PAUSED + 10 * HOUR
PAUSE = RESUMED - PAUSED

STEPS: list[dict[str, Any]] = [
    {"id": "rest", "type": "wait", "for": "P2D"},
    {"id": "morning", "type": "wait", "until": {"time": "09:00"}},
    {"id": "due", "type": "wait", "until": {"date": "user.due", "missing": "continue"}},
    {"id": "answer", "type": "wait_for", "any": [{"event": "answered"}], "within": "P2D"},
    {"id": "ask", "type": "call_api", "endpoint": "crm"},
]
REST, MORNING, DUE, ANSWER, ASK = range(5)


class Here:
    """A database with the journey ``j`` in it, and a worker that owns buckets 0 to 3."""

    def __init__(self, database: Database) -> None:
        self.database = database
        versions = Versions()
        self.live = LiveJourneys(versions)
        self.holding = Holding(self.live, versions)
        self._last = 0
        with database.write() as connection:
            endpoint = Endpoint.model_validate({"name": "crm", "base_url": "https://crm.example"})
            save(connection, endpoint, now=0, actor="test")
        self.publish("j")
        self.publish("other")

    def publish(self, journey: str, **more: object) -> None:
        written = {"dsl": 1, "journey": journey, "steps": STEPS, **more}
        text = read_text(f"{journey}.yaml", json.dumps(written).encode())
        with self.database.write() as connection:
            publish(connection, [text], now=0, actor="test")
        self.look()

    def look(self) -> None:
        with self.database.read() as connection:
            self.live.refresh(connection)
            self.holding.look(connection, range(4))

    def pause(self, at: int = PAUSED) -> None:
        with self.database.write() as connection:
            pause(connection, "j", at=at, now=0, actor="test")
        self.look()

    def resume(self, rule: Rule, at: int = RESUMED) -> None:
        with self.database.write() as connection:
            resume(connection, "j", rule, at=at, now=0, actor="test")
        self.look()

    def archive(self, at: int = RESUMED) -> None:
        with self.database.write() as connection:
            archive(connection, "j", at=at, now=0, actor="test")
        self.look()

    def carry_out(self, most: int = 5_000) -> int:
        """Carry out every order, page by page; how many pages that were."""
        pages = 0
        while self.holding.outstanding:
            with self.database.write() as connection:
                done = self.holding.carry_out(connection, most)
            self.holding.committed(done)
            pages += 1
        return pages

    def carry_out_and_die(self) -> None:
        """Be killed before the commit."""
        with self.database.write() as connection:
            self.holding.carry_out(connection)
            raise KeyboardInterrupt

    def waits(self, position: int, started: int, wake_at: int | None, **more: object) -> int:
        """Somebody who waits; his id."""
        self._last += 1
        row: dict[str, object] = {
            "bucket": self._last % 4,
            "id": self._last,
            "user_id": f"u{self._last}",
            "journey": "j",
            "key": "",
            "slot": 0,
            "version_id": 1,
            "run_id": 0,
            "state": 0,
            "reason": 1,
            "position": position,
            "started": started,
            "wake_at": wake_at,
            "entered_at": PAUSED - 3 * DAY,
            "data": "{}",
            **more,
        }
        self._insert("enrollments", row)
        return self._last

    def calls(self, next_try_at: int, **more: object) -> int:
        """Somebody whose call isn't answered; his id."""
        id_ = self.waits(ASK, PAUSED, None, state=1, **more)
        row = {
            "bucket": id_ % 4,
            "enrollment": id_,
            "step": ASK,
            "visit": 1,
            "redrive": 0,
            "run_id": 0,
            "endpoint": "crm",
            "method": "POST",
            "target": "/",
            "headers": "[]",
            "body": b"",
            "key": "k",
            "attempts": 0,
            "tries": 0,
            "next_try_at": next_try_at,
        }
        self._insert("calls", row)
        return id_

    def _insert(self, table: str, row: dict[str, object]) -> None:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        with self.database.write() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values())
            )

    def hold(self, *ids: int) -> None:
        with self.database.write() as connection:
            holding.hold_passages(connection, [(id_ % 4, id_) for id_ in ids])
            holding.hold_calls(connection, [(id_ % 4, id_, ASK, 1, 0) for id_ in ids])

    def touch(self, *ids: int) -> None:
        with self.database.write() as connection:
            holding.hold_touched(connection, [(id_ % 4, id_) for id_ in ids])

    def stands(self, id_: int) -> tuple[int, int | None]:
        """When he came to his step, and when he is due."""
        with self.database.read() as connection:
            row = connection.exec_driver_sql(
                "SELECT started, wake_at FROM enrollments WHERE id = ?", (id_,)
            ).one()
        return row[0], row[1]

    def next_try(self, id_: int) -> int:
        with self.database.read() as connection:
            found: int = connection.exec_driver_sql(
                "SELECT next_try_at FROM calls WHERE enrollment = ?", (id_,)
            ).scalar_one()
        return found


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    database = open_database(database_url(tmp_path))
    yield Here(database)
    database.close()


# --- holding ---------------------------------------------------------------------------------


def test_a_paused_journey_is_held_and_others_are_not(here: Here) -> None:
    assert not here.holding.anything
    here.pause()
    assert here.live.paused == {1}
    assert (here.holding.holds(1, 0), here.holding.holds(2, 0)) == (True, False)


def test_who_is_held_is_due_no_more_and_it_is_known_when_he_was(here: Here) -> None:
    sleeper = here.waits(REST, PAUSED - DAY, PAUSED + HOUR)
    caller = here.calls(PAUSED + HOUR)
    for _ in range(2):  # holding twice is holding once
        here.hold(sleeper, caller)
    assert here.stands(sleeper) == (PAUSED - DAY, HELD + PAUSED + HOUR)
    assert here.next_try(caller) == HELD + PAUSED + HOUR
    assert holding.due_at(HELD + PAUSED + HOUR) == PAUSED + HOUR
    assert (holding.due_at(5), holding.due_at(HELD), holding.due_at(None)) == (5, None, None)


def test_nobody_waits_for_what_is_held(here: Here) -> None:
    here.hold(here.waits(REST, PAUSED - DAY, PAUSED + HOUR), here.calls(PAUSED + HOUR))
    buckets = json.dumps(list(range(4)))
    with here.database.read() as connection:
        assert store.next_wake(connection, buckets, PAUSED, None) is None
        assert store.next_call(connection, buckets, ("crm", "j"), PAUSED, None) is None
        assert store.waiting_calls(connection, None) == {}
    later = here.waits(REST, PAUSED - DAY, PAUSED + DAY)
    with here.database.read() as connection:
        assert store.next_wake(connection, buckets, PAUSED, None) == here.stands(later)[1]


def test_what_is_held_finds_its_place_behind_everything_that_is_due(here: Here) -> None:
    held = here.waits(REST, PAUSED - DAY, PAUSED + HOUR)
    here.hold(held)
    with here.database.read() as connection:
        due = connection.exec_driver_sql(
            "SELECT count(*) FROM enrollments WHERE wake_at <= ?", (RESUMED + 1_000 * DAY,)
        ).scalar_one()
    assert due == 0


# --- resuming --------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["run", "skip"])
def test_whoever_was_held_is_due_as_he_was_and_everybody_else_stays(here: Here, rule: Rule) -> None:
    overdue = here.waits(REST, PAUSED - DAY, PAUSED + HOUR)
    touched = here.waits(ANSWER, PAUSED - DAY, RESUMED + DAY)
    later = here.waits(REST, PAUSED - DAY, RESUMED + DAY)
    caller = here.calls(PAUSED + HOUR)
    here.pause()
    here.hold(overdue, caller)
    here.touch(touched)
    here.resume(rule)
    here.carry_out()
    assert here.stands(overdue) == (PAUSED - DAY, PAUSED + HOUR)
    assert here.stands(touched) == (PAUSED - DAY, RESUMED)
    assert here.stands(later) == (PAUSED - DAY, RESUMED + DAY)
    assert here.next_try(caller) == PAUSED + HOUR


def test_only_after_skipping_calls_that_were_due_are_not_made(here: Here) -> None:
    here.pause()
    here.resume("run")
    assert here.live.skips_until(1) == 0
    here.pause(RESUMED + 1)
    here.resume("skip", RESUMED + DAY)
    assert (here.live.skips_until(1), here.live.skips_until(2)) == (RESUMED + DAY, 0)


def test_shifting_lets_everybody_stand_as_though_he_had_come_later(here: Here) -> None:
    came = PAUSED - DAY
    rest = here.waits(REST, came, PAUSED + DAY)
    overdue = here.waits(REST, came, PAUSED + HOUR)
    answer = here.waits(ANSWER, came, PAUSED + DAY)
    morning = here.waits(MORNING, came, PAUSED + 3 * HOUR)
    date = here.waits(DUE, came, PAUSED + 20 * DAY)
    here.pause()
    here.hold(overdue, morning)
    here.resume("shift")
    here.carry_out()
    later = came + PAUSE
    assert here.stands(rest) == (later, PAUSED + DAY + PAUSE)
    assert here.stands(overdue) == (later, PAUSED + HOUR + PAUSE)
    assert here.stands(answer) == (later, PAUSED + DAY + PAUSE)
    assert here.stands(morning) == (later, RESUMED)  # the step computes the next 09:00
    assert here.stands(date) == (later, PAUSED + 20 * DAY)


def test_who_came_during_the_pause_is_shifted_by_what_he_saw_of_it(here: Here) -> None:
    came = PAUSED + 4 * HOUR
    rest = here.waits(REST, came, came + 2 * DAY)
    entered = here.waits(REST, 0, came, entered_at=came)
    here.pause()
    here.hold(entered)
    here.resume("shift")
    here.carry_out()
    assert here.stands(rest) == (RESUMED, RESUMED + 2 * DAY)
    assert here.stands(entered) == (0, came)


def test_a_fact_that_came_meanwhile_is_looked_at_at_once_however_it_goes_on(here: Here) -> None:
    touched = here.waits(ANSWER, PAUSED - DAY, PAUSED + DAY)
    here.pause()
    here.touch(touched)
    here.resume("shift")
    here.carry_out()
    assert here.stands(touched) == (PAUSED - DAY + PAUSE, RESUMED)


def test_nobody_is_shifted_beyond_his_max_age(here: Here) -> None:
    here.publish("j", max_age="P4D")
    version = {"version_id": 3, "entered_at": PAUSED - 3 * DAY}
    rest = here.waits(REST, PAUSED - DAY, PAUSED + 20 * HOUR, **version)
    here.pause()
    here.resume("shift")
    here.carry_out()
    assert here.stands(rest)[1] == PAUSED + DAY


def test_other_journeys_stay_as_they_are(here: Here) -> None:
    theirs = here.waits(REST, PAUSED - DAY, PAUSED + DAY, journey="other", version_id=2)
    held = here.waits(REST, PAUSED - DAY, PAUSED + HOUR, journey="other", version_id=2)
    call = here.calls(PAUSED + HOUR, journey="other", version_id=2)
    here.hold(held, call)
    here.pause()
    here.resume("shift")
    here.carry_out()
    assert here.stands(theirs) == (PAUSED - DAY, PAUSED + DAY)
    assert here.stands(held)[1] == HELD + PAUSED + HOUR
    assert here.next_try(call) == HELD + PAUSED + HOUR


def test_until_its_bucket_is_done_everybody_in_it_stays_held(here: Here) -> None:
    for _ in range(8):
        here.waits(REST, PAUSED - DAY, PAUSED + DAY)
    here.pause()
    here.resume("shift")
    assert here.live.paused == frozenset()
    assert all(here.holding.holds(1, bucket) for bucket in range(4))
    with here.database.write() as connection:
        done = here.holding.carry_out(connection, most=1)
    here.holding.committed(done)
    assert [one.bucket for one in done] == [0]
    assert [here.holding.holds(1, bucket) for bucket in range(4)] == [False, True, True, True]
    assert here.carry_out(most=1) == 3


def test_a_killed_worker_has_shifted_a_bucket_once_or_not_at_all(here: Here) -> None:
    sleepers = [here.waits(REST, PAUSED - DAY, PAUSED + DAY) for _ in range(8)]
    here.pause()
    here.resume("shift")
    with pytest.raises(KeyboardInterrupt):
        here.carry_out_and_die()
    assert {here.stands(one) for one in sleepers} == {(PAUSED - DAY, PAUSED + DAY)}
    with here.database.write() as connection:
        here.holding.carry_out(connection, most=3)  # committed, and nobody is told
    here.look()
    here.carry_out()
    here.look()
    assert not here.holding.outstanding
    assert {here.stands(one) for one in sleepers} == {(PAUSED - DAY + PAUSE, PAUSED + DAY + PAUSE)}


def test_a_commit_whose_answer_was_lost_has_shifted_them_once(here: Here) -> None:
    sleepers = [here.waits(REST, PAUSED - DAY, PAUSED + DAY) for _ in range(8)]
    here.pause()
    here.resume("shift")
    with here.database.write() as connection:
        here.holding.carry_out(connection)
    here.carry_out()  # it is outstanding still, for all that this worker knows
    assert not here.holding.outstanding
    assert {here.stands(one) for one in sleepers} == {(PAUSED - DAY + PAUSE, PAUSED + DAY + PAUSE)}


def test_a_bucket_that_was_away_catches_up_with_every_order(here: Here) -> None:
    rest = here.waits(REST, PAUSED - DAY, PAUSED + 5 * DAY)
    here.pause()
    here.resume("shift")
    here.pause(RESUMED + HOUR)
    assert here.holding.holds(1, 0)
    with here.database.write() as connection:
        assert here.holding.carry_out(connection) == []  # paused again: it waits for the next one
    here.resume("shift", RESUMED + 2 * HOUR)
    here.carry_out()
    assert here.stands(rest)[1] == PAUSED + 5 * DAY + PAUSE + HOUR


# --- what a turn holds back ------------------------------------------------------------------


def passage_of(here: Here, id_: int, version_id: int, state: State) -> Passage:
    with here.database.read() as connection:
        program = Versions().get(connection, version_id).program
    user = User(f"u{id_}", id_ % 4, None, {})
    return Passage(id_, user, program, "", PAUSED, {}, version_id=version_id, state=state)


def test_a_turn_holds_back_whom_his_journey_holds(here: Here) -> None:
    sleeper, other = here.waits(REST, 1, PAUSED), here.waits(REST, 1, PAUSED, version_id=2)
    hearer, caller = here.waits(ANSWER, 1, PAUSED + DAY), here.calls(PAUSED)
    here.pause()
    back = HeldBack(here.holding)
    held = passage_of(here, sleeper, 1, State.WAITING)
    goes = passage_of(here, other, 2, State.WAITING)
    assert back.going([held, goes]) == [goes]
    assert not back.hears(passage_of(here, hearer, 1, State.WAITING))
    assert not back.hears(passage_of(here, caller, 1, State.CALLING))
    assert back.hears(passage_of(here, hearer, 1, State.ENDED)), "goals of who has left count"
    assert back.hears(goes)
    pending = PendingCall(ASK, 1, "crm", "POST", "/", (), None, b"", "k")
    assert back.calling([Held(passage_of(here, caller, 1, State.CALLING), pending)]) == []
    with here.database.write() as connection:
        back.write(connection)
    assert here.stands(sleeper)[1] == HELD + PAUSED
    assert here.stands(hearer)[1] == HELD
    assert here.stands(other)[1] == PAUSED
    assert here.next_try(caller) == HELD + PAUSED


def test_facts_that_came_meanwhile_are_read_as_they_were_received(here: Here) -> None:
    user = User("u1", 1, None, {})
    facts: list[Fact] = [
        Event(5, 1, "before", {}),
        Event(7, 3, "bought", {"total": 5}, "m1", 2),
        Change(9, 4, {"tier": "gold", "old": None}, {"tier": None, "old": 1}),
    ]
    with here.database.write() as connection:
        write_rows(connection, "insert_fact", [fact_row(user, fact) for fact in facts])
    with here.database.read() as connection:
        assert holding.facts_beyond(connection, 1, "u1", 5) == facts[1:]
        assert holding.facts_beyond(connection, 1, "u2", 0) == []


# --- archiving -------------------------------------------------------------------------------


def test_archiving_makes_everybody_due_held_or_not(here: Here) -> None:
    here.pause()
    rest = here.waits(REST, PAUSED - DAY, RESUMED + DAY)
    held = here.waits(REST, PAUSED - DAY, PAUSED + HOUR)
    caller = here.calls(RESUMED + HOUR)
    failed = here.calls(5)
    here.hold(held)
    here.archive()
    assert here.live.archived == {1}
    assert here.live.paused == set()
    here.carry_out()
    assert {here.stands(one)[1] for one in (rest, held)} == {RESUMED}
    assert (here.next_try(caller), here.next_try(failed)) == (RESUMED, 5)


def test_who_enters_after_it_was_brought_back_does_not_leave(here: Here) -> None:
    here.archive()
    here.publish("j")
    assert here.live.archived == {1}
    assert here.live.state("j") == "active"
    with here.database.read() as connection:
        published = here.live.published(connection, "j")
    assert published is not None
    assert (published.number, published.id in here.live.archived) == (2, False)


# --- what it costs ---------------------------------------------------------------------------


def test_looking_whether_anything_has_changed_is_one_small_statement(here: Here) -> None:
    if on_postgresql():
        pytest.skip("reads a plan as SQLite writes it")
    with here.database.read() as connection:
        assert not here.live.refresh(connection)
    here.pause()
    with here.database.read() as connection:
        assert not here.live.refresh(connection)
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT count(*), coalesce(sum(change), 0) FROM journeys"
        )
        assert [row[3] for row in plan] == ["SCAN journeys"]


def test_who_is_held_is_found_by_his_bucket(here: Here) -> None:
    if on_postgresql():
        pytest.skip("reads a plan as SQLite writes it")
    seen: list[tuple[str, Any]] = []

    @event.listens_for(here.database.engine, "before_cursor_execute")
    def _note(_c: Any, _k: Any, text: str, parameters: Any, *_: Any) -> None:
        if text.startswith("UPDATE enrollments"):
            seen.append((text, parameters))

    here.waits(REST, PAUSED - DAY, PAUSED + DAY)
    here.pause()
    here.resume("shift")
    here.carry_out()
    assert len(seen) == 5
    with here.database.read() as connection:
        for text, parameters in seen:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)
            lines = [row[3] for row in plan]
            assert any("enrollments USING INDEX enrollments_due" in line for line in lines), lines
