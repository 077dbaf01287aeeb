"""What a turn loads where there is more than it takes in: nobody is passed over."""

from __future__ import annotations

from pathlib import Path

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.durations import SECOND
from engine.enrollments.ledger import Ledger
from engine.enrollments.store.facts import EVENT, Told
from tests.unit.enrollments.deciding import NOW, Desk

HOUR = 3600 * SECOND


def come(user: str, at: int) -> Told:
    return Told(bucket_of(user), 0, user, EVENT, "come", at, None, "{}")


def sleeping_desk(folder: Path) -> Desk:
    desk = Desk(folder)
    steps = ({"id": "rest", "type": "wait", "for": "PT1H"},)
    desk.publish(*steps, entry={"triggers": [{"event": "come"}]})
    return desk


def users_of(ledger: Ledger) -> set[str]:
    return {told.passage.user.id for told in ledger.told if told.execution is not None}


def test_all_who_were_due_wake_before_those_who_are_due_since(tmp_path: Path) -> None:
    desk = sleeping_desk(tmp_path)
    first, second = [f"a{n}" for n in range(40)], [f"b{n}" for n in range(40)]
    desk.turn(NOW, *(come(user, NOW) for user in first))
    desk.turn(NOW + SECOND, *(come(user, NOW + SECOND) for user in second))
    now, woken = NOW + HOUR, []
    for _ in range(6):
        woken.append(users_of(desk.turn(now, most=16)))
        now += SECOND
    assert [len(users) for users in woken] == [16, 16, 8, 16, 16, 8]
    assert set().union(*woken[:3]) == set(first)
    assert set().union(*woken[3:]) == set(second)


def test_nobody_is_loaded_early_when_the_clock_is_put_back_amid_a_backlog(tmp_path: Path) -> None:
    desk = sleeping_desk(tmp_path)
    desk.turn(NOW, *(come(f"u{n}", NOW) for n in range(40)))
    assert len(users_of(desk.turn(NOW + HOUR, most=16))) == 16
    with desk.database.read() as connection:
        assert desk.backlog.load_due(connection, NOW + 1, 16) == []
    assert len(users_of(desk.turn(NOW + HOUR, most=100))) == 24
