"""Whether calls reach their endpoints: what is said before anybody is sent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.dsl.check import load_and_check
from engine.endpoints.model import Endpoint
from engine.endpoints.reach import can_match, reach_problems
from engine.endpoints.targets import AllowRule
from engine.errors import Problem


def warned(call: str, *allow: str) -> list[Problem]:
    text = f"dsl: 1\njourney: j\nsteps:\n  - {{id: a, type: call_api, {call}}}\n"
    loaded = load_and_check(text.encode(), "j.yaml")
    crm = Endpoint.model_validate(
        {"name": "crm", "base_url": "https://crm.example.com", "allow": list(allow)}
    )
    return list(reach_problems(loaded.journey, loaded.document, {"crm": crm}))


def test_an_endpoint_that_is_not_there_is_named_with_the_nearest() -> None:
    (found,) = warned("endpoint: crn")
    assert (found.code, found.severity, found.column) == ("endpoint.unknown", "warning", 39)
    assert (found.message, found.remedy) == ("there is no endpoint `crn`", "did you mean `crm`?")


def test_a_path_that_the_endpoint_never_allows_is_named_with_what_it_allows() -> None:
    (found,) = warned("endpoint: crm, path: /tasks", "GET /users/*", "POST /notes")
    assert (found.code, found.column) == ("endpoint.not_allowed", 50)
    assert found.message == "`crm` doesn't allow `POST /tasks`"
    assert found.remedy == "it allows GET /users/*, POST /notes"


ALLOWED = [
    ("path: /tasks", "POST /tasks"),
    ("path: /tasks", "* /tasks"),
    ("method: GET, path: /tasks", "GET /**"),
    ('path: "/users/{{ user.id }}/score"', "POST /users/*/score"),
    ('path: "/users/{{ user.id }}"', "POST /users/vip-*"),
    ('path: "/users/{{ user.id }}"', "POST /users/me"),
    ('path: "/{{ user.kind }}s/{{ user.id }}"', "POST /users/*"),
    ('path: "/users/v{{ user.id }}"', "POST /users/*p"),
]


@pytest.mark.parametrize(("call", "rule"), ALLOWED)
def test_a_path_that_some_user_can_take_is_not_warned_of(call: str, rule: str) -> None:
    assert not warned(f"endpoint: crm, {call}", "GET /nothing", rule)


BLOCKED = [
    ("path: /tasks", "GET /tasks"),
    ('path: "/users/{{ user.id }}"', "POST /users"),
    ('path: "/users/{{ user.id }}"', "POST /users/*/score"),
    ('path: "/users/{{ user.id }}/x"', "POST /users/*/score"),
    ('path: "/users/a{{ user.id }}"', "POST /users/b*"),
    ("path: /a/b", "POST /a/*/c/**"),
]


@pytest.mark.parametrize(("call", "rule"), BLOCKED)
def test_a_path_that_no_user_can_take_is_warned_of(call: str, rule: str) -> None:
    assert warned(f"endpoint: crm, {call}", rule), call


def test_without_rules_every_path_is_allowed() -> None:
    assert not warned("endpoint: crm, path: /anything")


segments = st.lists(st.sampled_from(["a", "b", "*", "a*", "*b", "a*b"]), min_size=1, max_size=4)
forms = st.lists(st.sampled_from(["a", "b", "{}", "a{}", "{}b", "{}{}"]), min_size=1, max_size=4)


@given(segments, st.booleans(), forms, st.data())
def test_what_a_rule_covers_is_never_warned_of(
    rule: list[str], open_end: bool, form: list[str], data: st.DataObject
) -> None:
    pattern = "/" + "/".join(rule) + ("/**" if open_end else "")
    tokens = [*pattern.removesuffix("**"), "**"] if open_end else list(pattern)
    path = "/" + "/".join(form)
    values = st.text("ab", min_size=1, max_size=3)
    rendered = re.sub(r"\{\}", lambda _: data.draw(values), path)
    pieces = re.findall(r"\{\}|.", path)
    if AllowRule.read(f"GET {pattern}").covers("GET", rendered):
        assert can_match(tokens, pieces)
    if not can_match(tokens, pieces):
        assert not AllowRule.read(f"GET {pattern}").covers("GET", rendered)
