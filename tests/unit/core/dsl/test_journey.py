"""The whole grammar: what a journey may say, what it means if it doesn't, what it may not say."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from engine.core.dsl.journey import Entry, Goal, Journey
from engine.core.dsl.program import END, Program, compile_journey
from engine.core.dsl.trigger import AudienceTrigger, DateTrigger, EventTrigger, ScheduleTrigger
from engine.core.steps.call_api import CallApiStep, RetryPolicy, Terms
from engine.core.steps.registry import STEP_TYPES

EXIT = {"id": "end", "type": "exit"}


def journey(**keys: Any) -> Journey:
    """The smallest journey, with these keys besides."""
    return Journey.model_validate({"dsl": 1, "journey": "welcome", "steps": [EXIT], **keys})


def refusals(**keys: Any) -> list[tuple[str, tuple[int | str, ...]]]:
    """What is wrong with a journey: slugs and places."""
    with pytest.raises(ValidationError) as caught:
        journey(**keys)
    return [(error["type"], error["loc"]) for error in caught.value.errors()]


# --- defaults --------------------------------------------------------------------------------


def written(model: BaseModel, *without: str) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude=set(without))


def test_a_journey_that_says_little_means_this() -> None:
    assert written(journey(), "dsl", "journey", "steps", "entry") == {
        "title": None,
        "description": None,
        "timezone": None,
        "max_age": "P365D",
        "on_enter": [],
        "on_exit": [],
        "goals": [],
        "exit": [],
    }
    assert written(journey().entry) == {
        "inputs": {},
        "triggers": [],
        "key": None,
        "reentry": {"mode": "once", "cooldown": None, "limit": None},
        "holdout": 0.0,
    }


STEPS_THAT_SAY_LITTLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"type": "call_api", "endpoint": "crm"},
        {
            "method": "POST",
            "path": "/",
            "query": {},
            "headers": {},
            "body": None,
            "form": None,
            "text": None,
            "content_type": None,
            "timeout": None,
            "retry": None,
            "success": None,
            "outputs": {},
            "on_failure": "continue",
            "contact": None,
        },
    ),
    ({"type": "wait", "for": "P2D"}, {"until": None}),
    (
        {"type": "wait_for", "any": [{"event": "bought"}], "within": "P2D"},
        {
            "any": [
                {
                    "event": "bought",
                    "where": None,
                    "when": None,
                    "next": None,
                    "steps": None,
                    "outputs": {},
                }
            ],
            "since": "step",
            "otherwise": None,
        },
    ),
    (
        {"type": "branch", "paths": [{"name": "a", "when": "true"}]},
        {"paths": [{"name": "a", "when": "true", "next": None, "steps": None}], "otherwise": None},
    ),
    (
        {"type": "split", "arms": [{"name": "a", "weight": 1}]},
        {"arms": [{"name": "a", "weight": 1.0, "next": None, "steps": None}], "salt": None},
    ),
    ({"type": "set", "values": {"vars.a": 1}}, {}),
    ({"type": "emit", "event": "greeted"}, {"properties": {}}),
    ({"type": "start_journey", "journey": "other"}, {"inputs": {}, "await": False}),
    ({"type": "exit"}, {"outcome": "completed"}),
]


@pytest.mark.parametrize(
    ("keys", "defaults"), STEPS_THAT_SAY_LITTLE, ids=[s[0]["type"] for s in STEPS_THAT_SAY_LITTLE]
)
def test_a_step_that_says_little_means_this(keys: dict[str, Any], defaults: dict[str, Any]) -> None:
    [made] = journey(steps=[{"id": "a", **keys}]).steps
    common = {"id": "a", "title": None, "when": None, "next": None}
    assert written(made) == {**keys, **common, **defaults}


def test_every_step_type_has_its_line_among_the_defaults() -> None:
    assert len(STEPS_THAT_SAY_LITTLE) == len(STEP_TYPES)


def test_a_moment_that_says_little_means_this() -> None:
    wait = {"id": "a", "type": "wait", "until": {"date": "user.due", "missing": "exit"}}
    [made] = journey(steps=[wait]).steps
    assert written(made)["until"] == {
        "time": None,
        "weekdays": None,
        "days": None,
        "date": "user.due",
        "offset": None,
        "timezone": None,
        "past": "continue",
        "missing": "exit",
    }


def test_an_endpoint_that_says_nothing_has_these_terms() -> None:
    terms = Terms()
    assert terms.timeout_us == 10_000_000
    assert (terms.delivery, terms.contact) == ("at_least_once", False)
    assert [terms.success.accepts(status) for status in (199, 200, 299, 300)] == [
        False,
        True,
        True,
        False,
    ]
    policy = RetryPolicy()
    assert terms.retry == policy
    assert policy.attempts == 3
    assert policy.when == {"timeout", "connection", "429", "5xx"}
    assert [policy.delay.text, policy.max_delay.text, policy.within.text] == ["2s", "1m", "5m"]


def test_triggers_and_goals_that_say_little_mean_this() -> None:
    triggers = [
        {"event": "cart_updated"},
        {"schedule": "0  9 * * mon", "audience": "user.vip"},
        {"audience": "user.vip"},
        {"date": "user.birthday"},
    ]
    made = journey(entry={"triggers": triggers}).entry.triggers
    assert [type(trigger) for trigger in made] == [
        EventTrigger,
        ScheduleTrigger,
        AudienceTrigger,
        DateTrigger,
    ]
    assert [written(trigger) for trigger in made] == [
        {"event": "cart_updated", "where": None, "inputs": {}},
        {"schedule": "0 9 * * mon", "audience": "user.vip", "timezone": None, "inputs": {}},
        {"audience": "user.vip", "inputs": {}},
        {"date": "user.birthday", "offset": None, "time": None, "grace": "P1D", "inputs": {}},
    ]
    [goal] = journey(goals=[{"name": "bought", "event": "order"}]).goals
    assert isinstance(goal, Goal)
    assert written(goal) == {
        "name": "bought",
        "event": "order",
        "where": None,
        "when": None,
        "within": None,
        "exit": True,
    }


def test_reentry_is_a_word_or_a_mapping() -> None:
    assert journey(entry={"reentry": "after_exit"}).entry.reentry.mode == "after_exit"
    whole = {"mode": "restart", "cooldown": "P1D", "limit": {"count": 3, "per": "P30D"}}
    assert written(Entry.model_validate({"reentry": whole}).reentry) == whole


# --- refusals --------------------------------------------------------------------------------

CALL = {"id": "a", "type": "call_api", "endpoint": "crm"}


@pytest.mark.parametrize(
    ("keys", "slug", "place"),
    [
        ({"dsl": 2}, "dsl.unknown", ("dsl",)),
        ({"dsl": "1"}, "dsl.unknown", ("dsl",)),
        ({"dsl": True}, "dsl.unknown", ("dsl",)),
        ({"dsl": 1.0}, "dsl.unknown", ("dsl",)),
        ({"journey": "Welcome"}, "name.journey", ("journey",)),
        ({"journey": "a_b"}, "name.journey", ("journey",)),
        ({"journey": "a\n"}, "name.journey", ("journey",)),
        ({"journey": "a" * 64}, "name.journey", ("journey",)),
        ({"title": 5}, "text.title", ("title",)),
        ({"title": " "}, "text.title", ("title",)),
        ({"timezone": "Mars"}, "zone.unknown", ("timezone",)),
        ({"max_age": "P1Y"}, "duration.invalid", ("max_age",)),
        ({"max_age": "P0D"}, "duration.zero", ("max_age",)),
        ({"steps": []}, "value.empty", ("steps",)),
        ({"steps": None}, "value.empty", ("steps",)),
        ({"steps": [{"id": "A", "type": "exit"}]}, "name.step", ("steps", 0, "exit", "id")),
        ({"colour": 1}, "extra_forbidden", ("colour",)),
        ({"on_enter": [{**EXIT, "endpoint": "crm"}]}, "literal_error", ("on_enter", 0, "type")),
        ({"on_exit": [{**CALL, "url": "x"}]}, "extra_forbidden", ("on_exit", 0, "url")),
        ({"goals": [{"name": "a"}]}, "occurrence.one", ("goals", 0)),
        ({"goals": [{"name": "a b", "event": "x"}]}, "name.invalid", ("goals", 0, "name")),
        ({"exit": [{"event": "x", "name": "a"}]}, "extra_forbidden", ("exit", 0, "name")),
        ({"exit": [{"where": "true"}]}, "occurrence.one", ("exit", 0)),
        ({"entry": {"holdout": 101}}, "percent.invalid", ("entry", "holdout")),
        ({"entry": {"holdout": "5%"}}, "percent.invalid", ("entry", "holdout")),
        ({"entry": {"inputs": {"a": "int"}}}, "literal_error", ("entry", "inputs", "a")),
        ({"entry": {"inputs": {"a-b": "text"}}}, "name.data", ("entry", "inputs", "a-b", "[key]")),
        ({"entry": {"key": "vars.x"}}, "expression.invalid", ("entry", "key")),
        ({"entry": {"reentry": "twice"}}, "reentry.invalid", ("entry", "reentry")),
        ({"entry": {"reentry": 2}}, "reentry.invalid", ("entry", "reentry")),
        ({"entry": {"reentry": {}}}, "missing", ("entry", "reentry", "mode")),
        (
            {"entry": {"reentry": {"mode": "once", "limit": {"count": 0, "per": "P1D"}}}},
            "greater_than_equal",
            ("entry", "reentry", "limit", "count"),
        ),
        ({"entry": {"triggers": [{}]}}, "trigger.kind", ("entry", "triggers", 0)),
        ({"entry": {"triggers": ["x"]}}, "trigger.kind", ("entry", "triggers", 0)),
        (
            {"entry": {"triggers": [{"event": "x", "where": "vars.a"}]}},
            "expression.invalid",
            ("entry", "triggers", 0, "by event", "where"),
        ),
        (
            {"entry": {"triggers": [{"audience": "event.a"}]}},
            "expression.invalid",
            ("entry", "triggers", 0, "by audience", "audience"),
        ),
        (
            {"entry": {"triggers": [{"schedule": "daily"}]}},
            "schedule.invalid",
            ("entry", "triggers", 0, "by schedule", "schedule"),
        ),
        (
            {"entry": {"triggers": [{"event": "x", "schedule": "0 9 * * *"}]}},
            "extra_forbidden",
            ("entry", "triggers", 0, "by event", "schedule"),
        ),
    ],
)
def test_what_cant_be_is_refused_at_its_place(
    keys: dict[str, Any], slug: str, place: tuple[int | str, ...]
) -> None:
    assert refusals(**keys) == [(slug, place)]


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = refusals(title="", max_age="long", steps=[{"id": "A", "type": "wait", "for": "x"}])
    assert [slug for slug, _ in found] == [
        "text.title",
        "duration.invalid",
        "name.step",
        "duration.invalid",
    ]


# --- for editors -----------------------------------------------------------------------------


def test_the_json_schema_describes_every_key_and_never_offers_null() -> None:
    schema = Journey.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    for model in models:
        for key, value in model.get("properties", {}).items():
            assert value.get("description") or "$ref" in value, f"{model['title']}.{key}"
            assert {"type": "null"} not in value.get("anyOf", []), f"{model['title']}.{key}"
            assert value.get("default", 0) is not None
    assert schema["properties"]["max_age"]["default"] == "P365D"
    assert schema["$defs"]["CallApiStep"]["properties"]["path"]["default"] == "/"
    assert schema["$defs"]["RetryPolicy"]["properties"]["delay"]["default"] == "2s"
    assert schema["additionalProperties"] is False


# --- what needs events -----------------------------------------------------------------------


# --- the two examples of the language --------------------------------------------------------

SMALL = """
dsl: 1
journey: welcome
steps:
  - {id: greet, type: call_api, endpoint: messenger, path: /send,
     body: {to: "{{ user.email }}", template: welcome}}
  - {id: settle, type: wait, for: P2D}
  - id: tips
    type: call_api
    when: not user.onboarded
    endpoint: messenger
    path: /send
    body: {to: "{{ user.email }}", template: tips}
