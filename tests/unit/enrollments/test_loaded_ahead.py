"""Who is due soon is in memory before, as he is stored, for as long as he stays so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.durations import SECOND
from engine.core.interpreter.state import Passage
from engine.enrollments import loaded_ahead, store
from engine.enrollments.ledger import Ledger
from engine.enrollments.pausing import Holding
from engine.enrollments.store.facts import ERASURE, Told
from engine.enrollments.users_held import UsersHeld
from engine.errors import DatabaseUnavailable
from engine.operations.archive import archive
from engine.operations.erase import carry_out
from engine.operations.pause import pause, resume
from engine.versions.live import LiveJourneys
from tests.databases import BOTH_IN_SOAK
from tests.unit.enrollments.deciding import NOW, Desk, change, event

HOUR = 3600 * SECOND
DUE = NOW + HOUR
SOON = DUE - SECOND

WAITS: dict[str, Any] = {
    "id": "rest",
    "type": "wait_for",
    "any": [{"event": "bought"}, {"when": "user.vip"}],
    "within": "PT1H",
}
UP: dict[str, Any] = {"id": "up", "type": "set", "values": {"vars.up": 1}}
CROWD = [f"u{n}" for n in range(40)]
NEVER: Any = None
"""A connection for whoever has no need to read."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return sleeping(tmp_path)


def sleeping(folder: Path, users: list[str] = CROWD) -> Desk:
    """So many are due a microsecond after one another."""
    desk = Desk(folder)
    desk.publish(WAITS, UP, entry={"triggers": [{"event": "come"}]})
    for number, user in enumerate(users):
        desk.turn(NOW + number, event("come", NOW + number, user))
    return desk


def load(desk: Desk, now: int = SOON) -> int:
    """Load whom there is to load; in how many portions."""
    portions = 0
    while desk.backlog.load_ahead(desk.database, now):
        portions += 1
    return portions


def stored(desk: Desk, now: int) -> list[Passage]:
    """Who is due, as the database has him."""
    with desk.database.read() as connection:
        place = (desk.backlog._sleepers.of(desk.backlog.buckets), -1, now, None, 1_000)
        return store.due_passages(connection, place, desk.around.versions, UsersHeld())


def woken(ledger: Ledger) -> list[str]:
    return [done.passage.user.id for done in ledger.told if done.what == "ended"]


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_who_was_loaded_ahead_is_as_he_is_stored_and_comes_in_due_order(tmp_path: Path) -> None:
    desk = sleeping(tmp_path)
    load(desk)
    now = DUE + len(CROWD)
    ahead = [
        *desk.backlog.load_due(NEVER, now, 25),
        *desk.backlog._ahead.hand_out(now, 100),
    ]
    assert [passage.user.id for passage in ahead] == CROWD
    expected = {
        passage.id: asdict(replace(passage, program=NEVER)) for passage in stored(desk, now)
    }
    assert {p.id: asdict(replace(p, program=NEVER)) for p in ahead} == expected


def test_nobody_wakes_before_his_time_and_then_nothing_is_read(desk: Desk) -> None:
    load(desk)
    assert desk.backlog.next_wake == DUE
    assert not desk.backlog.sleeper_due(DUE - 1)
    assert desk.backlog.load_due(NEVER, DUE + 1, 100) == desk.backlog._ahead._handed
    assert [p.user.id for p in desk.backlog._ahead._handed] == CROWD[:2]


def test_only_who_is_due_soon_is_loaded(desk: Desk) -> None:
    assert load(desk, DUE - loaded_ahead.SOON_US - 1) == 0
    assert load(desk, DUE - loaded_ahead.SOON_US) == 1
    assert load(desk, DUE - loaded_ahead.SOON_US) == 0


