"""Turns of a crowd are decided while the one before is written, and become what others become."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from engine.core.expressions.durations import SECOND
from engine.db.connect import Connection
from engine.enrollments import store
from engine.enrollments.decide import Decider
from engine.enrollments.ledger import Ledger
from engine.errors import DatabaseUnavailable, DecidedByHalf
from engine.operations.pause import pause
from engine.processes import worker
from engine.users.incoming import IncomingEvent
from tests.unit.enrollments.deciding import NOW
from tests.unit.enrollments.test_loaded_ahead import DUE, SOON
from tests.unit.processes.test_loading_ahead import Place

PATIENCE_S = 30.0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(worker, "SLEEPERS_PER_TURN", 2)
    with closing(Place(tmp_path)) as place:
        place.work(SOON)
        yield place
        place.worker._committing.close()


def test_the_next_turn_is_decided_before_the_last_is_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, write, two = Decider.decide, store.write, Event()
    decided: list[set[str]] = []

    def deciding(self: Decider, *given: Any, **more: Any) -> Ledger:
        ledger = decide(self, *given, **more)
        decided.append({passage.user.id for passage in ledger.passages})
        if len(decided) == 2:
            two.set()
        return ledger

    def writing(connection: Connection, changes: store.Changes) -> None:
        assert two.wait(PATIENCE_S)
        write(connection, changes)

    monkeypatch.setattr(Decider, "decide", deciding)
    monkeypatch.setattr(store, "write", writing)
    place.work(DUE)
    everybody = {f"u{n}" for n in range(6)}
    assert [len(each) for each in decided] == [2, 2, 2]
    assert set.union(*decided) == everybody
    assert {row[:3] for row in place.became()} == {(u, "completed", DUE) for u in everybody}


def test_what_goes_wrong_in_writing_stops_the_worker(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def writing(connection: Connection, changes: store.Changes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "write", writing)
    with pytest.raises(ZeroDivisionError):
        place.work(DUE)
    assert {outcome for _, outcome, *_ in place.became()} == {None}


def test_nothing_is_decided_beside_others_once_journeys_have_changed(place: Place) -> None:
    place.order(lambda connection: pause(connection, "j", at=SOON, now=0, actor="test"))

    def decide(_connection: Connection) -> Ledger:
        raise AssertionError("decided")

    assert place.worker._crowds.decided(decide) is None


def test_a_turn_decided_by_half_is_void_and_the_one_before_is_written_and_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, decided = Decider.decide, 0
    told: list[Ledger] = []

    def deciding(self: Decider, *given: Any, **more: Any) -> Ledger:
        nonlocal decided
        decided += 1
        if decided == 2:
            raise DatabaseUnavailable("it went away")
        return decide(self, *given, **more)

    monkeypatch.setattr(Decider, "decide", deciding)
    monkeypatch.setattr(place.worker._observer, "turned", told.append)
    before = sys.getswitchinterval()
    with pytest.raises(DecidedByHalf):
        place.work(DUE)
    place.worker._committing.close()
    assert [len(ledger.passages) for ledger in told] == [2]
    assert sum(outcome == "completed" for _, outcome, *_ in place.became()) == 2
    assert sys.getswitchinterval() == before


def test_a_turn_that_was_decided_counts_though_reading_fails_behind_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = place.database.read
    failed: list[int] = []

    @contextmanager
    def reading() -> Iterator[Connection]:
        with read() as connection:
            yield connection
        if not failed and place.worker._backlog.next_wake is not None:
            failed.append(len(place.worker._backlog._ahead._line))
            raise DatabaseUnavailable("it went away")

    monkeypatch.setattr(place.database, "read", reading)
    place.work(DUE)
    assert failed == [4], "two are decided"
    assert {row[1:3] for row in place.became()} == {("completed", DUE)}


def test_a_clock_that_is_put_back_amid_a_crowd_wakes_nobody_twice(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        place.clock.at = SOON + n
        place.tell(IncomingEvent(f"u{n}", "bought", {}, SOON + n))
        place.work(SOON + n)
        place.tell(IncomingEvent(f"late{n}", "come", {}, SOON + n))
        place.work(SOON + n)
    hour = DUE - NOW
    place.work(SOON + hour - SECOND)
    is_one, write, asked, two = place.worker._crowds.is_one, store.write, [], Event()

    def is_crowd(*given: Any) -> bool:
        asked.append(is_one(*given))
        if len(asked) == 2:
            place.clock.at = SOON + hour + 1
        return asked[-1]

    def writing(connection: Connection, changes: store.Changes) -> None:
        assert two.wait(PATIENCE_S)
        write(connection, changes)

    def decided(*given: Any) -> Ledger | None:
        ledger = decide(*given)
        if len(asked) == 2:
            two.set()
        return ledger

    decide = place.worker._crowds.decided
    monkeypatch.setattr(place.worker._crowds, "is_one", is_crowd)
    monkeypatch.setattr(place.worker._crowds, "decided", decided)
    monkeypatch.setattr(store, "write", writing)
    place.work(SOON + hour + 5)
    assert asked[:2] == [True, True]
    place.work(SOON + hour + 6)
    ended = {user: at for user, _, at, _ in place.became() if user.startswith("late")}
    assert all(at >= SOON + hour + n for n, at in enumerate(ended.values()))


def test_what_a_users_other_passages_wrote_is_read_in_the_turns_behind(place: Place) -> None:
    adds = {"user.n": "{{ (user.n | default(0)) + 1 }}"}
    for name in ("a", "b", "c"):
        rest: dict[str, Any] = {"id": "rest", "type": "wait", "for": "PT1H"}
        add = {"id": "add", "type": "set", "values": adds}
        place.desk.publish(rest, add, name=name, entry={"triggers": [{"event": "start"}]})
    place.tell(*(IncomingEvent(f"u{n}", "start", {}, SOON) for n in range(4)))
    place.work(SOON)
    place.work(SOON + DUE - NOW - SECOND)
    assert place.worker._backlog._ahead.due(SOON + DUE - NOW) == 12
    place.work(SOON + DUE - NOW)
    written = place.desk.query("SELECT attributes FROM users WHERE id <= 'u3'")
    assert [one for (one,) in written] == ['{"n":3}'] * 4
