"""What a turn tells observers of the steps it took."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.core.interpreter.passing import call, put
from tests.unit.enrollments.deciding import NOW, Desk, event

SUCCEEDED, FAILED, SKIPPED = 1, 2, 3
BACK = {
    "id": "which",
    "type": "branch",
    "paths": [{"name": "back", "when": "visits('ask') < 2", "next": "ask"}],
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.database.close()


def told(desk: Desk, status: int) -> list[tuple[int, int, str, bool]]:
    """Everybody's call is answered: the steps that are told of then, each with its visit, status
    and whether it is told with the call.
    """
    desk.send()
    ledger = desk.turn(NOW + 1, answered=desk.answers(status, NOW))
    done = [(one.execution, one.call) for one in ledger.told if one.execution is not None]
    return [(e.step, e.visit, e.status, call is not None) for e, call in done]


@pytest.mark.parametrize(
    ("status", "became", "kept"), [(200, "succeeded", SUCCEEDED), (404, "failed", FAILED)]
)
def test_a_step_that_is_skipped_in_the_walk_of_its_own_answer_is_told_without_the_call(
    desk: Desk, status: int, became: str, kept: int
) -> None:
    desk.publish(
        call(when="not vars.asked | default(false)"),
        put(asked=True),
        BACK,
        entry={"triggers": [{"event": "come"}]},
    )
    desk.turn(NOW, event("come"))
    steps = told(desk, status)
    assert [step for step in steps if step[0] == 0] == [
        (0, 1, became, True),
        (0, 2, "skipped", False),
    ]
    assert [(row[1], row[2]) for row in desk.steps() if row[0] == 0] == [(1, kept), (2, SKIPPED)]


def test_a_step_that_calls_again_in_the_walk_of_its_own_answer_is_told_with_the_first_call(
    desk: Desk,
) -> None:
    desk.publish(
        call(),
        BACK,
        entry={"triggers": [{"event": "come"}]},
    )
    desk.turn(NOW, event("come"))
    assert [step for step in told(desk, 200) if step[0] == 0] == [(0, 1, "succeeded", True)]
    assert [held.call.visit for held in desk.calls.queued.values()] == [2]