def test_a_span_behind_the_first_one_is_loaded_beside_it(desk: Desk) -> None:
    later = [f"l{n}" for n in range(20)]
    for user in later:
        desk.turn(NOW + 4 * SECOND, event("come", NOW, user))
    load(desk, DUE - 2 * SECOND)
    assert len(desk.backlog._ahead._line) == 40
    load(desk, DUE - SECOND // 2)
    assert len(desk.backlog._ahead._line) == 40
    load(desk, DUE + 2 * SECOND)
    assert len(desk.backlog._ahead._line) == 60
    assert set(woken(desk.turn(DUE + 4 * SECOND))) == {*CROWD, *later}


def test_it_is_loaded_in_portions_and_not_more_than_finds_room(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_ahead, "PORTION", 8)
    monkeypatch.setattr(loaded_ahead, "MOST", 24)
    assert load(desk) > 2
    held = len(desk.backlog._ahead._line)
    assert 24 - 8 < held <= 24
    late = DUE + HOUR
    found: list[str] = []
    for _ in range(20):
        found += woken(desk.turn(late, most=5))
    assert sorted(found) == sorted(CROWD)


def test_others_who_are_due_are_read_in_turns_with_those_loaded_ahead(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_ahead, "PORTION", 8)
    monkeypatch.setattr(loaded_ahead, "MOST", 24)
    load(desk)
    left = []
    for _ in range(4):
        desk.turn(DUE + HOUR, most=4)
        left.append(len(desk.backlog._ahead._line))
    assert left == [left[0], left[0], left[0] - 4, left[0] - 4]


def test_more_in_one_bucket_than_a_portion_are_not_loaded_ahead(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_ahead, "PORTION", 1)
    assert 0 < load(desk) < 256
    assert sorted(woken(desk.turn(DUE + HOUR))) == sorted(CROWD)


Doing = Callable[[Desk], object]


def buy(desk: Desk) -> None:
    desk.turn(SOON + 1, event("bought", SOON, "u3"))


def become_vip(desk: Desk) -> None:
    desk.turn(SOON + 1, change(SOON, "u3", vip=True))


def be_erased(desk: Desk) -> None:
    desk.around.erase = lambda user, wish, connection: carry_out(connection, user, wish, now=NOW)
    wish = Told(bucket_of("u3"), 0, "u3", ERASURE, "", SOON, None, '{"actor": "test"}')
    desk.turn(SOON + 1, wish)


def obey(desk: Desk, *doings: Callable[[Any], object]) -> None:
    """Another process gives orders, and the worker carries them out."""
    for doing in doings:
        with desk.database.write() as connection:
            doing(connection)
    journeys = LiveJourneys(desk.around.versions)
    holding = Holding(journeys, desk.around.versions)
    with desk.database.write() as connection:
        journeys.refresh(connection)
        holding.look(connection, range(256))
        holding.carry_out(connection)
    with desk.database.read() as connection:
        desk.backlog.open(connection)


def be_shifted(desk: Desk) -> None:
    def begin(connection: Any) -> None:
        pause(connection, "j", at=SOON - 10 * SECOND, now=0, actor="test")

    def end(connection: Any) -> None:
        resume(connection, "j", "shift", at=SOON, now=0, actor="test")

    obey(desk, begin, end)


def leave_with_the_journey(desk: Desk) -> None:
    obey(desk, lambda connection: archive(connection, "j", at=SOON, now=0, actor="test"))


@pytest.mark.parametrize("doing", [buy, become_vip, be_erased, be_shifted, leave_with_the_journey])
def test_what_happens_before_the_time_counts_as_though_nobody_had_been_loaded(
    tmp_path: Path, doing: Doing
) -> None:
    came: list[object] = []
    for ahead in (True, False):
        folder = tmp_path / str(ahead)
        folder.mkdir()
        desk = sleeping(folder)
        if ahead:
            assert load(desk)
        doing(desk)
        if ahead:
            load(desk)
        for now in (SOON + 1, DUE + HOUR, DUE + HOUR):
            desk.turn(now)
        came.append(
            desk.query(
                "SELECT user_id, state, outcome, position, wake_at, ended_at, data FROM enrollments"
                " ORDER BY user_id"
            )
            + desk.steps()
        )
    assert came[0] == came[1]


def test_only_the_bucket_of_who_was_moved_is_read_again(desk: Desk) -> None:
    load(desk)
    desk.turn(SOON + 1, event("bought", SOON, "u3"), event("bought", SOON, "somebody"))
    same = [user for user in CROWD if bucket_of(user) == bucket_of("u3")]
    assert {p.user.id for p in desk.backlog._ahead._line} == set(CROWD) - set(same)
    assert desk.backlog._ahead.covered(bucket_of("u3")) == -1


def test_after_something_was_loaded_in_vain_nothing_is_for_a_while(desk: Desk) -> None:
    load(desk)
    at = SOON + 1
    desk.turn(at, event("bought", SOON, "u3"), event("bought", SOON, "u4"))
    desk.backlog.add_sleeper(DUE)
    calm = loaded_ahead.VAIN_US + 2 * loaded_ahead.VAIN_EACH_US
    assert load(desk, at + calm - 1) == 0
    assert load(desk, at + calm) > 0


def test_who_falls_asleep_for_a_moment_wakes_among_those_loaded_ahead(desk: Desk) -> None:
    nap = {"id": "nap", "type": "wait", "for": "PT0.1S"}
    desk.publish(nap, entry={"triggers": [{"event": "nap"}]}, name="n")
    desk.turn(SOON - SECOND)
    load(desk)
    naps = {SOON + n * SECOND // 100: user for n, user in enumerate(("u3", "one", "other"))}
    for at, user in naps.items():
        desk.turn(at, event("nap", at, user))
    for at, user in naps.items():
        assert desk.backlog.next_wake == at + SECOND // 10
        assert woken(desk.turn(at + SECOND // 10)) == [user]
    assert desk.backlog.next_wake == DUE


def test_what_a_users_other_passage_does_to_one_loaded_ahead_counts(desk: Desk) -> None:
    buy = {"id": "buy", "type": "set", "values": {"user.vip": True}}
    first = {"id": "first", "type": "wait", "for": "PT59M59.9S"}
    desk.publish(first, buy, entry={"triggers": [{"event": "join"}]}, name="v")
    desk.turn(NOW, event("join", NOW, "u3"))
    load(desk)
    assert desk.backlog.next_wake == DUE - SECOND // 10
    assert sorted(woken(desk.turn(DUE - SECOND // 10))) == ["u3", "u3"]
    assert woken(desk.turn(DUE + HOUR)) == [user for user in CROWD if user != "u3"]


def test_a_turn_that_was_not_committed_leaves_everybody_due(desk: Desk) -> None:
    load(desk)
    with desk.database.read() as connection:
        first = desk.backlog.load_due(connection, DUE + 9, 100)
        again = desk.backlog.load_due(connection, DUE + 9, 100)
    assert len(first) == 10
    assert {p.id for p in again} == {p.id for p in first}
    assert not {id(p) for p in again} & {id(p) for p in first}
    assert sorted(woken(desk.turn(DUE + HOUR))) == sorted(CROWD)


def test_buckets_that_go_take_those_loaded_ahead_with_them(desk: Desk) -> None:
    load(desk)
    kept = tuple(range(128))
    desk.backlog.own(kept, kept)
    assert desk.backlog.next_wake == DUE
    assert sorted(woken(desk.turn(DUE + HOUR))) == sorted(u for u in CROWD if bucket_of(u) < 128)


def test_the_clock_put_back_makes_nobody_wake_early(desk: Desk) -> None:
    load(desk)
    desk.turn(DUE + 4)
    assert woken(desk.turn(NOW)) == []
    assert len(woken(desk.turn(DUE + HOUR))) == len(CROWD) - 5


def test_a_database_that_is_away_is_waited_for_by_who_needs_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseUnavailable("it is away")

    monkeypatch.setattr(desk.database, "read", away)
    assert not desk.backlog.load_ahead(desk.database, SOON)
