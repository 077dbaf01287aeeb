"""A set of passages: users don't touch one another, passages of one user take turns."""

from __future__ import annotations

from engine.core.interpreter.advance import advance
from engine.core.interpreter.batch import in_turn
from engine.core.interpreter.state import Passage, User
from engine.core.steps.base import Result
from tests.unit.core.interpreter.passing import NOW, WORLD, answer, call, entered, go, journey, put

COUNTER = {"id": "s", "type": "set", "values": {"user.n": "{{ user.n | default(0) + 1 }}"}}


def advance_all(due: list[tuple[Passage, Result | None]]) -> list[Passage]:
    """Advance a set in turn; who, in that order."""
    turns = in_turn(due)
    for passage, result in turns:
        advance(passage, NOW, WORLD, result)
    return [passage for passage, _ in turns]


def _passages(user: User, *orders: tuple[int, str]) -> list[Passage]:
    program = journey(COUNTER, put(seen="{{ user.n }}"))
    return [entered(program, user=user, at=at, key=key) for at, key in orders]


def test_the_later_passage_of_a_user_sees_what_the_earlier_wrote() -> None:
    user = User("u1", 3, None, {})
    late, early = _passages(user, (NOW, ""), (NOW - 5, ""))
    done = advance_all([(late, None), (early, None)])
    assert done == [early, late]
    assert (early.vars["seen"], late.vars["seen"]) == (1, 2)
    assert user.attributes == {"n": 2}


def test_passages_that_began_together_take_turns_by_key() -> None:
    user = User("u1", 3, None, {})
    b, a = _passages(user, (NOW, "b"), (NOW, "a"))
    advance_all([(b, None), (a, None)])
    assert (a.vars["seen"], b.vars["seen"]) == (1, 2)


def test_an_answered_and_a_due_passage_of_one_user_take_turns_too() -> None:
    user = User("u1", 3, None, {})
    ask = call(outputs={"user.n": "response.status"})
    calling = entered(journey(ask), user=user, at=NOW - 9)
    go(calling)
    due = entered(journey(put(seen="{{ user.n }}")), user=user)
    advance_all([(due, None), (calling, answer(201))])
    assert due.vars["seen"] == 201


def test_other_users_stay_in_the_order_they_came() -> None:
    program = journey(put())
    users = [User(f"u{n}", 1, None, {}) for n in range(5)]
    passages = [entered(program, user=user, at=NOW - n) for n, user in enumerate(users)]
    done = advance_all([(passage, None) for passage in passages])
    assert done == passages


def test_nobody_is_nothing() -> None:
    assert advance_all([]) == []
