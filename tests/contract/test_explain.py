"""Why an event let its user in, or didn't: from what receive recorded of it."""

from __future__ import annotations

import json

from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Connection
from engine.operations.explain import Verdict, explain, in_words
from engine.users.store import fact_at
from engine.versions.store import Versions
from tests.contract.people import NOW, add_passage, add_version, insert

CART = """
dsl: 1
journey: cart
entry:
  triggers:
    - {event: cart_updated, where: event.total >= 50}
    - {event: cart_updated, where: user.vip}
    - {audience: user.tier == 'gold'}
steps: [{id: settle, type: wait, for: 45m}]
"""
WELCOME = """
dsl: 1
journey: welcome
entry: {triggers: [{event: signed_up}]}
steps: [{id: settle, type: wait, for: 45m}]
"""


def add_fact(connection: Connection, seq: int, name: str = "cart_updated") -> None:
    place = {"bucket": bucket_of("u"), "user_id": "u", "seq": seq, "depth": 0}
    kind = 0 if name else 1
    data = '{"total":12.5}' if name else '{"tier":[null,"gold"]}'
    insert(connection, "facts", **place, kind=kind, name=name, at=seq - 5, data=data)


def refuse(
    connection: Connection, seq: int, version: int, trigger: int, reason: str, seen: object = None
) -> None:
    text = None if seen is None else json.dumps(seen)
    place = {"bucket": bucket_of("u"), "user_id": "u", "seq": seq, "run_id": 0}
    why = {"version_id": version, "trigger": trigger, "reason": reason, "at": seq, "seen": text}
    insert(connection, "refusals", **place, **why)


def verdicts(connection: Connection, seq: int) -> list[Verdict]:
    fact = fact_at(connection, "u", seq)
    assert fact is not None
    return explain(connection, Versions(), "u", fact)


def told(connection: Connection, seq: int) -> list[tuple[str, int, str]]:
    return [(one.journey, one.trigger, one.result) for one in verdicts(connection, seq)]


def test_each_trigger_that_is_about_the_event_says_what_became_of_it(
    connection: Connection,
) -> None:
    cart = add_version(connection, "cart", CART)
    add_version(connection, "welcome", WELCOME)
    add_fact(connection, NOW + 9)
    refuse(connection, NOW + 9, cart, 0, "where_false", {"event.total": 12.5})
    add_passage(connection, "u", "cart", cart, 7, e=NOW + 9)
    add_passage(connection, "u", "cart", cart, 8, e=NOW + 8)
    found = verdicts(connection, NOW + 9)
    assert [(one.journey, one.trigger, one.result) for one in found] == [
        ("cart", 1, "where_false"),
        ("cart", 2, "entered"),
        ("welcome", 0, "no_trigger"),
    ]
    assert in_words(found[0]) == "`event.total >= 50` is false: event.total 12.5"
    assert found[1].passage is not None
    assert found[1].passage.id == 7


def test_what_the_event_itself_said_is_told_where_nothing_was_recorded(
    connection: Connection,
) -> None:
    cart = add_version(connection, "cart", CART)
    add_fact(connection, NOW)
    refuse(connection, NOW, cart, 0, "where_false")
    refuse(connection, NOW, cart, 1, "where_false")
    assert [in_words(one) for one in verdicts(connection, NOW)] == [
        "`event.total >= 50` is false: event.total 12.5",
        "`user.vip` is false",
    ]


def test_a_passage_that_hears_nothing_belongs_to_the_first_such_fact_of_its_turn(
    connection: Connection,
) -> None:
    cart = add_version(connection, "cart", CART, at=NOW - 100)
    for seq in (NOW - 7, NOW + 3, NOW + 4):
        add_fact(connection, seq)
        refuse(connection, seq, cart, 0, "where_false")
    add_fact(connection, NOW + 2, "")
    add_passage(connection, "u", "cart", cart, 7)
    entered = [told(connection, seq)[1][2] for seq in (NOW - 7, NOW + 3, NOW + 4)]
    assert entered == ["not_recorded", "entered", "not_recorded"]