"""

WHOLE = """
dsl: 1
journey: cart-rescue
description: Win back carts over 50 EUR
timezone: Europe/Istanbul
entry:
  inputs: {cart_id: text, total: number}
  triggers:
    - event: cart_updated
      where: event.total >= 50
  key: inputs.cart_id
  reentry: {mode: restart, limit: {count: 3, per: P30D}}
  holdout: 5
goals:
  - name: purchased
    event: order_placed
    where: event.cart_id == inputs.cart_id
    within: P14D
steps:
  - {id: settle, type: wait, for: PT45M}
  - id: score
    type: call_api
    endpoint: crm
    path: "/users/{{ user.id }}/score"
    body: {cart: "{{ inputs.cart_id }}", total: "{{ inputs.total }}"}
    outputs: {vars.score: response.body.data.score}
  - id: morning
    type: wait
    until: {time: "09:00", weekdays: [mon, tue, wed, thu, fri]}
  - id: variant
    type: split
    arms:
      - name: reminder
        weight: 50
        steps:
          - {id: remind, type: call_api, endpoint: messenger, path: /send,
             body: {to: "{{ user.email }}", template: cart}}
      - name: offer
        weight: 50
        steps:
          - {id: coupon, type: call_api, endpoint: loyalty, path: /coupons,
             body: {user: "{{ user.id }}"}, outputs: {vars.code: response.body.code}}
          - id: offer
            type: call_api
            when: steps.coupon.status == 'succeeded'
            endpoint: messenger
            path: /send
            body: {to: "{{ user.email }}", template: offer, code: "{{ vars.code }}"}
  - id: answer
    type: wait_for
    any:
      - event: cart_mail_clicked
        where: event.cart_id == inputs.cart_id
        next: done
    within: P2D
  - id: high_value
    type: branch
    paths:
      - name: worth_a_call
        when: vars.score >= 80
        steps:
          - {id: ask_agent, type: call_api, endpoint: crm, path: /tasks,
             body: {user: "{{ user.id }}", kind: phone}}
  - {id: done, type: exit, outcome: reminded}
