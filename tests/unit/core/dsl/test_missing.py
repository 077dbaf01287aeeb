"""'May be missing here': said where a value may fail its step, and nowhere else."""
# ruff: noqa: E501 - journeys in a line

from __future__ import annotations

import pytest

from engine.core.dsl.check import load_and_check
from engine.errors import Problem

HEAD = "dsl: 1\njourney: j\nentry: {inputs: {n: number}}\nsteps:\n"
COUPON = "- {id: coupon, type: call_api, endpoint: e, outputs: {vars.code: response.body.code}}\n"
USE = '- {id: use, type: emit, event: x, properties: {code: "{{ vars.code }}"}}\n'


def warnings(steps: str, head: str = HEAD) -> tuple[Problem, ...]:
    """What is warned of in a journey without errors."""
    found = load_and_check((head + steps).encode(), "j.yaml").warnings
    return tuple(one for one in found if one.code == "value.maybe_missing")


def test_an_output_of_a_call_that_may_have_failed_is_named_with_the_ways_out() -> None:
    (found,) = warnings(COUPON + USE)
    assert (found.line, found.column, found.severity) == (6, 58, "warning")
    assert found.message == (
        "`vars.code` may be missing here: `coupon` may have failed, and only it sets this"
    )
    assert found.remedy == (
        "say `| default(...)`, or put `when: steps.coupon.status == 'succeeded'` on this step,"
        " or `on_failure: exit` on `coupon`"
    )


MISSING = [
    (
        "nothing before sets it",
        '- {id: use, type: emit, event: x, properties: {a: "{{ vars.code }}"}, next: coupon, when: visits(use) < 2}\n'
        + COUPON,
    ),
    (
        "the step that sets it may be skipped",
        "- {id: s, type: set, when: user.vip, values: {vars.code: 1}}\n" + USE,
    ),
    (
        "one arm sets it",
        "- {id: s, type: split, arms: [{name: a, weight: 1, steps: [{id: t, type: set, values: {vars.code: 1}}]}, {name: b, weight: 1}]}\n"
        + USE,
    ),
    (
        "a jump leads past what sets it",
        "- {id: b, type: branch, paths: [{name: p, when: user.vip, next: use}]}\n- {id: s, type: set, values: {vars.code: 1}}\n"
        + USE,
    ),
    (
        "a failure jumps past what sets it",
        "- {id: c, type: call_api, endpoint: e, on_failure: {next: use}}\n- {id: s, type: set, values: {vars.code: 1}}\n"
        + USE,
    ),
    (
        "the wrong end is asked for",
        COUPON + USE.replace("type", "when: steps.coupon.status != 'failed' or user.vip, type"),
    ),
    (
        "a status of 200 is no success: the output may have been missing",
        COUPON + USE.replace("type", "when: steps.coupon.http_status == 200, type"),
    ),
    (
        "either of two calls may have been the one",
        COUPON
        + "- {id: c2, type: call_api, endpoint: e, outputs: {vars.other: response.body.x}}\n"
        + USE.replace(
            "type",
            "when: steps.coupon.status == 'succeeded' or steps.c2.status == 'succeeded', type",
        ),
    ),
    (
        "it stands in a path",
        COUPON + '- {id: use, type: call_api, endpoint: e, path: "/a/{{ vars.code }}"}\n',
    ),
    (
        "it stands in a query",
        COUPON + '- {id: use, type: call_api, endpoint: e, query: {a: "b {{ vars.code }}"}}\n',
    ),
    (
        "it stands deep in a body",
        COUPON
        + '- {id: use, type: call_api, endpoint: e, body: {a: [{b: "{{ vars.code | upper }}"}]}}\n',
    ),
    (
        "it stands in an output",
        COUPON + "- {id: use, type: call_api, endpoint: e, outputs: {vars.x: vars.code}}\n",
    ),
    (
        "it stands in an output of a wait",
        COUPON
        + "- {id: use, type: wait_for, within: 1d, any: [{event: e, outputs: {vars.x: event.a ~ vars.code}}]}\n",
    ),
    ("it is how long to wait", COUPON + '- {id: use, type: wait, for: "{{ vars.code }}"}\n'),
    (
        "it is added to a text",
        COUPON + "- {id: use, type: set, values: {vars.x: \"{{ 'a' ~ vars.code }}\"}}\n",
    ),
    (
        "it is the fallback of something else",
        COUPON + '- {id: use, type: set, values: {vars.x: "{{ user.a | default(vars.code) }}"}}\n',
    ),
    (
        "the other side of an if",
        COUPON
        + "- {id: use, type: set, values: {vars.x: \"{{ 'none' if vars.code else vars.code }}\"}}\n",
    ),
    (
        "it was emptied",
        "- {id: s, type: set, values: {vars.code: 1}}\n- {id: t, type: set, values: {vars.code: null}}\n"
        + USE,
    ),
    (
        "only one thing waited for brings it",
        "- {id: w, type: wait_for, within: 1d, any: [{event: e, outputs: {vars.code: event.c}}]}\n"
        + USE,
    ),
]