def test_a_fact_that_was_refused_let_nobody_in_and_the_next_one_did(
    connection: Connection,
) -> None:
    cart = add_version(connection, "cart", CART)
    for seq in (NOW, NOW + 1):
        add_fact(connection, seq)
    for trigger in (0, 1):
        refuse(connection, NOW, cart, trigger, "where_false")
    refuse(connection, NOW + 1, cart, 0, "where_false")
    add_passage(connection, "u", "cart", cart, 7)
    assert "entered" not in {result for *_, result in told(connection, NOW)}
    assert told(connection, NOW + 1)[1][2] == "entered"


def test_passages_of_several_keys_that_began_in_one_turn_each_have_their_own_fact(
    connection: Connection,
) -> None:
    cart = add_version(connection, "cart", CART)
    for number in range(3):
        add_fact(connection, NOW + number)
        refuse(connection, NOW + number, cart, 0, "where_false")
        add_passage(connection, "u", "cart", cart, 7 + number, key=f"k{number}")
    found = [verdicts(connection, NOW + number)[1].passage for number in range(3)]
    assert [one and one.id for one in found] == [7, 8, 9]


def test_an_event_that_a_step_made_lets_in_a_passage_that_hears_nothing(
    connection: Connection,
) -> None:
    welcome = add_version(connection, "welcome", WELCOME)
    add_fact(connection, NOW + 5, "signed_up")
    add_passage(connection, "u", "welcome", welcome, 7, e=0)
    assert told(connection, NOW + 5) == [("welcome", 1, "entered")]


def test_who_enters_by_command_after_it_didnt_enter_by_it(connection: Connection) -> None:
    cart = add_version(connection, "cart", CART)
    add_fact(connection, NOW)
    add_passage(connection, "u", "cart", cart, 7, e=NOW, entered_at=NOW + 60_000_000)
    assert {result for *_, result in told(connection, NOW)} == {"not_recorded"}


def test_a_refusal_by_the_entry_rules_is_told_in_words(connection: Connection) -> None:
    cart = add_version(connection, "cart", CART)
    for number, reason in enumerate(["live", "once", "cooldown", "limit", "no_input", "depth"]):
        add_fact(connection, NOW + number)
        refuse(connection, NOW + number, cart, 0, reason)
        first = verdicts(connection, NOW + number)[0]
        assert first.result == reason
        assert in_words(first) != reason


def test_a_change_of_attributes_is_about_audiences(connection: Connection) -> None:
    cart = add_version(connection, "cart", CART)
    add_fact(connection, NOW + 1, "")
    add_fact(connection, NOW + 2, "")
    add_passage(connection, "u", "cart", cart, 7, e=NOW + 2)
    assert told(connection, NOW + 1) == [("cart", 3, "not_met")]
    assert told(connection, NOW + 2) == [("cart", 3, "entered")]


def test_a_version_that_came_later_says_so_and_the_one_before_what_it_did(
    connection: Connection,
) -> None:
    first = add_version(connection, "cart", CART)
    add_version(connection, "cart", CART, number=2, at=NOW + 100)
    add_fact(connection, NOW + 5)
    add_fact(connection, NOW + 200)
    refuse(connection, NOW + 5, first, 0, "where_false")
    refuse(connection, NOW + 5, first, 1, "where_false")
    assert [(one.version, one.trigger, one.result) for one in verdicts(connection, NOW + 5)] == [
        (1, 1, "where_false"),
        (1, 2, "where_false"),
        (2, 1, "published_later"),
        (2, 2, "published_later"),
    ]
    assert told(connection, NOW + 200) == [("cart", 1, "not_recorded"), ("cart", 2, "not_recorded")]


def test_a_passage_that_no_trigger_of_now_explains_is_still_told(connection: Connection) -> None:
    welcome = add_version(connection, "welcome", WELCOME)
    add_fact(connection, NOW + 5)
    add_passage(connection, "u", "welcome", welcome, 7, e=NOW + 5)
    assert told(connection, NOW + 5) == [("welcome", 0, "entered")]


def test_an_archived_journey_is_told_of_only_where_it_took_part(connection: Connection) -> None:
    cart = add_version(connection, "cart", CART)
    insert(connection, "journeys", journey="cart", state="archived", since=NOW, change=1)
    for seq in (NOW, NOW + 1):
        add_fact(connection, seq)
    refuse(connection, NOW, cart, 0, "live")
    assert told(connection, NOW)[0] == ("cart", 1, "live")
    assert told(connection, NOW + 1) == []
