"""With a catalogue, names that it doesn't hold are warned of; without one nothing is said."""
# ruff: noqa: E501 - journeys in a line

from __future__ import annotations

import pytest

from engine.core.dsl.catalogue import Catalogue, read_catalogue
from engine.core.dsl.check import load_and_check
from engine.core.dsl.source import compose
from engine.core.dsl.undeclared import attributes_named, events_named, undeclared_problems
from engine.errors import Problem

DECLARED = Catalogue.model_validate(
    {
        "attributes": {"tier": "text", "points": "number", "email": "text"},
        "events": {"order_placed": {"cart_id": "text", "total": "number"}, "login": {}},
    }
)
HEAD = "dsl: 1\njourney: j\n"
EXIT = "steps: [{id: a, type: exit}]\n"


def warned(text: str, catalogue: Catalogue = DECLARED) -> list[Problem]:
    loaded = load_and_check((HEAD + text).encode(), "j.yaml")
    return list(undeclared_problems(loaded.journey, loaded.document, catalogue))


def places(text: str) -> list[tuple[str, str]]:
    """Code and the word at the place of each warning."""
    lines = (HEAD + text).splitlines()
    return [
        (one.code, lines[one.line - 1][one.column - 1 :].split("}")[0].split(",")[0].split(" ")[0])
        for one in warned(text)
    ]


def test_a_misspelt_attribute_is_named_at_its_place_with_the_nearest() -> None:
    (found,) = warned(
        "steps:\n  - {id: a, type: exit, when: user.points > 3 and user.teir == 'gold'}\n"
    )
    assert (found.line, found.column, found.code) == (4, 51, "attribute.undeclared")
    assert (found.message, found.severity) == ("no attribute `teir` is declared", "warning")
    assert found.remedy == "did you mean `tier`?"


UNDECLARED = [
    (
        "an attribute in a value",
        'steps: [{id: a, type: set, values: {vars.x: "{{ user.mail }}"}}]\n',
        "attribute.undeclared",
        "user.mail",
    ),
    (
        "an attribute that a step sets",
        "steps: [{id: a, type: set, values: {user.teir: gold}}]\n",
        "attribute.undeclared",
        "user.teir:",
    ),
    (
        "an attribute that a call sets",
        "steps: [{id: a, type: call_api, endpoint: e, outputs: {user.teir: response.body.x}}]\n",
        "attribute.undeclared",
        "user.teir:",
    ),
    (
        "an attribute of an audience",
        "entry: {triggers: [{audience: user.teir == 'gold'}]}\n" + EXIT,
        "attribute.undeclared",
        "user.teir",
    ),
    (
        "an attribute in brackets",
        "steps:\n  - id: a\n    type: exit\n    when: user['teir']\n",
        "attribute.undeclared",
        "user['teir']",
    ),
    (
        "an event of a trigger",
        "entry: {triggers: [{event: order_plced}]}\n" + EXIT,
        "event.undeclared",
        "order_plced",
    ),
    (
        "an event of a goal",
        "goals: [{name: g, event: order_plced}]\n" + EXIT,
        "event.undeclared",
        "order_plced",
    ),
    (
        "an event of an exit rule",
        "exit: [{event: order_plced}]\n" + EXIT,
        "event.undeclared",
        "order_plced",
    ),
    (
        "an event waited for",
        "steps: [{id: a, type: wait_for, within: 1d, any: [{event: order_plced}]}]\n",
        "event.undeclared",
        "order_plced",
    ),
    (
        "an event that is emitted",
        "steps: [{id: a, type: emit, event: order_plced}]\n",
        "event.undeclared",
        "order_plced",
    ),
    (
        "an event that is counted",
        "steps: [{id: a, type: exit, when: has_event('order_plced')}]\n",
        "event.undeclared",
        "has_event('order_plced')",
    ),
    (
        "a property in where",
        "goals: [{name: g, event: order_placed, where: event.totl > 5}]\n" + EXIT,
        "property.undeclared",
        "event.totl",
    ),
    (
        "a property that a trigger takes",
        "entry: {inputs: {t: number}, triggers: [{event: order_placed, inputs: {t: event.totl}}]}\n"
        + EXIT,
        "property.undeclared",
        "event.totl",
    ),
    (
        "an input that the event doesn't bring",
        "entry: {inputs: {sum: number}, triggers: [{event: order_placed}]}\n" + EXIT,
        "property.undeclared",
        "sum:",
    ),
    (
        "a property that is kept",
        "steps: [{id: a, type: wait_for, within: 1d, any: [{event: order_placed, outputs: {vars.x: event.totl}}]}]\n",
        "property.undeclared",
        "event.totl",
    ),
    (
        "a property that is emitted",
        "steps: [{id: a, type: emit, event: order_placed, properties: {totl: 1}}]\n",
        "property.undeclared",
        "totl:",
    ),
]


@pytest.mark.parametrize(("why", "text", "code", "word"), UNDECLARED)
def test_what_is_not_declared_is_warned_of(why: str, text: str, code: str, word: str) -> None:
    assert places(text) == [(code, word)], why


def test_what_is_declared_is_not_warned_of() -> None:
    assert not warned(
        "entry: {inputs: {cart_id: text}, triggers: [{event: order_placed, where: event.total > 1}]}\n"
        "goals: [{name: g, event: login, where: event.anything}]\n"
        "steps: [{id: a, type: exit, when: user.id == user.tier or user.timezone}]\n"
    )


def test_of_what_no_section_declares_nothing_is_said() -> None:
    text = (
        "goals: [{name: g, event: nobody_knows}]\nsteps: [{id: a, type: exit, when: user.teir}]\n"
    )
    assert not warned(text, Catalogue())
    assert [one.code for one in warned(text, Catalogue(attributes={"tier": "text"}))] == [
        "attribute.undeclared"
    ]
    assert [one.code for one in warned(text, Catalogue(events={"x": {}}))] == ["event.undeclared"]


def test_a_catalogue_is_read_from_an_apply_file() -> None:
    text = (
        "endpoints: {}\nattributes: {tier: text}\nevents:\n  login: {}\n  order: {total: number}\n"
    )
    catalogue, problems = read_catalogue(compose(text, "e.yaml"))
    assert problems == ()
    assert catalogue.attributes == {"tier": "text"}
    assert catalogue.events == {"login": {}, "order": {"total": "number"}}


def test_a_type_that_is_none_is_named_at_its_place() -> None:
    text = "attributes:\n  tier: txt\nevents:\n  order: {total: numbr}\n  b: text\n"
    _, problems = read_catalogue(compose(text, "e.yaml"))
    assert [(one.line, one.column) for one in problems] == [(2, 9), (4, 18), (5, 6)]
    assert "text" in problems[0].remedy


def test_a_journey_names_what_it_reads_and_writes_listens_to_asks_and_sends() -> None:
    text = """\
entry: {triggers: [{event: hello, where: user.plan == 'pro'}]}
exit: [{event: left}]
steps:
  - {id: a, type: set, values: {user.tier: "{{ user.points }}", vars.x: 1}}
  - {id: b, type: exit, when: "has_event('bought', within='P1D')"}
  - {id: c, type: emit, event: done}
"""
    journey = load_and_check((HEAD + text).encode(), "j.yaml").journey
    assert attributes_named(journey) == {"plan", "tier", "points"}
    assert events_named(journey) == {"hello", "left", "bought", "done"}
