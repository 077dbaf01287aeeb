"""branch, split, set, exit, and the steps that need events."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.expressions.assignment import pick_arm
from engine.core.steps.base import Emitted, End, Exit, Move, Started, Wait
from tests.unit.core.steps.standing import NOW, USER, answered, refusals, step, view

# --- branch ----------------------------------------------------------------------------------

PATHS = [
    {"name": "high", "when": "vars.score >= 80", "next": "agent"},
    {"name": "known", "when": "vars.score > 0"},
]


@pytest.mark.parametrize(
    ("score", "exit_"), [(90, 0), (80, 0), (79, 1), (0, 2), (None, 2), ("90", 2)]
)
def test_the_first_path_that_is_true_is_taken_else_otherwise(score: object, exit_: int) -> None:
    decision = step(type="branch", paths=PATHS, otherwise="low").decide(view(vars={"score": score}))
    assert isinstance(decision, Move)
    assert (decision.exit, decision.status) == (exit_, "succeeded")


def test_a_branch_without_otherwise_goes_on() -> None:
    assert step(type="branch", paths=PATHS).decide(view(vars={})) == Move(text="none is true")


def test_the_ways_of_a_branch_are_its_paths_in_order_and_otherwise() -> None:
    made = step(type="branch", paths=PATHS, otherwise={"next": "low"})
    assert made.exits() == (
        Exit("high", next="agent", at=("paths", 0)),
        Exit("known", at=("paths", 1)),
        Exit("otherwise", next="low", at=("otherwise",)),
    )
    assert step(type="branch", paths=PATHS, otherwise="low").exits()[2].next == "low"


def test_a_condition_that_grows_too_big_fails_the_branch_and_not_the_user() -> None:
    when = "(user.a | replace('x', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy')) == 'z'"
    made = step(type="branch", paths=[{"name": "a", "when": when}])
    decision = made.decide(view(user={"a": "x" * 16_000}))
    assert isinstance(decision, Move)
    assert (decision.status, decision.failure) == ("failed", "step.unfillable")


# --- split -----------------------------------------------------------------------------------

ARMS = [{"name": "reminder", "weight": 50}, {"name": "offer", "weight": 50}]


def arm(user_id: str, **keys: Any) -> str | None:
    decision = step(type="split", **{"arms": ARMS, **keys}).decide(view(user_id=user_id))
    assert isinstance(decision, Move)
    assert decision.arm == keys.get("arms", ARMS)[decision.exit]["name"]
    return decision.arm


def test_a_user_gets_the_same_arm_each_time_and_about_half_get_each() -> None:
    users = [f"u{number}" for number in range(1_000)]
    arms = [arm(user) for user in users]
    assert arms == [arm(user) for user in users]
    assert 420 < arms.count("offer") < 580


def test_the_salt_is_journey_and_step_unless_the_author_names_one() -> None:
    names = ("reminder", "offer")
    for number in range(50):
        user = f"u{number}"
        assert arm(user) == names[pick_arm("welcome/here", user, (50, 50))]
        assert arm(user, salt="q3") == names[pick_arm("q3", user, (50, 50))]


def test_an_arm_without_weight_gets_nobody() -> None:
    arms = [{"name": "a", "weight": 0}, {"name": "b", "weight": 0.5}]
    assert {arm(f"u{number}", arms=arms) for number in range(50)} == {"b"}


# --- set and exit ----------------------------------------------------------------------------


def test_set_writes_to_the_passage_and_to_the_user_and_keeps_types() -> None:
    values = {
        "vars.total": "{{ inputs.total }}",
        "vars.text": "total {{ inputs.total }}",
        "user.tier": "gold",
        "user.old": "{{ none }}",
        "vars.list": [1, {"a": "{{ user.id }}"}],
    }
    decision = step(type="set", values=values).decide(view(inputs={"total": 12.5}))
    assert decision == Move(
        vars={"total": 12.5, "text": "total 12.5", "list": [1, {"a": "u1"}]},
        user={"tier": "gold", "old": None},
    )


def test_values_are_made_from_what_stood_before_the_step() -> None:
    values = {"vars.a": "{{ vars.b }}", "vars.b": "{{ vars.a }}"}
    decision = step(type="set", values=values).decide(view(vars={"a": 1, "b": 2}))
    assert decision == Move(vars={"a": 2, "b": 1})


def test_a_value_that_cant_be_filled_fails_the_step_and_writes_nothing() -> None:
    values = {"vars.a": 1, "vars.b": "{{ user.gone }}"}
    decision = step(type="set", values=values).decide(view())
    assert isinstance(decision, Move)
    assert (decision.status, decision.failure) == ("failed", "step.unfillable")
    assert "user.gone" in decision.text
    assert (decision.vars, decision.user) == (None, None)


def test_exit_ends_with_its_outcome() -> None:
    assert step(type="exit").decide(view()) == End("completed")
    assert step(type="exit", outcome="reminded").decide(view()) == End("reminded")


# --- what needs events -----------------------------------------------------------------------


def test_wait_for_waits_its_time_and_then_goes_the_other_way() -> None:
    written = {
        "any": [{"event": "bought", "next": "done"}, {"when": "user.vip"}],
        "within": "P2D",
        "otherwise": {"next": "late"},
    }
    made = step(type="wait_for", **written)
    assert made.exits() == (
        Exit("bought", next="done", at=("any", 0)),
        Exit("when", at=("any", 1)),
        Exit("otherwise", next="late", at=("otherwise",)),
    )
    two_days = 2 * 86_400_000_000
    assert made.decide(view()) == Wait(
        NOW + two_days, "event", "for bought or user.vip, P2D at most"
    )
    assert made.decide(view(now=NOW + two_days, started=NOW)) == Move(2, text="nothing happened")


def test_emit_makes_an_event_of_what_stands_now() -> None:
    written = {"type": "emit", "event": "scored", "properties": {"to": "{{ user.email }}", "n": 1}}
    decision = step(**written).decide(view())
    assert isinstance(decision, Move)
    assert decision.makes == Emitted("scored", {"to": "u1@example.com", "n": 1})
    lacking = step(**{**written, "properties": {"to": "{{ user.gone }}"}}).decide(view())
    assert isinstance(lacking, Move)
    assert (lacking.status, lacking.failure, lacking.makes) == ("failed", "step.unfillable", None)


def test_start_journey_names_the_journey_and_what_it_brings() -> None:
    decision = step(type="start_journey", journey="other", inputs={"to": "user.email"}).decide(
        view()
    )
    assert isinstance(decision, Move)
    assert decision.makes == Started("other", {"to": "u1@example.com"})


def test_a_step_that_makes_no_calls_takes_no_answers() -> None:
    with pytest.raises(TypeError, match="a set step makes no calls"):
        step(type="set", values={"vars.a": 1}).resume(view(user=USER), answered(200))


# --- refusals --------------------------------------------------------------------------------

ANY = [{"event": "bought"}]


@pytest.mark.parametrize(
    ("keys", "slug", "place"),
    [
        ({"type": "branch", "paths": []}, "value.empty", ("paths",)),
        ({"type": "branch", "paths": [{"name": "a"}]}, "missing", ("paths", 0, "when")),
        (
            {"type": "branch", "paths": [{"name": "a", "when": "x", "next": "b"}]},
            "expression.invalid",
            ("paths", 0, "when"),
        ),
        (
            {
                "type": "branch",
                "paths": [
                    {"name": "a", "when": True, "next": "b", "steps": [{"id": "b", "type": "exit"}]}
                ],
            },
            "body.two_ways",
            ("paths", 0),
        ),
        (
            {"type": "branch", "paths": [{"name": "a", "when": True, "steps": []}]},
            "value.empty",
            ("paths", 0, "steps"),
        ),
        (
            {
                "type": "branch",
                "paths": [{"name": "a", "when": True, "steps": [{"id": "B", "type": "exit"}]}],
            },
            "name.step",
            ("paths", 0, "steps", 0, "exit", "id"),
        ),
        (
            {"type": "branch", "paths": [{"name": "a", "when": True}], "otherwise": 5},
            "way.invalid",
            ("otherwise",),
        ),
        ({"type": "split", "arms": [{"name": "a", "weight": 0}]}, "split.no_weight", ()),
        (
            {"type": "split", "arms": [{"name": "a", "weight": -1}]},
            "weight.invalid",
            ("arms", 0, "weight"),
        ),
        (
            {"type": "split", "arms": [{"name": "a", "weight": "1"}]},
            "weight.invalid",
            ("arms", 0, "weight"),
        ),
        (
            {"type": "split", "arms": [{"name": "a", "weight": float("nan")}]},
            "weight.invalid",
            ("arms", 0, "weight"),
        ),
        ({"type": "split", "arms": [ARMS[0], ARMS[0]]}, "split.same_name", ()),
        ({"type": "set", "values": {}}, "value.empty", ("values",)),
        ({"type": "set", "values": {"a": 1}}, "target.invalid", ("values", "a", "[key]")),
        (
            {"type": "set", "values": {"vars.a.b": 1}},
            "target.invalid",
            ("values", "vars.a.b", "[key]"),
        ),
        ({"type": "set", "values": {"vars.a": "{{ x }}"}}, "value.invalid", ("values", "vars.a")),
        ({"type": "wait_for", "any": ANY}, "missing", ("within",)),
        ({"type": "wait_for", "any": [{}], "within": "P1D"}, "occurrence.one", ("any", 0)),
        (
            {"type": "wait_for", "any": [{"event": "a", "when": "true"}], "within": "P1D"},
            "occurrence.one",
            ("any", 0),
        ),
        (
            {"type": "wait_for", "any": [{"when": "true", "where": "true"}], "within": "P1D"},
            "occurrence.where",
            ("any", 0),
        ),
        (
            {"type": "wait_for", "any": [{"when": "event.x"}], "within": "P1D"},
            "expression.invalid",
            ("any", 0, "when"),
        ),
        (
            {"type": "wait_for", "any": ANY, "within": "P1D", "since": "ever"},
            "literal_error",
            ("since",),
        ),
        ({"type": "emit", "event": "a\nb"}, "name.event", ("event",)),
        ({"type": "start_journey", "journey": "A"}, "name.journey", ("journey",)),
        (
            {"type": "start_journey", "journey": "a", "inputs": {"x": "{{ 1 }}"}},
            "expression.invalid",
            ("inputs", "x"),
        ),
        ({"type": "exit", "outcome": "a:b"}, "name.invalid", ("outcome",)),
    ],
)
def test_what_cant_be_is_refused_at_its_place(
    keys: dict[str, Any], slug: str, place: tuple[int | str, ...]
) -> None:
    found = refusals(**keys)
    assert [(slug_, place_) for slug_, place_, _ in found] == [(slug, place)]


def test_an_unknown_type_and_a_missing_one_are_told_apart() -> None:
    assert [slug for slug, _, _ in refusals(type="call")] == ["union_tag_invalid"]
    assert [slug for slug, _, _ in refusals()] == ["union_tag_not_found"]
