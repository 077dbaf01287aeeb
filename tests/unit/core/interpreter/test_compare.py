"""Two ways of a user: where they part, and how."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.interpreter.advance import World
from engine.core.interpreter.compare import Parting, Point, parting, points
from engine.core.interpreter.simulate import simulate
from engine.core.message import Answer
from tests.unit.core.interpreter.passing import call, journey, pause, put
from tests.unit.core.interpreter.test_simulate import START, Row

OUT = {"id": "out", "type": "exit", "outcome": "done"}


def way(*steps: dict[str, Any], status: int = 200, **more: Any) -> list[Point]:
    def answer(*_: object) -> Answer:
        return Answer(status)

    return points(simulate(journey(*steps, **more), [Row()], World({}), answer, START))


BEFORE = way(call(body={"n": 1}), pause(), put(), OUT)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (way(call(body={"n": 1}), pause(), put(), OUT), None),
        (way(call(body={"n": 1}), put(), OUT), Parting("way", 2, "put")),
        (way(call(body={"n": 1}), pause(), put(), call("x"), OUT), Parting("way", 4, "x")),
        (way(call(body={"n": 1}), pause(), put()), Parting("way", 4, "completed")),
        (way(call(body={"n": 1}), pause(), put(), OUT, status=404), Parting("way", 1, "ask")),
        (way(call(body={"n": 2}), pause(), put(), OUT), Parting("request", 1, "ask")),
        (way(call(body={"n": 1}), pause(span="P2D"), put(), OUT), Parting("time", 2, "rest")),
        # What matters most is told: another request behind another time, another way behind both.
        (
            way(pause(span="PT1H"), call(body={"n": 2}), OUT),
            Parting("way", 1, "rest"),
        ),
        (way(call(body={"n": 2}), pause(span="P2D"), OUT), Parting("way", 3, "out")),
        ([], Parting("way", 0, "entered")),
    ],
)
def test_ways_part_where_they_differ_first(after: list[Point], expected: Parting | None) -> None:
    assert parting(after, BEFORE) == expected
    mirrored = parting(BEFORE, after)
    assert (mirrored and (mirrored.kind, mirrored.common)) == (
        expected and (expected.kind, expected.common)
    )


def test_a_request_that_differs_after_a_time_that_does_counts_as_the_request() -> None:
    one = way(pause(), call(body={"n": 1}))
    other = way(pause(span="P2D"), call(body={"n": 2}))
    assert parting(one, other) == Parting("request", 2, "ask")


def test_a_way_has_who_entered_or_was_refused_and_where_he_stands_in_the_end() -> None:
    held = journey(pause(), entry={"inputs": {"x": "text"}})
    refused = points(simulate(held, [Row()], World({}), lambda *_: Answer(200), START))
    assert [(p.what, p.name) for p in refused] == [("refused", "no_input")]
    stays = points(simulate(journey(pause()), [Row()], World({}), lambda *_: Answer(200), START, 0))
    assert [(p.what, p.name) for p in stays] == [("entered", "entered"), ("stays", "rest")]
    arms = [{"name": "a", "weight": 1}, {"name": "b", "weight": 0}]
    assert way({"id": "s", "type": "split", "arms": arms})[1].arm == "a"