@pytest.mark.parametrize(("why", "steps"), MISSING)
def test_a_value_that_may_be_missing_is_warned_of(why: str, steps: str) -> None:
    (found,) = warnings(steps)
    assert found.message.startswith("`vars.code` may be missing here: "), why


THERE = [
    ("on_failure: exit", COUPON.replace("endpoint", "on_failure: exit, endpoint") + USE),
    (
        "the step asks for the call's success",
        COUPON + USE.replace("type", "when: steps.coupon.status == 'succeeded', type"),
    ),
    (
        "and for more",
        COUPON + USE.replace("type", "when: user.vip and steps.coupon.status == 'succeeded', type"),
    ),
    ("it asks for the var", COUPON + USE.replace("type", "when: vars.code, type")),
    ("for the var to be something", COUPON + USE.replace("type", "when: vars.code != none, type")),
    ("it compares the var", COUPON + USE.replace("type", "when: vars.code | length > 3, type")),
    (
        "it looks for the var in a list",
        COUPON + USE.replace("type", "when: \"vars.code in ['a', 'b']\", type"),
    ),
    (
        "it asks for no failure",
        COUPON + USE.replace("type", "when: not steps.coupon.failure, type"),
    ),
    (
        "the failed ones have left",
        COUPON + "- {id: gone, type: exit, when: steps.coupon.status == 'failed'}\n" + USE,
    ),
    (
        "the failed ones went another way",
        COUPON
        + "- {id: b, type: branch, paths: [{name: bad, when: steps.coupon.status == 'failed', steps: [{id: gone, type: exit}]}]}\n"
        + USE,
    ),
    (
        "the way asks for it",
        COUPON
        + "- {id: b, type: branch, paths: [{name: good, when: vars.code >= 3, steps: ["
        + USE[2:].strip()
        + "]}]}\n",
    ),
    (
        "the failed ones got another value",
        COUPON
        + "- {id: fallback, type: set, when: steps.coupon.status != 'succeeded', values: {vars.code: none}}\n"
        + USE,
    ),
    (
        "either sets it, and one succeeded",
        COUPON
        + COUPON.replace("coupon", "again")
        + USE.replace(
            "type",
            "when: \"steps.coupon.status == 'succeeded' or steps.again.status in ['succeeded']\", type",
        ),
    ),
    ("it has a default", COUPON + USE.replace("vars.code", "vars.code | default('x')")),
    ("it has a default of null", COUPON + USE.replace("vars.code", "vars.code | default(none)")),
    ("it is one of two", COUPON + USE.replace("vars.code", "vars.code or 'x'")),
    (
        "it is asked for in the value",
        COUPON + USE.replace("vars.code", "vars.code if vars.code else 'x'"),
    ),
    (
        "its call is asked for in the value",
        COUPON
        + USE.replace("vars.code", "vars.code if steps.coupon.status == 'succeeded' else 'x'"),
    ),
    ("it is compared in the value", COUPON + USE.replace("vars.code", "1 if vars.code > 5 else 2")),
    (
        "all arms set it",
        "- {id: s, type: split, arms: [{name: a, weight: 1, steps: [{id: t, type: set, values: {vars.code: 1}}]}, {name: b, weight: 1, steps: [{id: u, type: set, values: {vars.code: 1}}]}]}\n"
        + USE,
    ),
    (
        "the arm that sets it is asked for",
        "- {id: s, type: split, arms: [{name: a, weight: 1, steps: [{id: t, type: set, values: {vars.code: 1}}]}, {name: b, weight: 1}]}\n"
        + USE.replace("type", "when: steps.s.arm == 'a', type"),
    ),
    (
        "the same condition as where it is set",
        "- {id: s, type: set, when: user.vip, values: {vars.code: 1}}\n"
        + USE.replace("type", "when: user.vip, type"),
    ),
    (
        "it was set the round before",
        "- {id: s, type: set, when: visits(s) < 2, values: {vars.code: 1}}\n- {id: w, type: wait, for: 1d}\n- {id: b, type: branch, paths: [{name: again, when: not vars.code, next: s}]}\n"
        + USE,
    ),
    (
        "the event waited for brings it, and the others leave",
        "- {id: w, type: wait_for, within: 1d, any: [{event: e, outputs: {vars.code: event.c}}], otherwise: {steps: [{id: gone, type: exit}]}}\n"
        + USE,
    ),
    ("a condition takes null as it is", COUPON + "- {id: use, type: exit, when: vars.code}\n"),
    (
        "another journey takes null as an input",
        COUPON + "- {id: use, type: start_journey, journey: k, inputs: {code: vars.code}}\n",
    ),
    ("nobody comes here", COUPON + "- {id: gone, type: exit}\n" + USE),
]


