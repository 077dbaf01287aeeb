from __future__ import annotations

import pytest

from engine.core.interpreter.state import User
from engine.enrollments import users_held
from engine.enrollments.users_held import UsersHeld


def named(name: str) -> User:
    return User(name, 1, None, {})


def test_a_user_is_one_object_as_long_as_somebody_refers_to_him() -> None:
    held, ada = UsersHeld(), named("ada")
    held.hold([ada])
    assert held.keep("ada", lambda: named("ada")) is ada
    assert held.those_of(["ada", "bob"]) == {"ada": ada}
    del ada
    assert held.get("ada") is None
    assert held.those_of(["ada"]) == {}


def test_those_whom_nobody_refers_to_are_let_go_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(users_held, "_FEWEST", 10)
    held = UsersHeld()
    stay = [named(f"stays{n}") for n in range(7)]
    held.hold(stay)
    for n in range(1000):
        held.hold([named(f"goes{n}")])
    assert len(held._users) <= 2 * len(stay) + 11
    assert held.those_of([user.id for user in stay]) == {user.id: user for user in stay}
