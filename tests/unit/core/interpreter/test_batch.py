"""A set of passages: users don't touch one another, passages of one user take turns."""

from __future__ import annotations

from engine.core.interpreter.batch import advance_all
from engine.core.interpreter.state import Passage, User
from tests.unit.core.interpreter.passing import NOW, WORLD, answer, call, entered, go, journey, put

COUNTER = {"id": "s", "type": "set", "values": {"user.n": "{{ user.n | default(0) + 1 }}"}}


def _passages(user: User, *orders: tuple[int, str]) -> list[Passage]:
    program = journey(COUNTER, put(seen="{{ user.n }}"))
    return [entered(program, user=user, at=at, key=key) for at, key in orders]


def test_the_later_passage_of_a_user_sees_what_the_earlier_wrote() -> None:
    user = User("u1", 3, None, {})
    late, early = _passages(user, (NOW, ""), (NOW - 5, ""))
    done = advance_all([(late, None), (early, None)], NOW, WORLD)
    assert [passage for passage, _ in done] == [early, late]
    assert (early.vars["seen"], late.vars["seen"]) == (1, 2)
    assert user.attributes == {"n": 2}


def test_passages_that_began_together_take_turns_by_key() -> None:
    user = User("u1", 3, None, {})
    b, a = _passages(user, (NOW, "b"), (NOW, "a"))
    advance_all([(b, None), (a, None)], NOW, WORLD)
    assert (a.vars["seen"], b.vars["seen"]) == (1, 2)


def test_an_answered_and_a_due_passage_of_one_user_take_turns_too() -> None:
    user = User("u1", 3, None, {})
    ask = call(outputs={"user.n": "response.status"})
    calling = entered(journey(ask), user=user, at=NOW - 9)
    go(calling)
    due = entered(journey(put(seen="{{ user.n }}")), user=user)
    advance_all([(due, None), (calling, answer(201))], NOW, WORLD)
    assert due.vars["seen"] == 201


def test_other_users_stay_in_the_order_they_came() -> None:
    program = journey(put())
    users = [User(f"u{n}", 1, None, {}) for n in range(5)]
    passages = [entered(program, user=user, at=NOW - n) for n, user in enumerate(users)]
    done = advance_all([(passage, None) for passage in passages], NOW, WORLD)
    assert [passage for passage, _ in done] == passages


def test_nobody_is_nothing() -> None:
    assert advance_all([], NOW, WORLD) == []
