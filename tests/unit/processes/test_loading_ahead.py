"""What another process does between loading somebody and his time counts for him."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.durations import SECOND
from engine.db.connect import Connection
from engine.db.ids import IdMaker
from engine.db.schema import open_database
from engine.enrollments.buckets import acquire
from engine.enrollments.pausing import Holding
from engine.enrollments.store import facts
from engine.errors import DatabaseUnavailable
from engine.operations.archive import archive
from engine.operations.erase import ask
from engine.operations.pause import pause, resume
from engine.processes.assemble import assemble
from engine.processes.pace import Pace
from engine.processes.worker import Worker
from engine.settings import Settings
from engine.users.incoming import Incoming, IncomingChange, IncomingEvent
from engine.users.ingest import ingest
from engine.users.store import append
from engine.versions.store import Versions
from tests.databases import BOTH_IN_SOAK, database_url
from tests.unit.enrollments.deciding import NOW, Desk
from tests.unit.enrollments.test_loaded_ahead import DUE, SOON, UP, WAITS
from tests.unit.processes.test_committing import Nobody

TOLD: dict[str, Incoming] = {
    "event": IncomingEvent("u3", "bought", {}, SOON),
    "attribute": IncomingChange("u3", {"vip": True}, SOON),
}


@dataclass
class ByHand:
    """A clock that stands."""

    at: int = NOW

    def now(self) -> int:
        return self.at

    def moment(self) -> int:
        return self.at


class Place:
    """An installation with a worker whose turns are taken here, and what others do to it."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.desk.publish(WAITS, UP, entry={"triggers": [{"event": "come"}]})
        self.clock = ByHand()
        self.database = open_database(database_url(folder))
        self.owned = acquire(self.database, shared=True)
        self.owned.heartbeat()
        settings = Settings(home=str(folder), database_url=database_url(folder))
        self._ids = IdMaker(lambda: 7)

        async def deliver(_held: Any) -> Any:
            raise AssertionError("nobody makes a call")

        parts = (self.database, self.owned, deliver, Versions(), self.clock, settings, Nobody())
        self.worker: Worker = assemble(*parts)
        self.worker.open()
        self.tell(*(IncomingEvent(f"u{n}", "come", {}, NOW) for n in range(6)))
        self.work(NOW)

    def close(self) -> None:
        self.worker._watch.close()
        self.owned.release()
        self.database.close()
        self.desk.database.close()

    def tell(self, *told: Incoming) -> None:
        with self.desk.database.write() as connection:
            ingest(connection, told, now=self.clock.at, new_id=self._ids)

    def order(self, order: Callable[[Connection], object]) -> None:
        with self.desk.database.write() as connection:
            order(connection)

    def work(self, now: int) -> None:
        """Until there is nothing to do at that moment."""
        self.clock.at = now
        self.worker._watch.each_s = 0.0  # a server is asked at each look
        while self.worker.turn() == 0.0:
            pass

    def became(self) -> list[tuple[Any, ...]]:
        return self.desk.query(
            "SELECT e.user_id, e.outcome, e.ended_at, x.text FROM enrollments AS e LEFT JOIN"
            " executions AS x ON x.bucket = e.bucket AND x.enrollment = e.id AND x.step = 0"
            " ORDER BY e.user_id"
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with closing(Place(tmp_path)) as place:
        yield place


pytestmark = [BOTH_IN_SOAK, pytest.mark.usefixtures("either_database")]


def loaded(place: Place) -> list[str]:
    return [passage.user.id for passage in place.worker._backlog._ahead._line]


def test_nobody_is_loaded_while_nobody_is_due_soon(place: Place) -> None:
    assert loaded(place) == []
    place.work(SOON)
    assert len(loaded(place)) == 6
    place.work(DUE)
    assert {(outcome, at) for _, outcome, at, _ in place.became()} == {("completed", DUE)}


@pytest.mark.parametrize("told", TOLD)
def test_what_another_process_tells_counts(place: Place, told: str) -> None:
    place.work(SOON)
    place.tell(TOLD[told])
    for at in (SOON + 1, DUE, DUE + 1):
        place.work(at)
    ended = {user: at for user, _, at, _ in place.became()}
    assert ended == {**{f"u{n}": DUE for n in range(6)}, "u3": SOON + 1}


def test_what_is_told_at_the_very_moment_comes_before_the_clock(place: Place) -> None:
    place.work(SOON)
    place.tell(TOLD["event"])
    place.work(DUE)
    texts = {user: text for user, _, _, text in place.became()}
    assert "bought" in texts.pop("u3")
    assert len(texts) == 5
    assert not any("bought" in text for text in texts.values())


def test_who_is_to_be_erased_does_not_come_back(place: Place) -> None:
    place.work(SOON)
    ask(place.desk.database, "u3", actor="test", now=SOON)
    place.work(SOON + 1)
    place.work(DUE)
    assert [user for user, *_ in place.became()] == ["u0", "u1", "u2", "u4", "u5"]


def test_a_pause_holds_them_and_its_end_shifts_them(place: Place) -> None:
    place.work(SOON)
    place.order(lambda connection: pause(connection, "j", at=SOON, now=0, actor="test"))
    place.work(DUE)
    assert {at for _, _, at, _ in place.became()} == {None}
    end = SOON + 10 * SECOND
    place.order(lambda connection: resume(connection, "j", "shift", at=end, now=0, actor="test"))
    for at in (end, DUE + 10 * SECOND - 1, DUE + 10 * SECOND):
        place.work(at)
    assert {at for _, _, at, _ in place.became()} == {DUE + 10 * SECOND}


def test_a_pause_that_ends_before_their_time_shifts_them_too(place: Place) -> None:
    place.work(SOON)
    begins, end = SOON - 5 * SECOND, SOON
    place.order(lambda connection: pause(connection, "j", at=begins, now=0, actor="test"))
    place.order(lambda connection: resume(connection, "j", "shift", at=end, now=0, actor="test"))
    place.work(DUE)
    assert {at for _, _, at, _ in place.became()} == {None}
    place.work(DUE + 5 * SECOND)
    assert {at for _, _, at, _ in place.became()} == {DUE + 5 * SECOND}


def test_they_leave_with_a_journey_that_is_archived(place: Place) -> None:
    place.work(SOON)
    place.order(lambda connection: archive(connection, "j", at=SOON, now=0, actor="test"))
    place.work(SOON + 1)
    place.work(DUE)
    assert {row[1:3] for row in place.became()} == {("archived", SOON + 1)}


def test_another_version_is_for_those_who_come_after_it(place: Place) -> None:
    place.work(SOON)
    place.desk.publish(UP, entry={"triggers": [{"event": "come"}]})
    place.tell(IncomingEvent("u9", "come", {}, SOON))
    place.work(DUE)
    assert {at for _, _, at, _ in place.became()} == {DUE}
    assert len(place.became()) == 7


def test_what_was_loaded_is_forgotten_though_it_cant_be_read_anew(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.work(SOON)
    begins, end = SOON - 5 * SECOND, SOON
    place.order(lambda connection: pause(connection, "j", at=begins, now=0, actor="test"))
    place.order(lambda connection: resume(connection, "j", "shift", at=end, now=0, actor="test"))
    read, committed = place.database.read, Holding.committed
    away: list[bool] = []

    def reading() -> Any:
        if away == [True]:
            away.append(False)
            raise DatabaseUnavailable("it is away")
        return read()

    def done(self: Holding, *given: Any) -> None:
        away.append(True)
        committed(self, *given)

    monkeypatch.setattr(place.database, "read", reading)
    monkeypatch.setattr(Holding, "committed", done)
    place.work(SOON + 1)
    assert away == [True, False]
    place.work(DUE)
    assert {at for _, _, at, _ in place.became()} == {None}
    place.work(DUE + 5 * SECOND)
    assert {at for _, _, at, _ in place.became()} == {DUE + 5 * SECOND}


def test_a_crowd_of_facts_comes_before_the_clock_also_behind_a_user_of_a_run(place: Place) -> None:
    """Users of runs are taken in by small turns; what is told then isn't, and no clock overtakes
    it."""
    ((version,),) = place.desk.query("SELECT max(version_id) FROM enrollments")
    entry = facts.entry_of_run(9, version, {}, {})
    with place.desk.database.write() as connection:
        append(connection, [(bucket_of("r1"), 5, "r1", facts.ENTRY, "j", NOW, None, entry)])
    place.work(SOON)
    others = (f"x{n}" for n in range(3_000) if bucket_of(f"x{n}") != bucket_of("u3"))
    noise = [IncomingEvent(next(others), "noise", {}, SOON) for _ in range(1_500)]
    place.tell(*noise, TOLD["event"])
    # Everybody else's bucket comes before that of the one who matters.
    place.worker._backlog._inbox._first = (bucket_of("u3") + 1) % 256
    place.work(DUE)
    texts = {user: text for user, _, _, text in place.became()}
    assert "bought" in texts["u3"]


def test_an_event_behind_held_back_users_is_met_though_the_database_failed_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place.worker.outbox, "hungry", lambda _lane: False)
    entry = facts.entry_of_run(99, 1, {}, {})
    rows = [
        (bucket_of(f"r{n}"), n + 5, f"r{n}", facts.ENTRY, "j", NOW, None, entry) for n in range(300)
    ]
    with place.desk.database.write() as connection:
        append(connection, rows)
    place.worker._tellings._targets = {99: {("slow", "j")}}
    place.work(SOON)
    assert len(place.desk.query("SELECT 1 FROM inbox")) == 300
    place.worker._pace = Pace()
    place.work(SOON)
    assert place.worker._pace.is_alone  # who is held back has turns stay large
    look, failing = facts.more_than_entries, [1]

    def once(connection: Connection, *place: Any) -> bool:
        if failing:
            failing.pop()
            raise DatabaseUnavailable("disk I/O error")
        return look(connection, *place)

    monkeypatch.setattr(facts, "more_than_entries", once)
    place.tell(TOLD["event"])
    place.work(SOON + 1)
    assert place.desk.query("SELECT count(*) FROM inbox WHERE kind = 0") == [(0,)]
