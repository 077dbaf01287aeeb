"""One object per user in memory, however many of his passages are."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from engine.core.interpreter.state import User

_FEWEST = 1024


class UsersHeld:
    """Users that some passage in memory refers to. This process is their only writer as long as it
    owns their bucket, so what is held is newer than, or the same as, what is stored.
    """

    __slots__ = ("_most", "_users")

    def __init__(self) -> None:
        # References to those who are gone are swept together: to be told of each costs more.
        self._users: dict[str, ref[User]] = {}
        self._most = _FEWEST

    def get(self, user_id: str) -> User | None:
        """The user held; None if nobody refers to him."""
        held = self._users.get(user_id)
        return None if held is None else held()

    def forget(self, user_id: str) -> None:
        """Whoever this was, he is somebody new from now on."""
        self._users.pop(user_id, None)

    def read_past_anew(self, user_id: str) -> None:
        """What is stored of a user's past isn't what it was when it was read."""
        user = self.get(user_id)
        if user is not None:
            user.past = user.seq = None

    def forget_those_in(self, buckets: Container[int]) -> None:
        """Forget the users of buckets that come to this process: others wrote them meanwhile."""
        for user_id, held in list(self._users.items()):
            user = held()
            if user is not None and user.bucket in buckets:
                self.forget(user_id)

    def those_of(self, user_ids: Iterable[str]) -> dict[str, User]:
        """Who of them is held, by id."""
        met = [(user_id, self.get(user_id)) for user_id in self._users.keys() & user_ids]
        return {user_id: user for user_id, user in met if user is not None}

    def keep(self, user_id: str, read: Callable[[], User]) -> User:
        """The user held, else the one that ``read`` gives, from now on held."""
        user = self.get(user_id)
        if user is None:
            user = read()
            self.hold([user])
        return user

    def hold(self, users: Sequence[User]) -> None:
        """Hold users of whom none was held."""
        self._users.update(zip([user.id for user in users], map(ref, users), strict=True))
        if len(self._users) > self._most:
            self._users = {id_: held for id_, held in self._users.items() if held() is not None}
            self._most = 2 * len(self._users) + _FEWEST