"""


def flattened(text: str) -> Program:
    return compile_journey(Journey.model_validate(yaml.safe_load(text)))


def table(program: Program) -> list[tuple[str, str, tuple[str, ...]]]:
    """Each step with where it goes on and where its exits lead, by name."""
    names = [node.step.id for node in program.nodes] + ["END"]
    return [
        (node.step.id, names[node.follow], tuple(names[exit_] for exit_ in node.exits))
        for node in program.nodes
    ]


def test_the_small_example_is_three_steps_in_a_row() -> None:
    program = flattened(SMALL)
    assert table(program) == [("greet", "settle", ()), ("settle", "tips", ()), ("tips", "END", ())]
    assert (program.first, program.leaving) == (0, END)
    tips = program.nodes[2].step
    assert isinstance(tips, CallApiStep)
    assert tips.when is not None


def test_the_whole_example_is_one_flat_table() -> None:
    program = flattened(WHOLE)
    assert table(program) == [
        ("settle", "score", ()),
        ("score", "morning", ()),
        ("morning", "variant", ()),
        ("variant", "answer", ("remind", "coupon")),
        ("remind", "answer", ()),
        ("coupon", "offer", ()),
        ("offer", "answer", ()),
        ("answer", "high_value", ("done",)),
        ("high_value", "done", ("ask_agent",)),
        ("ask_agent", "done", ()),
        ("done", "END", ()),
    ]
    assert program.numbers["ask_agent"] == 9
    assert program.max_age == 365 * 86_400_000_000
