"""What expressions mean: null, comparisons, operators, filters, functions."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from engine.core.expressions.calendar import parse_iso
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.grammar import EVENT_ROOTS, compile_expression
from engine.core.expressions.scope import Scope

BERLIN = ZoneInfo("Europe/Berlin")
NOW = parse_iso("2026-03-28T22:30:00Z", BERLIN) or 0
DAY = 86_400_000_000


def scope() -> Scope:
    orders = [NOW - 10 * DAY, NOW - 3 * DAY, NOW - DAY]
    return Scope(
        now=NOW,
        zone=BERLIN,
        user={
            "id": "u1",
            "timezone": "Europe/Berlin",
            "email": "Ada@Example.com",
            "tier": "gold",
            "age": 30,
            "score": 2.5,
            "onboarded": True,
            "tags": ["a", "b"],
            "address": {"city": "Köln"},
            "renewal": "2026-04-01",
            "born": 0,
            "first name": "Ada",
            "items": [{"sku": "x", "price": 2}, {"sku": "y"}],
            "big": 2**70,
            "şehir": "İzmir",
            "blank": "",
        },
        inputs={"total": 80, "cart_id": "c1"},
        vars={"key": "city", "i": 1},
        steps={"greet": {"status": "failed", "failure": "call.timed_out", "visits": 2}},
        enrollment={"id": 7, "outcome": None},
        response={"status": 200, "headers": {"etag": "x"}, "body": {"data": [{"id": 5}]}},
        event={"cart_id": "c1", "total": 80},
        event_name="order_placed",
        event_time=NOW,
        event_id="e1",
        history=lambda name: orders if name == "order_placed" else [],
    )


def value_of(source: str) -> object:
    return compile_expression(source, allow=EVENT_ROOTS).evaluate(scope())


def notes_of(source: str) -> list[str]:
    seen = scope()
    compile_expression(source, allow=EVENT_ROOTS).holds(seen)
    return seen.notes


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("user.tier == 'gold' and inputs.total >= 50", True),
        ("user.tier", "gold"),
        ("user['first name']", "Ada"),
        ("user.address.city", "Köln"),
        ("user.address[vars.key]", "Köln"),
        ("user.şehir", "İzmir"),
        ("user.tags[0]", "a"),
        ("user.tags[-1]", "b"),
        ("user.tags[vars.i]", "b"),
        ("user.tags.1", "b"),
        ("response.body.data[0].id", 5),
        ("response.headers.etag", "x"),
        ("steps.greet.status == 'failed'", True),
        ("enrollment.id", 7),
        ("event.cart_id == inputs.cart_id", True),
        ("event_name ~ ':' ~ event_id", "order_placed:e1"),
        ("(user.items | first).sku", "x"),
        ("true", True),
        ("none", None),
        ("null", None),
        ("-5", -5),
        ("1 + 2 * 3 - 4", 3),
        ("7 % 3", 1),
        ("10 / 4", 2.5),
        ("-user.age", -30),
        ("'a' + 'b'", "ab"),
        ("'n' ~ 1 ~ 2.0 ~ true", "n12.0true"),
        ("1 if user.onboarded else 2", 1),
        ("user.nick or 'friend'", "friend"),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("[1, user.age]", [1, 30]),
        ("{'a': user.age}", {"a": 30}),
        ("'a\\'b\\n\\u00e9'", "a'b\né"),
        ("user.big", 2**70),
        ("user.big > 1", True),
        ("not user.missing", True),
        ("user.a or user.b or user.tier", "gold"),
        ("user.tier and user.age and user.missing and user.tags", None),
    ],
)
def test_an_expression_reads_and_computes(source: str, expected: object) -> None:
    result = value_of(source)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("user.x == none", True),
        ("user.x != none", False),
        ("user.tier != none", True),
        ("none == user.x", True),
        ("null != user.tier", True),
        ("none == none", True),
        ("user.x == inputs.y", False),
        ("user.x != inputs.y", False),
        ("user.x == 'gold'", False),
        ("user.x != 'gold'", True),
        ("user.x != 5", True),
        ("user.x < 5", False),
        ("user.x >= 5", False),
        ("5 > user.x", False),
        ("user.x in ['a']", False),
        ("user.x not in ['a']", True),
        ("user.x in user.tags", False),
        ("'a' in user.x", False),
        ("'a' not in user.x", True),
        ("user.x + 1", None),
        ("-user.x", None),
        ("1 / user.x", None),
        ("user.x ~ 'a'", None),
        ("user.x | lower", None),
        ("user.x | length > 0", False),
        ("user.x.y.z", None),
        ("user.tier.y", None),
        ("user.tags.y", None),
        ("user.tags[9]", None),
        ("user.address[0]", None),
        ("user.tags[user.x]", None),
        ("steps.other.status", None),
        ("days_since(user.x)", None),
        ("date(user.x)", None),
    ],
)
def test_missing_is_null_and_null_is_no_error(source: str, expected: object) -> None:
    assert value_of(source) is expected
    assert notes_of(source) == []


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("user.age == '30'", "a number with a text"),
        ("user.age != '30'", "a number with a text"),
        ("user.tier == 5", "a text with a number"),
        ("user.tier < 5", "a text with a number"),
        ("user.onboarded == 1", "true or false with a number"),
        ("user.age == true", "a number with true or false"),
        ("user.onboarded > false", "true or false with true or false"),
        ("user.tags < user.tags", "a list with a list"),
        ("now > user.tier", "a date with a text"),
        ("5 in user.tier", "a number in a text"),
        ("5 in user.age", "a number in a number"),
        ("5 not in user.age", "a number in a number"),
        ("user.tier + 1", "a text + a number"),
        ("user.age / 0", "division by zero"),
        ("user.age % 0", "division by zero"),
        ("user.age | lower", "lower of a number"),
        ("user.tier | int", "int of a text"),
        ("user.tier | float", "float of a text"),
        ("user.age | length", "length of a number"),
        ("user.tier | join", "join of a text"),
        ("user.tier | map('x')", "map of a text"),
        ("user.tags ~ 'x'", "a list has no text"),
        ("date(user.tier)", "a text that is no date"),
        ("date(user.tags)", "a list that is no date"),
        ("now + 1", "a date + a number"),
    ],
)
def test_what_does_not_go_together_is_false_and_noted(source: str, note: str) -> None:
    assert not compile_expression(source).holds(scope())
    assert any(note in line for line in notes_of(source)), notes_of(source)


def test_a_note_never_holds_the_data_and_is_made_once() -> None:
    seen = scope()
    expression = compile_expression("user.email == 5 or user.email == 5")
    expression.holds(seen)
    expression.holds(seen)
    assert len(seen.notes) == 1
    assert "Ada@" not in seen.notes[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 == 1.0", True),
        ("1 in [true]", False),
        ("true in [1, true]", True),
        ("[1, {'a': 2}] == [1.0, {'a': 2}]", True),
        ("[1] == [true]", False),
        ("{'a': 1} != {'a': 2}", True),
        ("'a' in ['a', 'b']", True),
        ("'c' not in ['a', 'b']", True),
        ("user.age in [30, 31]", True),
        ("user.age in ['30']", False),
        ("'city' in user.address", True),
        ("'xam' in user.email", True),
        ("user.tags == ['a', 'b']", True),
        ("'b' > 'a'", True),
        ("2 >= 2.5", False),
    ],
)
def test_equality_and_membership_know_kinds(source: str, expected: bool) -> None:
    assert value_of(source) is expected
    assert notes_of(source) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("user.x | default('d')", "d"),
        ("user.x | default", ""),
        ("user.blank | default('d')", ""),
        ("user.blank | default('d', true)", "d"),
        ("user.blank | default('d', boolean=true)", "d"),
        ("user.email | lower", "ada@example.com"),
        ("user.tier | upper", "GOLD"),
        ("'  a ' | trim", "a"),
        ("2.5 | round", 3),
        ("-2.5 | round", -3),
        ("2.675 | round(2)", 2.68),
        ("1234 | round(-2)", 1200),
        ("7 | round(2)", 7),
        ("'12.9' | int", 12),
        ("'-7' | int", -7),
        ("2.9 | int", 2),
        ("true | int", 1),
        ("'1e3' | float", 1000.0),
        ("3 | float", 3.0),
        ("5 | string", "5"),
        ("[1, 'é'] | string", '[1,"é"]'),
        ("user.tags | length", 2),
        ("user.address | length", 1),
        ("'abc' | length", 3),
        ("user.tags | first", "a"),
        ("user.tags | last", "b"),
        ("[] | first", None),
        ("user.tags | join(', ')", "a, b"),
        ("[1, none, 'x'] | join('-')", "1-x"),
        ("user.items | map('price')", [2, None]),
        ("user.items | map(attribute='sku') | join", "xy"),
        ("'a.b.c' | replace('.', '/')", "a/b/c"),
        ("'abc' | replace('', 'x')", "abc"),
        ("'hello wide world' | truncate(13)", "hello..."),
        ("'hello wide world' | truncate(13, true)", "hello wide..."),
        ("'hello wide world' | truncate(13, end='')", "hello wide"),
        ("'short' | truncate(9)", "short"),
        ("{'a': [1, true, none]} | tojson", '{"a":[1,true,null]}'),
        ("'2026-04-01' | date", "2026-04-01T00:00:00+02:00"),
    ],
)
def test_filters(source: str, expected: object) -> None:
    result = value_of(source)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("now", "2026-03-28T23:30:00+01:00"),
        ("date('2026-03-29T12:00:00')", "2026-03-29T12:00:00+02:00"),
        ("date('2026-03-29T12:00:00Z')", "2026-03-29T14:00:00+02:00"),
        ("date(0)", "1970-01-01T01:00:00+01:00"),
        ("date(1000000000)", "2001-09-09T03:46:40+02:00"),
        ("date(1000000000000)", "2001-09-09T03:46:40+02:00"),
        ("event_time", "2026-03-28T23:30:00+01:00"),
        ("event_time == now", True),
        ("now > '2026-03-28'", True),
        ("now < user.renewal", True),
        ("date(user.renewal) == '2026-04-01'", True),
        ("date(user.renewal) == '2026-03-31T22:00:00Z'", True),
        ("days_until(user.renewal)", 4),
        ("days_since(user.renewal)", -4),
        ("days_since('2026-03-28')", 0),
        ("days_since('2026-03-27T23:59:59')", 1),
        ("days_until('2026-03-29T00:00:00')", 1),
        ("'at ' ~ now", "at 2026-03-28T23:30:00+01:00"),
        ("[now] | tojson", '["2026-03-28T23:30:00+01:00"]'),
    ],
)
def test_dates_are_the_users(source: str, expected: object) -> None:
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("visits(greet)", 2),
        ("visits('greet')", 2),
        ("visits(other)", 0),
        ("visits(greet) < 3", True),
        ("has_event('order_placed')", True),
        ("has_event('other')", False),
        ("has_event('order_placed', 'PT1H')", False),
        ("has_event('order_placed', within='P1D')", True),
        ("event_count('order_placed')", 3),
        ("event_count('order_placed', 'P3D')", 2),
        ("event_count('order_placed', '2d 12h')", 1),
    ],
)
def test_functions_of_history(source: str, expected: object) -> None:
    assert value_of(source) == expected


def test_without_a_history_nothing_ever_happened() -> None:
    bare = Scope(now=NOW)
    assert compile_expression("event_count('a') == 0 and not has_event('a')").holds(bare)


@pytest.mark.parametrize("source", ["user.x", "false", "0", "0.0", "''", "[]", "{}", "none"])
def test_null_false_zero_and_the_empty_are_false(source: str) -> None:
    assert compile_expression(source).holds(scope()) is False


@pytest.mark.parametrize("source", ["'0'", "1", "[0]", "{'a': none}", "now", "'false'"])
def test_all_else_is_true(source: str) -> None:
    assert compile_expression(source).holds(scope()) is True


def test_what_an_expression_needs_is_known_before_it_runs() -> None:
    expression = compile_expression(
        "user.address.city == 'Köln' and steps.greet.status == 'failed' and user[vars.key] != 5"
        " and response.body.items[0].id in [1, 2] and visits(greet) < 3"
        " and event_count('order_placed', 'P7D') > 1 and has_event('login')"
    )
    assert expression.references == {
        ("user", "address", "city"),
        ("steps", "greet", "status"),
        ("user",),
        ("vars", "key"),
        ("response", "body", "items"),
    }
    assert expression.functions == {
        ("visits", "greet"),
        ("event_count", "order_placed", "P7D"),
        ("has_event", "login"),
    }
    assert {"Köln", "failed", 5, 0, 1, 2, 3} <= set(expression.constants)
    assert expression.depends_on_time


@pytest.mark.parametrize(
    ("source", "depends"),
    [
        ("now > user.x", True),
        ("days_since(user.x) > 1", True),
        ("days_until(user.x) > 1", True),
        ("has_event('a', 'P1D')", True),
        ("has_event('a')", False),
        ("date(user.x) == user.y", False),
        ("user.now", False),
        ("event_time", False),
    ],
)
def test_dependence_on_time_is_known(source: str, depends: bool) -> None:
    assert compile_expression(source, allow=EVENT_ROOTS).depends_on_time is depends


@pytest.mark.parametrize(
    "source",
    [
        "9223372036854775807 + 1",
        "-9223372036854775807 - 2",
        "user.big + 1",
        "user.big * user.big",
        "user.big | int",
        "1e308 * 10",
        "'99999999999999999999' | int",
        "'1e999' | float",
    ],
)
def test_a_number_beyond_64_bits_cannot_be_computed(source: str) -> None:
    with pytest.raises(Unfillable, match="too large"):
        value_of(source)


def test_instant_reads_dates_and_texts_that_say_one() -> None:
    for source in ("date(user.renewal)", "user.renewal", "'2026-04-01'"):
        assert compile_expression(source).instant(scope()) == parse_iso("2026-04-01", BERLIN)
    for source in ("user.tier", "user.x", "5"):
        assert compile_expression(source).instant(scope()) is None


def test_fill_wants_a_result_unless_none_is_written() -> None:
    assert compile_expression("none").fill(scope()) is None
    assert compile_expression("user.tier").fill(scope()) == "gold"
    with pytest.raises(Unfillable, match=r"user\.x is null"):
        compile_expression("user.x").fill(scope())
