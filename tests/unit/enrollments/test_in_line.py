from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from engine.enrollments.backlog import Backlog


def call(bucket: int, lane: tuple[str, str] = ("api", "j")) -> Any:
    """What the backlog needs of a held call."""
    passage = SimpleNamespace(user=SimpleNamespace(bucket=bucket))
    return SimpleNamespace(lane=lane, passage=passage)


def test_a_call_takes_no_room_before_an_earlier_one_of_its_bucket_and_endpoint() -> None:
    backlog = Backlog(None, *2 * (SimpleNamespace(),))  # type: ignore[arg-type]
    first, second, elsewhere = call(1), call(1), call(1, ("crm", "j"))
    seen = []
    for held, behind in backlog.in_line([], [first, second, call(2), elsewhere]):
        seen.append(behind)
        if held is first:  # there was no room
            backlog.put_off(held, 7)
    assert seen == [False, True, False, False]
    assert [behind for _, behind in backlog.in_line([first], [second])] == [False, True]
    assert backlog.due_lanes(7) == [("api", "j")]
