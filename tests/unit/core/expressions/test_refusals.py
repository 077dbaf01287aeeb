"""What isn't in the language is refused, at its column, with what would be right."""

from __future__ import annotations

import pytest

from engine.core.expressions.errors import ExpressionError
from engine.core.expressions.grammar import EVENT_ROOTS, compile_expression


@pytest.mark.parametrize(
    ("source", "offset", "remedy"),
    [
        ("user.x && user.y", 7, "'and'"),
        ("user.x || user.y", 7, "'or'"),
        ("!user.x", 0, "'not'"),
        ("user.x === 1", 7, "'=='"),
        ("user.x = 1", 7, "'=='"),
        ("user.x <> 1", 7, "'!='"),
        ("user.x => 1", 7, "'>='"),
        ("{{ user.x }}", 0, "stands bare"),
        ("user.x }}", 7, "stands bare"),
        ("users.x", 0, "'user'"),
        ("user.tier == gold", 13, "'gold' if it is a text"),
        ("email == 'x'", 0, "user.email"),
        ("event.total > 5", 0, "it stands in where"),
        ("secrets.key", 0, "at the endpoint"),
        ("env.HOME", 0, "at the endpoint"),
        ("yes", 0, "'true'"),
        ("steps.greet.stauts", 5, "'status'"),
        ("response.stat", 8, "'status'"),
        ("enrollment.outcom", 10, "'outcome'"),
        ("user.email.lower()", 16, "x | lower"),
        ("len(user.tags)", 0, "x | length"),
        ("upper(user.x)", 0, "x | upper"),
        ("days_snce(user.x)", 0, "'days_since'"),
        ("now()", 0, "without ( )"),
        ("has_event", 0, "has_event(...)"),
        ("user.x | lowr", 9, "'lower'"),
        ("user.x | strip", 9, "'trim'"),
        ("user.x is none", 7, "x == none"),
        ("user.x is not defined", 7, "x == none"),
        ("user.x AND user.y", 7, "'and'"),
        ("user.tags contains 'x'", 10, "'x' in user.tags"),
        ("user.x if user.y", 0, "else none"),
        ("(1, 2)", 2, "[a, b]"),
        ("1 // 2", 0, "| int"),
        ("'a' * 3", 0, "'~'"),
        ("user.x % 'a'", 9, "'~'"),
        ("user.tags[0:1]", 10, "| first"),
        ("['a' 'b']", 1, "missing between"),
        ("'abc", 0, "not closed"),
        ("'\\d'", 1, "\\\\"),
        ("has_event(user.x)", 9, "has_event('order_placed')"),
        ("has_event('a', 'P1M')", 9, "P30D"),
        ("has_event('a', 'soon')", 9, "PT45M"),
        ("has_event('a', 7)", 9, "within='P7D'"),
        ("user.a ? 1 : 2", 7, "if condition else"),
        ("99999999999999999999", 0, "in quotes"),
    ],
)
def test_a_slip_gets_its_column_and_its_remedy(source: str, offset: int, remedy: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source)
    assert caught.value.offset == offset
    assert remedy in caught.value.remedy
    assert caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "",
        "   ",
        "1 +",
        "user.",
        "user..x",
        "(1",
        "1)",
        "[1",
        "{1: 2}",
        "{user.x: 2}",
        "{'a': 1, 'a': 2}",
        "2 ** 3",
        "user.x user.y",
        "user.x; 1",
        "user.x not",
        "1e999",
        "'a'.b",
        "now.year",
        "event_name.x",
        "visits()",
        "visits(greet, 2)",
        "visits(user.x)",
        "visits(1)",
        "date()",
        "date(1, 2)",
        "days_since(now, x=1)",
        "has_event('a', window='P1D')",
        "has_event('a', 'P1D', within='P1D')",
        "has_event(*user.x)",
        "has_event(**user.x)",
        "has_event('')",
        "user.x | truncate(1, 2, 3, 4)",
        "user.x | replace('a')",
        "user.x | default('a', user.y)",
        "user.x | round(method='floor')",
        "user.x |",
        "user.x | lower.upper",
        "loop.index",
        "user.tags[1, 2]",
        "user.tags[1.5]",
        "user.tags[none]",
        "if user.x",
        "user.x := 1",
        "lambda: 1",
        "f'{user.x}'",
        "'\\u0000'",
        "'\\ud800'",
        "x y",
    ],
)
def test_what_is_not_in_the_language_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(source)


def test_an_event_is_at_hand_only_where_it_is_allowed() -> None:
    assert compile_expression("event.total > event_time", allow=EVENT_ROOTS).references == {
        ("event", "total"),
        ("event_time",),
    }


def test_every_bound_has_its_last_legal_case() -> None:
    compile_expression("'" + "x" * 1_998 + "'")
    compile_expression(" or ".join(["user.x"] * 67))
    compile_expression("(" * 30 + "1" + ")" * 30)
    compile_expression(" + ".join(["1"] * 30))
    compile_expression("[" + ",".join(["1"] * 199) + "]")
    for source in (
        "'" + "x" * 1_999 + "'",
        " or ".join(["user.x"] * 68),
        "(" * 31 + "1" + ")" * 31,
        " + ".join(["1"] * 31),
        "[" + ",".join(["1"] * 200) + "]",
    ):
        with pytest.raises(ExpressionError):
            compile_expression(source)
