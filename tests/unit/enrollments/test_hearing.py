"""What facts do to passages, live: turn by turn, whatever else is under way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.enrollments import store
from engine.users.row import UserRow
from tests.unit.core.interpreter.passing import DAY, SECOND, call, pause, put
from tests.unit.enrollments.deciding import NOW, Desk, change, event

COME = {"triggers": [{"event": "come"}]}
AGAIN = {**COME, "reentry": "restart"}
LEFT = [{"event": "left"}]
BYE = call("bye", retry={"attempts": 1})
WON = {"name": "won", "event": "bought"}
SUCCEEDED, FAILED, SKIPPED = 1, 2, 3


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An installation without a journey."""
    made = Desk(tmp_path)
    yield made
    made.database.close()


def counted(desk: Desk, kind: int) -> list[tuple[Any, ...]]:
    return desk.query(f"SELECT name, n FROM step_counts WHERE kind = {kind} ORDER BY 1")


# --- a call is under way --------------------------------------------------------------------


def left_while_calling(desk: Desk) -> None:
    desk.publish(call(), put(), entry=COME, exit=LEFT, on_exit=[BYE])
    desk.turn(NOW, event("come"))


def test_a_call_that_is_queued_when_its_user_leaves_is_never_sent(desk: Desk) -> None:
    left_while_calling(desk)
    (held,) = desk.calls.queued.values()
    ledger = desk.turn(NOW + 1, event("left", NOW + 1))
    assert desk.steps() == [(0, 1, SKIPPED, 0, "exit:1 before it was sent")]
    assert [one.call.target for one in ledger.calls] == ["/bye"]
    assert desk.calls.held_call(held.passage.id) is not held
    assert desk.query("SELECT target FROM calls") == [("/bye",)]


def test_a_call_that_is_on_the_wire_when_its_user_leaves_is_answered_first(desk: Desk) -> None:
    left_while_calling(desk)
    desk.send()
    assert not desk.turn(NOW + 1, event("left", NOW + 1)).calls
    assert desk.outcomes() == ["exit:1"]
    ledger = desk.turn(NOW + 2, answered=desk.answers(503, NOW))
    assert desk.steps() == [(0, 1, FAILED, 1, "answered 503")]
    assert [one.call.target for one in ledger.calls] == ["/bye"]
    desk.send()
    desk.turn(NOW + 3, answered=desk.answers(200, NOW + 2))
    assert desk.query("SELECT state, outcome FROM enrollments") == [(2, "exit:1")]
    assert desk.query("SELECT count(*) FROM calls WHERE next_try_at IS NOT NULL") == [(0,)]


