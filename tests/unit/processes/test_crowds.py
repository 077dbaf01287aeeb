"""Turns of a crowd are decided while the one before is written, and become what others become."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from engine.db.connect import Connection
from engine.enrollments import store
from engine.enrollments.decide import Decider
from engine.enrollments.ledger import Ledger
from engine.operations.pause import pause
from engine.processes import worker
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
