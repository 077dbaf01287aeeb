"""What expressions read, as it is kept: the values behind their names, cut where they are long."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.core.expressions.grammar import compile_expression
from engine.core.expressions.references import EVENT_ROOTS
from engine.core.expressions.scope import UTC_ZONE, Scope
from engine.core.expressions.seen import LEFT_OUT, MOST_OF_ALL, MOST_OF_ONE, Sight
from engine.core.expressions.values import compile_value
from engine.core.guarded_json import text_of


def seen(*sources: str, **data: Any) -> dict[str, object] | None:
    sight = Sight(compile_expression(source, allow=EVENT_ROOTS) for source in sources)
    return sight(Scope(data.pop("now", 0), **data))


def test_every_path_that_is_named_is_told_with_its_value() -> None:
    read = seen(
        "user.tier == 'gold' and vars.score > 50 or inputs.items[0].id == 3",
        user={"tier": "gold", "name": "Ada"},
        vars={"score": 81},
        inputs={"items": [{"id": 3}]},
    )
    assert read == {"inputs.items": [{"id": 3}], "user.tier": "gold", "vars.score": 81}


def test_what_is_absent_is_null_and_what_names_nothing_sees_nothing() -> None:
    assert seen("user.tier == 'gold'") == {"user.tier": None}
    assert seen("true", "now > date('2026-01-01')") is None


def test_counts_of_events_and_visits_are_told_with_their_arguments() -> None:
    read = seen(
        "event_count('opened', 'P1D') > 1 or has_event('bought') or visits(greet) > 2",
        now=90_000_000_000,
        steps={"greet": {"visits": 2}},
        history={"opened": [1, 89_000_000_000], "bought": []}.__getitem__,
    )
    assert read == {"event_count(opened, P1D)": 1, "has_event(bought)": False, "visits(greet)": 2}


def test_an_event_and_a_date_are_told_as_data() -> None:
    entered = datetime(2026, 11, 22, 9, tzinfo=UTC_ZONE)
    read = seen(
        "event.total > 5 and enrollment.entered_at < now",
        event={"total": 7},
        enrollment={"entered_at": entered},
    )
    assert read == {"enrollment.entered_at": "2026-11-22T09:00:00+00:00", "event.total": 7}


def test_long_values_are_cut_and_large_ones_told_as_cut_json() -> None:
    read = seen(
        "user.bio == user.tags and user.id == user.n",
        user={"bio": "x" * 5_000, "tags": ["tag"] * 5_000, "id": 2**63 - 1, "n": 10**3_000},
    )
    assert read is not None
    assert read["user.bio"] == "x" * (MOST_OF_ONE - 1) + "…"
    assert str(read["user.tags"]).startswith('["tag","tag"')
    assert read["user.id"] == 2**63 - 1
    assert all(len(str(value)) <= MOST_OF_ONE for value in read.values())


def test_what_finds_no_place_is_counted() -> None:
    names = [f"n{number}" for number in range(30)]
    source = " and ".join(f"user.{name} == 'a'" for name in names)
    read = seen(source, user=dict.fromkeys(names, "y" * 150))
    assert read is not None
    assert len(text_of(read)) <= MOST_OF_ALL + 20
    assert read[LEFT_OUT] == 30 - (len(read) - 1)


def test_the_whole_user_is_told_and_the_whole_passage_is_not() -> None:
    assert seen("user == 1 or steps == 1", user={"id": "u"}) == {"user": {"id": "u"}}


def test_a_value_with_expressions_in_it_is_read_like_one() -> None:
    sight = Sight([compile_value("PT{{ vars.n }}M")])
    assert sight(Scope(0, vars={"n": 5})) == {"vars.n": 5}
