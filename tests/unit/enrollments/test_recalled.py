"""Calls that are taken back before anything of them is on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.enrollments.pending import Held
from engine.enrollments.store.facts import ERASURE
from engine.enrollments.store.holding import HELD
from engine.operations.pause import pause
from tests.unit.core.interpreter.passing import DAY, call
from tests.unit.enrollments.deciding import NOW, Desk, event

COME = {"triggers": [{"event": "come"}]}
SKIPPED, FAILED = 3, 2


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An installation without a journey."""
    made = Desk(tmp_path)
    yield made
    made.database.close()


def calling(desk: Desk) -> Held:
    """Somebody whose call is in memory and not sent."""
    desk.publish(call(), entry=COME, exit=[{"event": "left"}], max_age="P2D")
    desk.turn(NOW, event("come"))
    (held,) = desk.calls.queued.values()
    return held


def pause_it(desk: Desk) -> None:
    with desk.database.write() as connection:
        pause(connection, "j", at=NOW + 1, now=NOW + 1, actor="test")


def marks(desk: Desk) -> list[tuple[object, ...]]:
    return desk.query("SELECT started_by IS NULL, next_try_at >= 1 << 62 FROM calls")


def test_a_call_that_is_to_be_marked_is_held_by_a_pause_and_not_marked(desk: Desk) -> None:
    held = calling(desk)
    pause_it(desk)
    desk.turn(NOW + 2, starting=(held,))
    assert marks(desk) == [(True, True)]
    assert not desk.calls.queued


def test_a_call_that_is_to_be_marked_goes_with_the_user_who_is_erased(desk: Desk) -> None:
    held = calling(desk)
    desk.turn(NOW + 2, replace(event("x"), kind=ERASURE), starting=(held,))
    assert not desk.calls.queued
    assert held.passage.id in desk.around.gone


def test_a_call_that_is_to_be_marked_is_not_made_for_who_leaves(desk: Desk) -> None:
    held = calling(desk)
    desk.turn(NOW + 2, event("left", NOW + 2), starting=(held,))
    assert desk.steps() == [(0, 1, SKIPPED, 0, "exit:1 before it was sent")]
    assert not desk.calls.queued


def test_a_call_that_nothing_takes_back_is_marked(desk: Desk) -> None:
    desk.turn(NOW + 2, starting=(calling(desk),))
    assert marks(desk) == [(False, False)]


def test_a_pause_holds_calls_in_memory_that_are_sent_again(desk: Desk) -> None:
    held = calling(desk)
    with desk.database.write() as connection:
        connection.exec_driver_sql("UPDATE calls SET redrive = 1")
    held.call.redrive = 1
    pause_it(desk)
    desk.turn(NOW + 2)
    assert not desk.calls.queued
    assert desk.query("SELECT next_try_at FROM calls") == [(NOW + HELD,)]


def test_who_waits_for_his_call_to_be_made_for_as_long_as_he_may_stay_leaves(desk: Desk) -> None:
    held = calling(desk)
    desk.restart()
    desk.turn(NOW + 2 * DAY - 1, calls=(held,))
    assert desk.outcomes() == [None]
    ledger = desk.turn(NOW + 2 * DAY, calls=(held,))
    assert desk.outcomes() == ["expired"]
    assert desk.steps() == [(0, 1, SKIPPED, 0, "expired before it was sent")]
    assert not ledger.calls
    assert desk.query("SELECT count(*) FROM calls") == [(0,)]
