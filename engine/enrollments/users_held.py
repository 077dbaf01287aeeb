"""One object per user in memory, however many of his passages are."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from engine.core.interpreter.state import User


class UsersHeld:
    """Users that some passage in memory refers to. This process is their only writer as long as it
    owns their bucket, so what is held is newer than, or the same as, what is stored.
    """

    __slots__ = ("_users",)

    def __init__(self) -> None:
        self._users: WeakValueDictionary[str, User] = WeakValueDictionary()

    def forget(self, user_id: str) -> None:
        """Whoever this was, he is somebody new from now on."""
        self._users.pop(user_id, None)

    def read_past_anew(self, user_id: str) -> None:
        """What is stored of a user's past isn't what it was when it was read."""
        user = self._users.get(user_id)
        if user is not None:
            user.past = user.seq = None

    def forget_those_in(self, buckets: Container[int]) -> None:
        """Forget the users of buckets that come to this process: others wrote them meanwhile."""
        for user_id, user in list(self._users.items()):
            if user.bucket in buckets:
                self.forget(user_id)

    def keep(self, user_id: str, read: Callable[[], User]) -> User:
        """The user held, else the one that ``read`` gives, from now on held."""
        user = self._users.get(user_id)
        if user is None:
            user = self._users[user_id] = read()
        return user