def test_a_call_answered_in_the_turn_in_which_its_user_leaves_counts(desk: Desk) -> None:
    left_while_calling(desk)
    desk.send()
    desk.turn(NOW + 1, event("left", NOW + 1), answered=desk.answers(200, NOW))
    assert desk.steps() == [(0, 1, SUCCEEDED, 1, None)]
    assert desk.outcomes() == ["exit:1"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_call_that_waits_for_its_retry_is_given_up(desk: Desk, restarts: bool) -> None:
    left_while_calling(desk)
    desk.send()
    assert desk.turn(NOW + 1, answered=desk.answers(503, NOW)).retries
    if restarts:
        desk.restart()
    desk.turn(NOW + 2, event("left", NOW + 2))
    assert desk.steps() == [(0, 1, FAILED, 1, "exit:1 before it was tried again")]
    assert desk.query("SELECT target FROM calls WHERE next_try_at IS NOT NULL") == [("/bye",)]


def test_a_call_that_is_not_in_memory_and_was_never_sent_is_given_up(desk: Desk) -> None:
    left_while_calling(desk)
    desk.restart()
    desk.turn(NOW + 1, event("left", NOW + 1))
    assert desk.steps() == [(0, 1, SKIPPED, 0, "exit:1 before it was sent")]
    assert desk.query("SELECT target FROM calls") == [("/bye",)]


def test_a_call_on_the_way_out_that_begins_with_the_leaving_is_made(desk: Desk) -> None:
    desk.publish(pause(), entry=AGAIN, exit=LEFT, on_exit=[BYE])
    desk.turn(NOW, event("come"))
    ledger = desk.turn(NOW + 1, event("come", NOW + 1))
    assert [one.call.target for one in ledger.calls] == ["/bye"]
    assert desk.outcomes() == ["restarted", None]
    ledger = desk.turn(NOW + 2, event("left", NOW + 2))
    assert [one.call.target for one in ledger.calls] == ["/bye"]


# --- several things in one turn -------------------------------------------------------------


def test_who_is_restarted_in_the_turn_of_his_entry_sends_nothing_twice(desk: Desk) -> None:
    desk.publish(call(path="/{{ inputs.n }}"), entry={**AGAIN, "inputs": {"n": "number"}})
    ledger = desk.turn(NOW, event("come", n=1), event("come", n=2))
    assert [one.call.target for one in ledger.calls] == ["/2"]
    assert desk.outcomes() == ["restarted", None]
    assert desk.query("SELECT target FROM calls") == [("/2",)]


def test_the_event_that_ends_one_passage_begins_the_next(desk: Desk) -> None:
    entry = {"triggers": [{"event": "bought"}], "reentry": "after_exit"}
    desk.publish(pause(), entry=entry, goals=[WON])
    desk.turn(NOW, event("bought"), event("bought"))
    assert desk.outcomes() == ["goal:won", None]
    desk.turn(NOW + SECOND, event("bought", NOW + SECOND))
    assert desk.outcomes() == ["goal:won", "goal:won", None]


def test_what_one_of_two_due_passages_sets_the_other_sees_in_the_same_turn(desk: Desk) -> None:
    keyed = {**COME, "inputs": {"n": "number"}, "key": "inputs.n"}
    sets = {"id": "mark", "type": "set", "when": "inputs.n == 1", "values": {"user.done": True}}
    desk.publish(pause(), sets, pause("more"), entry=keyed, exit=[{"when": "user.done"}])
    desk.turn(NOW, event("come", n=2), event("come", n=1))
    desk.turn(NOW + DAY)
    assert desk.outcomes() == ["exit:1", "exit:1"]
    assert [row[:3] for row in desk.steps()] == [
        (0, 1, SKIPPED),  # of n == 2, by the exit rule, and not by its own time
        (0, 1, SUCCEEDED),
        (1, 1, SUCCEEDED),
        (2, 1, SKIPPED),
    ]


def test_a_fact_at_the_last_moment_of_the_greatest_age_comes_before_its_end(desk: Desk) -> None:
    desk.publish(pause(span="P9D"), entry=COME, exit=LEFT, max_age="P1D")
    desk.turn(NOW, event("come"), event("come", user="u2"))
    desk.turn(NOW + DAY, event("left", NOW + DAY))
    assert desk.query("SELECT user_id, outcome FROM enrollments ORDER BY 1") == [
        ("u1", "exit:1"),
        ("u2", "expired"),
    ]


def test_a_late_fact_counts_for_who_left_long_ago_whatever_came_before_it(desk: Desk) -> None:
    desk.publish(put(), entry=COME, goals=[{**WON, "within": "PT1H"}])
    desk.turn(NOW, event("come"))
    late = NOW + 10 * SECOND
    desk.turn(NOW + DAY, event("bought", NOW + DAY), event("bought", late))
    assert counted(desk, store.GOAL) == [("won", 1)]
    assert desk.query(
        'SELECT data LIKE \'%"g":{"0":\' || ' + str(late) + " || '}%' FROM enrollments"
    )


# --- users of a run -------------------------------------------------------------------------


def test_what_an_arrivals_row_changes_is_no_fact_of_the_passage_it_begins(desk: Desk) -> None:
    keyed = {"inputs": {"n": "number"}, "key": "inputs.n"}
    gold = [{"name": "won", "when": "user.tier == 'gold'"}]
    version = desk.publish(pause(), entry=keyed, goals=gold)
    for number, tier in ((1, "base"), (2, "gold")):
        desk.open_run(version, number)
        row = UserRow(2, "u1", None, {"tier": tier}, {"n": number})
        desk.turn(NOW + number, rows=(row,), run=(number, version))
    assert desk.outcomes() == ["goal:won", None]


def test_what_an_arrivals_row_changes_comes_behind_what_he_did_in_the_same_turn(desk: Desk) -> None:
    version = desk.publish(pause())
    desk.publish(pause(), name="v", entry={"triggers": [{"audience": "user.n > 1"}]})
    desk.turn(NOW, change(n=1))
    desk.open_run(version)
    row = UserRow(2, "u1", None, {"n": 2}, {})
    desk.turn(NOW + 1, event("login"), rows=(row,), run=(1, version))
    assert desk.query("SELECT seq, name FROM facts ORDER BY seq") == [
        (NOW, ""),
        (NOW + 1, "login"),
        (NOW + 2, ""),
    ]
    assert desk.outcomes() == [None, None]


def test_who_is_restarted_by_an_arrival_goes_on_behind_all_that_he_did(desk: Desk) -> None:
    tells = {"id": "tell", "type": "emit", "event": "ping"}
    version = desk.publish(tells, pause(), entry=AGAIN)
    desk.turn(NOW, event("come"), event("a"), event("b"))
    desk.restart()
    desk.open_run(version)
    desk.turn(NOW + 2, rows=(UserRow(2, "u1", None, {}, {}),), run=(1, version))
    told = [name for (name,) in desk.query("SELECT name FROM facts ORDER BY seq")]
    assert told == ["come", "ping", "a", "b", "ping"]


def test_an_arrival_that_was_moved_before_its_first_step_takes_it_once(desk: Desk) -> None:
    keyed = {"inputs": {"n": "number"}, "key": "inputs.n"}
    tells = {"id": "tell", "type": "emit", "event": "ping", "when": "inputs.n == 1"}
    hears = {"id": "hear", "type": "wait_for", "any": [{"event": "ping"}], "within": "P9D"}
    rests = pause("rest")
    rests["when"] = "inputs.n == 1"
    version = desk.publish(rests, tells, call(), hears, entry=keyed)
    for number, at in ((1, NOW), (2, NOW + DAY)):
        desk.open_run(version, number)
        row = UserRow(2, "u1", None, {}, {"n": number})
        ledger = desk.turn(at, rows=(row,), run=(number, version))
    assert len(ledger.calls) == 2
    assert desk.query("SELECT count(*) FROM calls") == [(2,)]


# --- once, and who hears --------------------------------------------------------------------


def test_a_message_is_heard_once_within_a_set_and_over_processes(desk: Desk) -> None:
    desk.publish(pause(), entry={**COME, "reentry": "restart"})
    twice = event("come", message="m")
    desk.turn(NOW, twice, twice)
    desk.restart()
    desk.turn(NOW + 1, twice, event("come", user="u2", message="m"))
    assert desk.query("SELECT user_id FROM enrollments ORDER BY 1") == [("u1",), ("u2",)]
    assert desk.query("SELECT user_id, message_id FROM facts ORDER BY 1") == [
        ("u1", "m"),
        ("u2", "m"),
    ]


def test_a_change_is_made_once_also_if_it_changed_nothing_at_first(desk: Desk) -> None:
    first, second = change(tier="gold", message="a"), change(tier="gold", message="b")
    third = change(tier="base", message="c")
    desk.turn(NOW, first, second, third)
    desk.restart()
    ledger = desk.turn(NOW + 1, first, second, third)
    assert not ledger.changes.facts
    assert desk.query("SELECT attributes FROM users") == [('{"tier":"base"}',)]
    assert desk.query("SELECT message_id, data FROM facts ORDER BY seq") == [
        ("a", '{"tier":[null,"gold"]}'),
        ("b", "{}"),
        ("c", '{"tier":["gold","base"]}'),
    ]


def test_facts_of_users_whom_nobody_knows_make_them_known_and_move_nobody(desk: Desk) -> None:
    desk.publish(pause(), entry=COME, exit=LEFT)
    desk.turn(NOW, event("left", user="new"), change(user="newer", timezone="Asia/Tokyo", n=1))
    assert desk.query("SELECT id, timezone, attributes FROM users ORDER BY 1") == [
        ("new", None, "{}"),
        ("newer", "Asia/Tokyo", '{"n":1}'),
    ]
    assert desk.query("SELECT user_id, kind, name FROM facts ORDER BY 1") == [
        ("new", 0, "left"),
        ("newer", 1, ""),
    ]
    assert desk.outcomes() == []


def test_goals_count_for_those_held_out(desk: Desk) -> None:
    desk.publish(pause(), entry={**COME, "holdout": 100}, goals=[WON])
    desk.turn(NOW, event("come"), event("bought", NOW))
    desk.restart()
    desk.turn(NOW + DAY, event("bought", NOW + DAY))
    assert desk.outcomes() == ["held_out"]
    assert counted(desk, store.GOAL_HELD_OUT) == [("won", 1)]
    assert counted(desk, store.GOAL) == []


def test_everybody_hears_what_his_own_version_listens_to(desk: Desk) -> None:
    desk.publish(pause(), entry={**COME, "reentry": "after_exit"}, exit=LEFT)
    desk.turn(NOW, event("come"))
    desk.publish(put(), pause(), entry={**COME, "reentry": "after_exit"}, exit=[{"event": "gone"}])
    desk.restart()
    desk.turn(NOW + 1, event("come", NOW + 1, user="u2"), event("gone", NOW + 1))
    everybody = ("u1", "u2")
    assert desk.outcomes() == [None, None]
    desk.turn(NOW + 2, *(event("left", NOW + 2, user=user) for user in everybody))
    assert desk.query("SELECT user_id, outcome FROM enrollments ORDER BY 1") == [
        ("u1", "exit:1"),
        ("u2", None),
    ]
    desk.turn(NOW + 3, *(event("gone", NOW + 3, user=user) for user in everybody))
    assert desk.query("SELECT outcome FROM enrollments WHERE user_id = 'u2'") == [("exit:1",)]


def test_why_a_fact_let_nobody_in_is_recorded_with_its_place_and_the_trigger(desk: Desk) -> None:
    by_total = [{"event": "paid"}, {"event": "come", "where": "event.total > 50"}]
    desk.publish(pause(), entry={"triggers": by_total})
    desk.turn(NOW, event("come", total=9), event("come", total=51), event("paid", NOW))
    assert desk.query("SELECT seq, trigger, reason FROM refusals ORDER BY seq") == [
        (NOW, 1, "where_false"),
        (NOW + 2, 0, "live"),
    ]
    assert desk.query("SELECT seq, name FROM facts ORDER BY seq") == [
        (NOW, "come"),
        (NOW + 1, "come"),
        (NOW + 2, "paid"),
    ]


# --- writes that fail, processes that end ---------------------------------------------------


def test_a_turn_that_was_not_written_is_written_as_it_was_decided(desk: Desk) -> None:
    desk.publish(put(n="{{ event_count('come') }}"), pause(), entry=COME)
    ledger = desk.turn(NOW, event("come"), writes=False)
    assert desk.query("SELECT * FROM facts") == desk.query("SELECT * FROM enrollments") == []
    desk.write(ledger)
    assert desk.query('SELECT data LIKE \'%"v":{"n":1}%\' FROM enrollments') == [(1,)]
    assert desk.query("SELECT count(*) FROM facts") == [(1,)]


def test_what_was_in_the_inbox_is_gone_with_the_turn_that_heard_it(desk: Desk) -> None:
    desk.publish(pause(), entry=AGAIN)
    twice = event("come", message="m")
    desk.tell(twice, twice, change(n=1), event("come", user="u2"))
    desk.turn(NOW, inbox=True, writes=False)  # and here the process is killed
    assert desk.query("SELECT count(*) FROM inbox") == [(4,)]
    desk.restart()
    desk.turn(NOW + 1, inbox=True)
    assert desk.query("SELECT count(*) FROM inbox") == [(0,)]
    assert desk.query("SELECT user_id, kind FROM facts ORDER BY 1, 2") == [
        ("u1", 0),
        ("u1", 1),
        ("u2", 0),
    ]
    desk.restart()
    assert not desk.turn(NOW + 2, inbox=True).changes.facts
    assert desk.outcomes() == [None, None]
