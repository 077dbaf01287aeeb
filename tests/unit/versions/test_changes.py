"""What is another in a journey's text: by steps, triggers and keys."""

from __future__ import annotations

from engine.core.dsl.load import Loaded, load
from engine.versions.changes import StepChange, changes, triggers_in_words

BEFORE = """
dsl: 1
journey: j
entry:
  triggers:
    - event: order_placed
      where: event.total > 5
    - {schedule: "0 9 * * mon", audience: user.active}
steps:
  - {id: a, type: wait, for: P1D}
  - id: which
    type: branch
    paths:
      - name: rich
        when: user.rich
        steps:
          - {id: b, type: call_api, endpoint: crm, body: {steps: [1]}}
  - {id: c, type: wait, for: P2D}
"""


def read(text: str) -> Loaded:
    return load(text.encode(), "j.yaml")


def steps(before: str, after: str) -> list[StepChange]:
    return list(changes(read(before), read(after)).steps)


def test_comments_and_layout_change_nothing() -> None:
    after = BEFORE.replace("{id: a, type: wait, for: P1D}", "{type: wait, for: P1D, id: a} # one")
    assert changes(read(BEFORE), read(after)).empty


def test_a_changed_step_is_named_with_its_keys_and_the_step_that_holds_it_is_not() -> None:
    after = BEFORE.replace("body: {steps: [1]}", "body: {steps: [2]}, timeout: 5s")
    assert steps(BEFORE, after) == [StepChange("b", "changed", ("body", "timeout"))]


def test_steps_that_come_and_go_are_told() -> None:
    after = BEFORE.replace("id: c, type: wait", "id: d, type: wait")
    assert steps(BEFORE, after) == [StepChange("d", "added"), StepChange("c", "removed")]


def test_a_step_in_another_place_has_moved() -> None:
    first, last = "  - {id: a, type: wait, for: P1D}\n", "  - {id: c, type: wait, for: P2D}\n"
    after = BEFORE.replace(last, "").replace(first, last + first)
    assert steps(BEFORE, after) == [StepChange("c", "moved")]
    inner = "          - {id: b, type: call_api, endpoint: crm, body: {steps: [1]}}\n"
    outside = BEFORE.replace(inner, inner.replace("id: b", "id: x")).replace(
        first, first + inner.strip().join(["  ", "\n"])
    )
    assert StepChange("b", "moved") in steps(BEFORE, outside)


def test_a_value_of_another_type_is_a_change() -> None:
    after = BEFORE.replace("steps: [1]", "steps: [true]")
    assert steps(BEFORE, after) == [StepChange("b", "changed", ("body",))]


def test_triggers_are_told_in_words() -> None:
    after = BEFORE.replace("event.total > 5", "event.total > 6")
    found = changes(read(BEFORE), read(after))
    assert found.triggers_added == ("event order_placed where event.total > 6",)
    assert found.triggers_removed == ("event order_placed where event.total > 5",)
    assert found.steps == ()
    assert triggers_in_words(read(BEFORE).journey)[1] == (
        "schedule 0 9 * * mon audience user.active"
    )


def test_all_other_keys_are_named() -> None:
    after = BEFORE.replace("entry:\n", "max_age: P30D\nentry:\n  reentry: after_exit\n")
    assert changes(read(BEFORE), read(after)).keys == ("max_age", "entry.reentry")


def test_of_a_new_journey_everything_is_added() -> None:
    found = changes(None, read(BEFORE))
    assert [one.step for one in found.steps] == ["a", "which", "b", "c"]
    assert {one.what for one in found.steps} == {"added"}
    assert (len(found.triggers_added), found.keys) == (2, ())
