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
    for held in backlog.in_line([], [first, second, call(2), elsewhere], (), 7):
        seen.append(held)
        if held is first:  # there was no room
            backlog.put_off(held, 7)
    assert [held.passage.user.bucket for held in seen] == [1, 2, 1]
    assert seen[-1] is elsewhere
    assert list(backlog.in_line([first], [second], (), 7)) == [first]
    assert backlog.due_lanes(7) == [("api", "j")]


def test_a_call_of_a_bucket_that_is_given_away_takes_no_room() -> None:
    backlog = Backlog(None, *2 * (SimpleNamespace(),))  # type: ignore[arg-type]
    loaded, fresh, kept = call(1), call(1, ("crm", "j")), call(2)
    assert list(backlog.in_line([loaded, kept], [fresh], {1}, 7)) == [kept]
    assert backlog.due_lanes(7) == [("api", "j"), ("crm", "j")]