@pytest.mark.parametrize(("why", "steps"), THERE)
def test_a_value_that_is_there_or_may_be_null_is_not_warned_of(why: str, steps: str) -> None:
    assert warnings(steps) == (), why


def test_each_name_is_said_once_a_step_and_in_each_step() -> None:
    twice = USE.replace("{code:", '{first: "{{ vars.code }}", code:')
    assert [one.line for one in warnings(COUPON + twice + USE.replace("use", "again"))] == [6, 7]


def test_what_another_step_ended_with_may_be_missing_too() -> None:
    steps = (
        COUPON
        + '- {id: use, type: set, values: {vars.x: "{{ steps.coupon.failure }}", vars.y: "{{ steps.coupon.status }} {{ steps.coupon.attempts }}"}}\n'
    )
    (found,) = warnings(steps)
    assert found.message.startswith("`steps.coupon.failure` may be missing here")
    assert not warnings(
        steps.replace("{id: use", "{id: use, when: steps.coupon.status == 'failed'")
    )
    split = "- {id: s, type: split, arms: [{name: a, weight: 1}]}\n"
    arm = '- {id: use, type: set, values: {vars.x: "{{ steps.s.arm }}"}}\n'
    assert not warnings(split + arm)
    assert warnings(split.replace("type", "when: user.vip, type") + arm)


def test_calls_of_on_exit_may_come_from_anywhere() -> None:
    on_exit = 'on_exit: [{id: bye, type: call_api, endpoint: e, body: {c: "{{ vars.code }}"}}]\n'
    steps = "- {id: s, type: set, values: {vars.code: 1}}\n"
    head = HEAD.replace("steps:\n", on_exit + "steps:\n")
    (found,) = warnings(steps, head)
    assert "`s` may have failed or may have been skipped" in found.message
    assert not warnings(steps, head.replace("vars.code", "vars.code | default(none)"))


def test_calls_of_on_enter_come_first() -> None:
    on_enter = "on_enter: [{id: hi, type: call_api, endpoint: e, on_failure: exit, outputs: {vars.code: response.body.c}}]\n"
    assert not warnings(USE, HEAD.replace("steps:\n", on_enter + "steps:\n"))
    (found,) = warnings(
        USE, HEAD.replace("steps:\n", on_enter.replace("on_failure: exit, ", "") + "steps:\n")
    )
    assert "`hi` may have failed" in found.message


def test_the_place_in_a_longer_text_is_that_of_the_name() -> None:
    body = '- id: use\n  type: call_api\n  endpoint: e\n  body:\n    a: "Hi {{ user.name }}, your code: {{ vars.code }}!"\n'
    (found,) = warnings(COUPON + body)
    assert (found.line, found.text[found.column - 1 :][:9]) == (10, "vars.code")


def test_many_conditions_that_split_the_ways_stay_affordable() -> None:
    steps = "".join(
        f"- {{id: s{number}, type: set, when: user.a{number}, values: {{vars.v{number}: 1}}}}\n"
        for number in range(40)
    )
    uses = "".join(
        f'- {{id: u{number}, type: set, when: user.a{number}, values: {{vars.w: "{{{{ vars.v{number} }}}}"}}}}\n'
        for number in range(40)
    )
    assert len(warnings(steps + uses)) <= 40


def test_without_errors_only() -> None:
    from engine.errors import DefinitionError

    with pytest.raises(DefinitionError) as refused:
        load_and_check((HEAD + COUPON + USE + "- {id: use, type: exit}\n").encode(), "j.yaml")
    assert [one.code for one in refused.value.problems] == ["step.same_id"]
