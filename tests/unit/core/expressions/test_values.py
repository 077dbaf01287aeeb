"""Values and paths: types kept, nulls caught, places named."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from engine.core.expressions.errors import ExpressionError, Unfillable
from engine.core.expressions.scope import Scope
from engine.core.expressions.values import compile_path, compile_value
from engine.core.guarded_json import dumps


def scope() -> Scope:
    return Scope(
        now=0,
        zone=ZoneInfo("Europe/Berlin"),
        user={
            "id": "u/1 ü",
            "email": "a@b.c",
            "age": 30,
            "score": 2.50,
            "ok": True,
            "tags": ["x", None],
            "blank": "",
        },
        inputs={"total": 80},
    )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("{{ user.email }}", "a@b.c"),
        ("{{user.age}}", 30),
        ("{{ user.ok }}", True),
        ("{{ user.score }}", 2.5),
        ("{{ user.tags }}", ["x", None]),
        ("{{ {'a': {'b': user.age}} }}", {"a": {"b": 30}}),
        ("{{ '}}' }}", "}}"),
        ('{{ "{{" }} and }}', "{{ and }}"),
        (
            "Hi {{ user.email }}, {{ user.age }} {{ user.ok }} {{ user.score }}",
            "Hi a@b.c, 30 true 2.5",
        ),
        ("{{ user.age }}{{ user.age }}", "3030"),
        (" {{ user.age }}", " 30"),
        ("{{ now }}", "1970-01-01T01:00:00+01:00"),
        ("at {{ now }}", "at 1970-01-01T01:00:00+01:00"),
        ("{{ user.x | default('y') }}", "y"),
        ("{{ user.x | default(none) }}", None),
        ("{{ none }}", None),
        ("{{ null }}", None),
        ("{{ none if user.ok else 1 }}", None),
        ("{{ user.x or none }}", None),
        ("{{ [none, user.age] }}", [None, 30]),
        ("{{ {'a': user.x | default(none)} }}", {"a": None}),
        ("plain { text } %", "plain { text } %"),
        (None, None),
        (5, 5),
        (True, True),
        ([1, "{{ user.age }}", {"k": ["{{ user.email }}", "s"]}], [1, 30, {"k": ["a@b.c", "s"]}]),
        (
            {"to": "{{ user.email }}", "n": None, "deep": {"a": 1}},
            {"to": "a@b.c", "n": None, "deep": {"a": 1}},
        ),
    ],
)
def test_a_value_renders_to_data(raw: object, expected: object) -> None:
    result = compile_value(raw).render(scope())
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("raw", "path", "said"),
    [
        ("{{ user.x }}", (), "user.x is null"),
        ("Hi {{ user.x }}!", (), "user.x is null"),
        ("Hi {{ none }}!", (), "default('')"),
        ("Hi {{ user.tags }}!", (), "join"),
        ({"a": [1, "{{ user.x }}"]}, ("a", 1), "user.x is null"),
        ({"a": {"b": "{{ user.y ~ 'a' }}"}}, ("a", "b"), "user.y ~ 'a' is null"),
        ("{{ user.x if user.ok else none }}", (), "is null"),
        ("{{ [user.x] }}", (), "a part of"),
        ("{{ {'a': user.x} }}", (), "a part of"),
    ],
)
def test_a_null_nobody_wrote_fails_at_its_place(
    raw: object, path: tuple[str | int, ...], said: str
) -> None:
    with pytest.raises(Unfillable) as caught:
        compile_value(raw).render(scope())
    assert caught.value.path == path
    assert said in caught.value.message
    assert caught.value.code == "step.unfillable"


def test_a_failure_names_the_expression_and_never_the_data() -> None:
    secret = Scope(now=0, user={"token": ["hunter2" * 9]})
    for raw in ("a {{ user.token }}", "{{ user.token ~ 'x' }}"):
        with pytest.raises(Unfillable) as caught:
            compile_value(raw).render(secret)
        assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("raw", "path", "offset"),
    [
        ("{{ user.x | lowr }}", (), 12),
        ("Hi {{ users.x }}", (), 6),
        ({"a": ["x", "{{ 1 + }}"]}, ("a", 1), 6),
        ("a {% if x %}", (), 2),
        ("a {{ user.x", (), 2),
        ("{{ user.x }} {# c #}", (), 13),
    ],
)
def test_a_slip_in_a_value_has_its_place_and_column(
    raw: object, path: tuple[str | int, ...], offset: int
) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_value(raw)
    assert (caught.value.path, caught.value.offset) == (path, offset)


def test_what_a_value_needs_is_known_before_it_renders() -> None:
    value = compile_value(
        {"a": "x {{ user.email | default('none@b') }}", "b": ["{{ days_since(user.born) }}", "lit"]}
    )
    assert value.references == {("user", "email"), ("user", "born")}
    assert value.functions == {("days_since",)}
    assert set(value.constants) == {"x ", "none@b", "lit"}
    assert value.depends_on_time
    assert not value.static


def test_a_value_without_expressions_is_static_and_itself() -> None:
    raw = {"a": [1, "text"], "b": None}
    value = compile_value(raw)
    assert value.static
    assert value.render(scope()) is raw


def test_rendering_twice_shares_nothing_that_is_filled() -> None:
    value = compile_value({"a": {"b": "{{ user.age }}"}})
    first, second = value.render(scope()), value.render(scope())
    assert first == second
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["a"] is not second["a"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("{{ user.age }}", "30"),
        ("{{ user.ok }}", "true"),
        ("{{ user.score }}", "2.5"),
        ("{{ user.email }}", "a@b.c"),
        ("{{ now }}", "1970-01-01T01:00:00+01:00"),
        ("v{{ user.age }}", "v30"),
        (30, "30"),
        (False, "false"),
        ("x", "x"),
    ],
)
def test_a_value_renders_to_text(raw: object, expected: str) -> None:
    assert compile_value(raw).render_text(scope()) == expected


@pytest.mark.parametrize("raw", ["{{ user.tags }}", "{{ none }}", None, ["x"], {"a": "{{ now }}"}])
def test_lists_objects_and_null_have_no_text(raw: object) -> None:
    with pytest.raises(Unfillable):
        compile_value(raw).render_text(scope())


def test_a_whole_value_is_bounded() -> None:
    big = Scope(now=0, user={"long": "a" * 60_000, "list": ["a" * 60_000]})
    for raw in (
        ["{{ user.long }}"] * 20,
        ["{{ user.list }}"] * 20,
        "{{ user.long }} {{ user.long }}",
    ):
        with pytest.raises(Unfillable, match=r"bigger|longer"):
            compile_value(raw).render(big)
    assert compile_value(["{{ user.long }}"] * 10).render(big)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("/send", "/send"),
        ("/", "/"),
        ("/users/{{ user.id }}/score", "/users/u%2F1%20%C3%BC/score"),
        ("/u/{{ user.age }}-{{ user.ok }}", "/u/30-true"),
        ("/a/%20/ü/{{ user.email }}", "/a/%20/ü/a%40b.c"),
        ("/a/{{ '?#&%' }}", "/a/%3F%23%26%25"),
        ("/a/{{ 'a.b~c_d-e' }}", "/a/a.b~c_d-e"),
        ("/a/{{ '%2e%2e' }}", "/a/%252e%252e"),
        ("/a/.{{ user.age }}", "/a/.30"),
        ("/a//b/", "/a//b/"),
    ],
)
def test_a_path_keeps_its_literals_and_encodes_its_values(template: str, expected: str) -> None:
    assert compile_path(template).render(scope()) == expected


def test_a_path_knows_what_it_reads() -> None:
    path = compile_path("/users/{{ user.id }}/{{ 'x' }}")
    assert path.references == {("user", "id")}
    assert set(path.constants) == {"/users/", "/", "x"}
    assert not path.static
    assert compile_path("/send").static


def test_a_query_in_a_path_is_told_where_it_goes() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_path("/a/{{ user.x }}?b=1")
    assert caught.value.remedy == "use query:"
    assert caught.value.offset == 15


@pytest.mark.parametrize(
    "raw",
    [
        "{{ user.email }}",
        'plain " \\ \n ü \x00',
        {},
        [],
        None,
        1.5,
        {"to": "{{ user.email }}", "n": "{{ user.age }}", "at": [], "more": {}, "x": None},
        {"quote": 'a " b', "ü": ["{{ user.tags }}", 1, True, {"deep": "hi {{ user.id }}"}, "z"]},
        ["{{ none }}", "{{ user.score }}", "{{ {'a': [user.age]} }}", (1, "{{ user.ok }}")],
    ],
)
def test_a_value_is_written_as_json_as_it_is_rendered(raw: object) -> None:
    value = compile_value(raw)
    assert value.render_json(scope()) == dumps(value.render(scope()))


def test_what_cant_be_made_names_its_place_in_json_too() -> None:
    value = compile_value({"a": [{"b": "{{ user.missing }}"}]})
    with pytest.raises(Unfillable) as failure:
        value.render_json(scope())
    assert failure.value.path == ("a", 0, "b")


@pytest.mark.parametrize("raw", [float("nan"), {"x": [float("inf")]}, "\ud800"])
def test_what_json_cant_say_is_refused_each_time(raw: object) -> None:
    value = compile_value(raw)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"JSON|surrogates"):
            value.render_json(scope())
