"""A passage is told of in one order and in the same words, wherever that is."""

from __future__ import annotations

from dataclasses import replace

from engine.console.story import story_of
from engine.enrollments.telling import Ended, by_what, happenings, tried_so_far
from engine.enrollments.told import Cause, Noted, PassageTold, Standing, StepTaken, Why

SECOND = 1_000_000
PLAN = Noted("attributes", "plan", 2 * SECOND, {"plan": "pro"})
OPENED = Noted("event", "opened", 3 * SECOND)
LATE = Noted("goal", "bought", 9 * SECOND)


def _step(step: str, type_: str, at: int, **more: object) -> StepTaken:
    fields: dict[str, object] = {"visit": 1, "redrive": 0, "status": "succeeded", "failure": None}
    fields |= {"text": "", "http_status": None, "attempts": 1, "arm": None}
    fields |= {"credential_version": None, "started_at": 0, "ended_at": at * SECOND}
    return StepTaken(step, type_, **(fields | more))  # type: ignore[arg-type]


SCORE = _step("score", "call_api", 3, request="POST /s", endpoint="crm", status="failed")
VALUE = _step("value", "branch", 4, arm="high")
ENDED = PassageTold(
    *(1, 1, "", None, 0, Cause("event", "hello"), {}),
    *((SCORE, VALUE), (PLAN, OPENED, LATE), None, "done", 5 * SECOND),
)
STANDING = Standing("rest", "wait", "", 4 * SECOND, None)
WAITING = PassageTold(
    *(1, 1, "", None, 0, Cause("clock"), {}, (SCORE, VALUE), (PLAN, LATE), STANDING, None, None),
)


def test_what_moved_somebody_stands_before_the_step_and_what_came_after_the_end_behind_it() -> None:
    end = Ended(5 * SECOND, "done", "2 steps, 1 failed call")
    assert list(happenings(ENDED)) == [PLAN, OPENED, SCORE, VALUE, end, LATE]
    assert list(happenings(WAITING)) == [PLAN, SCORE, VALUE, LATE, STANDING]


def test_a_call_sent_again_after_the_end_stands_behind_it_and_is_no_further_step() -> None:
    again = replace(SCORE, redrive=1, status="succeeded", ended_at=7 * SECOND)
    end = Ended(5 * SECOND, "done", "2 steps, 1 failed call")
    told = list(happenings(replace(ENDED, steps=(SCORE, VALUE, again))))
    assert told == [PLAN, OPENED, SCORE, VALUE, end, again, LATE]


def test_attempts_so_far_are_counted_in_words() -> None:
    said = [tried_so_far(replace(STANDING, attempts=n)) for n in (0, 1, 2)]
    assert said == ["", "1 attempt so far", "2 attempts so far"]


def test_causes_are_said_in_words() -> None:
    said = [by_what(Cause(kind, "n")) for kind in ("run", "event", "attributes", "clock")]
    assert said == ["by run n", "by event n", "as n changed", "by the clock"]
    assert by_what(Cause("command")) == "by command"


def test_a_page_has_a_line_for_all_of_it() -> None:
    why = Why("u", "j", "active", 0, "UTC", (), (ENDED, WAITING), ())
    ended, waiting = story_of(why).passages
    assert [(line.kind, line.name, line.what) for line in ended.lines] == [
        ("entered", "entered", "by event hello"),
        ("noted", "changed", ""),
        ("noted", "event", "opened"),
        ("failed", "score", "POST crm/s"),
        ("decided", "value", "→ high"),
        ("ended", "done", "2 steps, 1 failed call"),
        ("goal", "goal", "bought"),
    ]
    assert [line.kind for line in waiting.lines][-2:] == ["goal", "now"]
