"""Whatever text is compiled and whatever data it meets: an error of its own kind, or an answer."""

from __future__ import annotations

import copy
import json
from datetime import time
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from engine.core.expressions.calendar import (
    DAY,
    find_zone,
    from_instant,
    next_wall_time,
    parse_iso,
    to_instant,
)
from engine.core.expressions.durations import DurationError, parse_duration
from engine.core.expressions.errors import ExpressionError, Unfillable
from engine.core.expressions.grammar import EVENT_ROOTS, Expression, compile_expression
from engine.core.expressions.scope import Scope
from engine.core.expressions.values import compile_path, compile_value
from tests.examples import share

# fmt: off
ZONES = st.sampled_from([
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Africa/Casablanca", "America/Santiago", "Pacific/Apia",
]).map(ZoneInfo)
OPERANDS = [
    "user.a", "user.b", "inputs.a", "vars.b", "user.a.b", "user.a[0]", "user[vars.a]", "event.a",
    "steps.s.status", "response.body", "now", "event_time", "none", "true", "0", "-1", "2.5", "'a'",
    "''", "'abc'", "'2026-03-29'", "9223372036854775807", "visits(s)", "[]", "user",
    "event_count('e', 'P1D')", "has_event('e')",
]
FILTERS = [
    "lower", "upper", "trim", "round", "round(2)", "round(-30)", "int", "float", "string", "length",
    "first", "last", "join", "join('-')", "map('a')", "replace('a','bb')", "date", "truncate(3)",
    "truncate(-1)", "tojson", "default('x')", "default(none)", "default",
]
INFIX = [
    "and", "or", "in", "not in", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "~",
]
WORDS = [
    *OPERANDS, *FILTERS, *INFIX, "|", "(", ")", "[", "]", "{", "}", ",", ":", ".", "if", "else",
    "not", "date(", "is", "null", "{{", "}}", "{%", "&&", "!", "__class__", "**", "//", "=", "\\",
    '"', "'",
]
# fmt: on

NUMBERS = st.integers() | st.integers(-(10**40), 10**40) | st.floats()
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["a", "abc", "2026-03-29", "2026-03-29T02:30:00", "7"]
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.sampled_from(["a", "b", "id", "body", "s", "status"]), JSON)

# Sentences of the language, mostly right.
SENTENCES = st.recursive(
    st.sampled_from(OPERANDS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(INFIX), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(FILTERS)).map(lambda t: f"({t[0]} | {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, {t[1]}]"),
        st.tuples(inner, inner).map(lambda t: f"{{'a': {t[0]}, 'b': {t[1]}}}"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}]"),
        inner.map(lambda one: f"(not {one})"),
        inner.map(lambda one: f"(-{one})"),
        inner.map(lambda one: f"date({one})"),
        inner.map(lambda one: f"days_since({one})"),
    ),
    max_leaves=12,
)

SOUP = st.lists(st.sampled_from(WORDS) | st.text(max_size=2), max_size=60).map(" ".join)
TIGHT_SOUP = st.lists(st.sampled_from(WORDS), max_size=300).map("".join)
ANY_TEXT = st.text(max_size=3_000) | SOUP | TIGHT_SOUP | SENTENCES


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    times = sorted(draw(st.lists(st.integers(-(2**62), 2**62), max_size=4)))
    return Scope(
        now=draw(st.integers(-(2**55), 2**55)),
        zone=draw(ZONES),
        user=draw(RECORDS),
        inputs=draw(RECORDS),
        vars=draw(RECORDS),
        steps=draw(RECORDS),
        response=draw(st.none() | RECORDS),
        event=draw(st.none() | RECORDS),
        event_time=draw(st.none() | st.integers(-(2**62), 2**62)),
        history=draw(st.sampled_from([None, lambda name: times])),
    )


def outcome(expression: Expression, scope: Scope) -> tuple[str, str]:
    try:
        return "data", json.dumps(expression.evaluate(scope))
    except Unfillable as failure:
        return "unfillable", failure.message
    except ValueError as error:  # json.dumps, of an integer from outside with 4,300 digits
        return "data", str(error)


