"""What call_api sends: every value encoded for where it stands, or nothing at all."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.steps.base import Call, End, Exit, Move
from tests.unit.core.steps.standing import refusals, step, view


def call(**keys: Any) -> Any:
    return step(**{"type": "call_api", "endpoint": "crm", **keys})


def sent(scope: dict[str, Any] | None = None, **keys: Any) -> Call:
    decision = call(**keys).decide(view(**(scope or {})))
    assert isinstance(decision, Call), decision
    return decision


def test_a_call_that_names_only_its_endpoint_posts_nothing_to_the_root() -> None:
    assert sent() == Call("crm", "POST", "/")


def test_a_value_in_a_path_is_percent_encoded_and_stays_in_its_segment() -> None:
    inputs = {"id": "a/b?c#d é"}
    assert (
        sent({"inputs": inputs}, path="/x/{{ inputs.id }}/y").target
        == "/x/a%2Fb%3Fc%23d%20%C3%A9/y"
    )


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("a b&c=d+é", "/?q=a%20b%26c%3Dd%2B%C3%A9"),
        (True, "/?q=true"),
        (12.5, "/?q=12.5"),
        (9007199254740993, "/?q=9007199254740993"),
        (["x", 2, "y z"], "/?q=x&q=2&q=y%20z"),
        ({"a": [1]}, "/?q=%7B%22a%22%3A%5B1%5D%7D"),
        ("{{ none }}", "/"),
    ],
)
def test_a_query_is_quoted_a_list_repeats_its_name_and_none_leaves_it_out(
    written: object, target: str
) -> None:
    assert sent(query={"q": written}).target == target


def test_a_name_in_a_query_is_quoted_too() -> None:
    assert sent(query={"a&b": "1"}).target == "/?a%26b=1"


def test_a_json_body_holds_values_as_data_and_keeps_their_types() -> None:
    inputs = {"n": 129.90, "t": 'say "hi"\n{{ x }}', "l": [1, None], "big": 2**63}
    body = {
        "n": "{{ inputs.n }}",
        "t": "{{ inputs.t }}",
        "l": "{{ inputs.l }}",
        "big": "{{ inputs.big }}",
        "nothing": "{{ none }}",
        "mixed": "n={{ inputs.n }}",
    }
    made = sent({"inputs": inputs}, body=body)
    assert made.content_type == "application/json"
    assert made.body == (
        rb'{"n":129.9,"t":"say \"hi\"\n{{ x }}","l":[1,null],"big":9223372036854775808,'
        rb'"nothing":null,"mixed":"n=129.9"}'
    )


def test_a_form_is_urlencoded_with_lists_repeated() -> None:
    made = sent(form={"a b": "x&y z", "n": [1, 2], "gone": "{{ none }}"})
    assert made.body == b"a+b=x%26y+z&n=1&n=2"
    assert made.content_type == "application/x-www-form-urlencoded"


def test_a_text_goes_as_it_is_with_the_type_it_was_given() -> None:
    assert sent(text="é {{ user.id }}").body == "é u1".encode()
    assert sent(text="x").content_type == "text/plain; charset=utf-8"
    assert sent(text="a,b", content_type="text/csv").content_type == "text/csv"


def test_header_names_are_lower_case_and_none_leaves_one_out() -> None:
    made = sent(headers={"X-Trace": " {{ user.id }} ", "X-Not": "{{ none }}"})
    assert made.headers == (("x-trace", "u1"),)


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "é", "\x00", "\x7f"])
def test_a_header_that_isnt_printable_ascii_is_never_sent(value: str) -> None:
    made = call(headers={"X-Note": "{{ inputs.v }}"}).decide(view(inputs={"v": value}))
    assert isinstance(made, Move)
    assert (made.status, made.failure) == ("failed", "call.unfillable")
    assert "headers.X-Note" in made.text or "headers.x-note" in made.text


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"body": {"to": ["{{ user.phone }}"]}}, "body.to.0"),
        ({"query": {"q": "{{ user.phone }}"}}, "query.q"),
        ({"form": {"q": "{{ user.phone }}"}}, "form.q"),
        ({"text": "call {{ user.phone }}"}, "text"),
        ({"path": "/x/{{ user.phone }}"}, ""),
        ({"headers": {"X-P": "{{ user.phone }}"}}, "headers.x-p"),
    ],
)
def test_a_null_fails_the_call_and_the_text_says_which_one_and_where(
    keys: dict[str, Any], place: str
) -> None:
    made = call(**keys).decide(view())
    assert isinstance(made, Move)
    assert (made.status, made.failure) == ("failed", "call.unfillable")
    assert "user.phone" in made.text
    assert made.text.startswith(place)


def test_half_a_character_is_unfillable_wherever_it_would_go() -> None:
    for keys in (
        {"body": "{{ inputs.v }}"},
        {"query": {"q": "{{ inputs.v }}"}},
        {"form": {"q": "{{ inputs.v }}"}},
        {"text": "{{ inputs.v }}"},
        {"path": "/{{ inputs.v }}"},
        {"headers": {"X-V": "{{ inputs.v }}"}},
    ):
        made = call(**keys).decide(view(inputs={"v": "\ud800"}))
        assert isinstance(made, Move), keys
        assert made.failure == "call.unfillable"


def test_an_unfillable_call_goes_where_failures_go() -> None:
    gone = {"body": "{{ user.phone }}"}
    assert call(**gone).decide(view()).exit == -1
    ended = call(**gone, on_failure="exit").decide(view())
    assert ended == End("failed:here", "failed", "call.unfillable", ended.text)
    jumping = call(**gone, on_failure={"next": "other"})
    assert jumping.exits() == (Exit("on_failure", next="other", at=("on_failure",)),)
    assert jumping.decide(view()).exit == 0


def test_the_steps_own_timeout_travels_with_the_call() -> None:
    assert sent(timeout="3s").timeout_us == 3_000_000
    assert sent().timeout_us is None


@pytest.mark.parametrize(
    ("keys", "slug", "place"),
    [
        ({"body": {}, "form": {}}, "call.two_bodies", ()),
        ({"text": "x", "body": "y"}, "call.two_bodies", ()),
        ({"content_type": "text/csv"}, "call.content_type", ()),
        ({"method": "TRACE"}, "literal_error", ("method",)),
        ({"method": "post"}, "literal_error", ("method",)),
        ({"url": "https://x"}, "extra_forbidden", ("url",)),
        ({"auth": "x"}, "extra_forbidden", ("auth",)),
        ({"headers": {"bad name": "x"}}, "header.name", ("headers", "bad name", "[key]")),
        ({"headers": {"X:Y": "x"}}, "header.name", ("headers", "X:Y", "[key]")),
        ({"headers": {"Host": "x"}}, "header.of_the_wire", ("headers", "Host", "[key]")),
        (
            {"headers": {"Content-Type": "x"}},
            "header.of_the_wire",
            ("headers", "Content-Type", "[key]"),
        ),
        ({"path": "users"}, "path.invalid", ("path",)),
        ({"path": "/a?b=c"}, "path.invalid", ("path",)),
        ({"path": 5}, "path.invalid", ("path",)),
        ({"endpoint": "a b"}, "name.invalid", ("endpoint",)),
        ({"endpoint": None}, "value.empty", ("endpoint",)),
        ({"when": None}, "value.empty", ("when",)),
        ({"timeout": "121s"}, "timeout.too_long", ("timeout",)),
        ({"timeout": "0s"}, "duration.zero", ("timeout",)),
        ({"timeout": 5}, "duration.invalid", ("timeout",)),
        ({"retry": {"attempts": 0}}, "greater_than_equal", ("retry", "attempts")),
        ({"retry": {"attempts": True}}, "int_type", ("retry", "attempts")),
        ({"retry": {"when": ["404"]}}, "retry.cause", ("retry", "when", 0)),
        ({"retry": {"delay": "P1M"}}, "duration.invalid", ("retry", "delay")),
        ({"success": {}}, "success.one_rule", ("success",)),
        ({"success": {"status": [200], "when": "true"}}, "success.one_rule", ("success",)),
        ({"success": {"status": [600]}}, "success.status", ("success", "status", 0)),
        ({"success": {"status": ["299-200"]}}, "success.status", ("success", "status", 0)),
        ({"outputs": {"x": "response.status"}}, "target.invalid", ("outputs", "x", "[key]")),
        ({"outputs": {"user.id": "1"}}, "target.invalid", ("outputs", "user.id", "[key]")),
        ({"outputs": {"vars.x": "event.x"}}, "expression.invalid", ("outputs", "vars.x")),
        ({"when": "response.status == 200"}, "expression.invalid", ("when",)),
        ({"when": "{{ user.x }}"}, "expression.invalid", ("when",)),
        ({"body": {"a": ["{{ event.x }}"]}}, "value.invalid", ("body",)),
        ({"on_failure": "stop"}, "literal_error", ("on_failure", "a word")),
        ({"on_failure": ["exit"]}, "way.invalid", ("on_failure",)),
        ({"on_failure": {"next": "X"}}, "name.step", ("on_failure", "a jump", "next")),
        ({"contact": "no"}, "bool_type", ("contact",)),
    ],
)
def test_what_cant_be_is_refused_at_its_place(
    keys: dict[str, Any], slug: str, place: tuple[int | str, ...]
) -> None:
    found = refusals(**{"type": "call_api", "endpoint": "crm", **keys})
    assert [(slug_, place_) for slug_, place_, _ in found] == [(slug, place)]


def test_a_refusal_says_where_inside_the_text_and_what_would_be_right() -> None:
    [(_, _, context)] = refusals(type="call_api", endpoint="crm", when="user.a = 1")
    assert context["offset"] == 7
    assert "==" in context["remedy"]
    [(_, _, context)] = refusals(type="call_api", endpoint="crm", body={"a": ["x {{ evnt.x }}"]})
    assert context["path"] == ("a", 0)
    assert context["offset"] == 5