@given(ANY_TEXT)
@example("(" * 3_000)
@example("-" * 3_000)
@example("1" * 3_000)
@example("1_" * 1_000)
@example("'" + "\\" * 2_000)
@example("not(" * 500)
@example("1 if 1 else " * 160 + "1")
def test_compiling_any_text_gives_an_expression_or_its_own_error(text: str) -> None:
    try:
        compile_expression(text, allow=EVENT_ROOTS)
    except ExpressionError as error:
        assert error.message
        assert "\n" not in error.message
        assert 0 <= error.offset <= len(text)


@share(0.5, soak=1)
@given(SENTENCES, scopes())
def test_evaluating_never_raises_but_unfillable_and_is_the_same_twice(
    text: str, scope: Scope
) -> None:
    try:
        expression = compile_expression(text, allow=EVENT_ROOTS)
    except ExpressionError:
        return
    before = copy.deepcopy(scope.user)
    first = outcome(expression, scope)
    notes = list(scope.notes)
    assert outcome(expression, scope) == first
    assert scope.notes == notes
    assert repr(scope.user) == repr(before)
    try:
        held = expression.holds(scope)
        assert type(held) is bool
        moment = expression.instant(scope)
        assert moment is None or type(moment) is int
        expression.fill(scope)
    except Unfillable as failure:
        assert "\n" not in failure.message


@share(0.5, soak=1)
@given(SENTENCES, scopes())
def test_a_value_renders_what_its_expression_gives(text: str, scope: Scope) -> None:
    try:
        expression = compile_expression(text, allow=EVENT_ROOTS)
        value = compile_value({"k": ["{{ " + text + " }}"]}, allow=EVENT_ROOTS)
    except ExpressionError:
        return
    assert value.references == expression.references
    try:
        rendered = value.render(scope)
    except Unfillable as failure:
        assert failure.path == ("k", 0)
    else:
        assert repr(rendered) == repr({"k": [expression.evaluate(scope)]})


@share(0.5, soak=1)
@given(st.text(max_size=300) | SOUP | SOUP.map(lambda soup: "a {{ " + soup + " }} b"), scopes())
def test_any_text_as_a_value_or_path_gives_text_or_its_own_error(text: str, scope: Scope) -> None:
    try:
        compile_value(text).render_text(scope)
        path = compile_path("/" + text.replace("/", "")).render(scope)
        assert path.startswith("/")
    except (ExpressionError, Unfillable) as error:
        assert error.message


@share(0.5, soak=1)
@given(st.text(max_size=40), scopes())
def test_a_path_value_never_leaves_its_segment(text: str, scope: Scope) -> None:
    scope.user = {"x": text}
    try:
        path = compile_path("/a/{{ user.x }}/b").render(scope)
    except Unfillable:
        return
    assert path.count("/") == 3
    assert path.isascii()
    assert not set(path) & set("?#\\ %") - {"%"}


@given(st.text(max_size=40))
def test_any_text_is_a_duration_or_not(text: str) -> None:
    try:
        assert parse_duration(text).elapsed >= 0
    except DurationError as error:
        assert error.message


@given(st.text(max_size=70))
def test_any_text_is_a_zone_or_not(name: str) -> None:
    zone = find_zone(name)
    assert zone is None or zone.key == name


@given(st.integers(-(10**15), 4 * 10**15), ZONES)
def test_an_instant_survives_its_writing(instant: int, zone: ZoneInfo) -> None:
    local = from_instant(instant, zone)
    assert to_instant(local) == instant
    assert parse_iso(local.isoformat(), zone) == instant


@given(
    st.integers(-(10**15), 4 * 10**15),
    ZONES,
    st.times().map(lambda at: time(at.hour, at.minute)),
    st.sets(st.integers(0, 6)),
    st.integers(0, 40),
)
def test_the_next_wall_time_is_the_first_later_one(
    after: int, zone: ZoneInfo, at: time, weekdays: set[int], days: int
) -> None:
    woken = next_wall_time(after, zone, at, weekdays, days)
    local = from_instant(woken, zone)
    assert after < woken <= after + (days + 17) * DAY
    assert not weekdays or local.weekday() in weekdays or local.time() != at
    if local.time().replace(fold=0) != at:  # only a spring gap moves it, and by less than a day
        naive = local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
        assert to_instant(naive) <= woken
        assert from_instant(to_instant(naive), zone).time() != at or woken > to_instant(naive)
