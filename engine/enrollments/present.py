"""Who is in memory in one turn: every passage as one object, wherever it was met first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from engine.enrollments import store
from engine.enrollments.listening import Entrances
from engine.enrollments.remembering import remember
from engine.enrollments.store.facts import last_seqs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable

    from engine.core.interpreter.state import Passage, User
    from engine.core.steps.facts import Event
    from engine.db.connect import Connection
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.listening import Listening
    from engine.enrollments.pending import Held, PendingCall
    from engine.enrollments.users_held import UsersHeld
    from engine.versions.store import Versions


class Calls(Protocol):
    """The calls in memory."""

    def held_call(self, passage: int) -> Held | None:
        """The call of a passage, if it is in memory."""
        ...

    def withdraw(self, held: Held) -> bool:
        """Make sure that a call isn't sent; False if it is on the wire already."""
        ...

    def is_unsent(self, held: Held) -> bool:
        """Whether a call is in memory and nobody has begun to send it."""
        ...

    def every_call(self) -> list[Held]:
        """All of them."""
        ...

    def calls_of(self, users: Container[str]) -> list[Held]:
        """The calls of these users that are in memory."""
        ...


@dataclass(slots=True)
class Surroundings:
    """What outlives a turn: users, versions and calls in memory, who listens, and what lets users
    in. ``erase`` deletes a user's rows, given his id and what the wish says; ``gone`` are passages
    of users who were erased. ``lingering`` are anonymous users who are to be linked once their
    calls on the wire are answered.
    """

    versions: Versions
    users: UsersHeld
    calls: Calls
    listening: Listening
    entrances: Entrances = field(default_factory=Entrances)
    erase: Callable[[str, str, Connection], object] | None = None
    gone: set[int] = field(default_factory=set)
    lingering: set[str] = field(default_factory=set)


class Present:
    """The passages of a turn, by user, and the calls they are in. ``received`` are the events of
    this turn, by user. ``dropped`` are passages whose stored call will not be made.
    """

    def __init__(self, connection: Connection, around: Surroundings, now: int) -> None:
        self._connection = connection
        self._around = around
        self._now = now
        self._passages: dict[str, dict[int, Passage]] = {}
        self._loaded: dict[str, int] = {}
        self._stored_calls: dict[int, PendingCall] = {}
        self._answered: set[int] = set()
        self.received: dict[str, list[Event]] = {}
        self.dropped: set[int] = set()

    def know(self, passage: Passage, call: PendingCall | None = None) -> None:
        """A passage is in memory; ``call`` is its call, stored and not sent."""
        self._passages.setdefault(passage.user.id, {})[passage.id] = passage
        if call is not None:
            self._stored_calls[passage.id] = call

    def know_all(self, passages: Iterable[Passage]) -> None:
        """Passages are in memory, in no call that is stored."""
        every = self._passages
        for passage in passages:
            every.setdefault(passage.user.id, {})[passage.id] = passage

    def know_answered(self, passage: Passage) -> None:
        """A passage whose call is answered in this turn."""
        self.know(passage)
        self._answered.add(passage.id)

    @property
    def users(self) -> Collection[str]:
        """The users of whom passages are in memory."""
        return self._passages.keys()

    def known(self, user: User) -> Iterable[Passage]:
        """The passages of a user that are in memory."""
        return self._passages.get(user.id, {}).values()

    def find(self, user: User, passage_id: int) -> Passage | None:
        """A passage of a user, if it is still live."""
        if passage_id not in self._passages.get(user.id, {}):
            self._loaded.pop(user.id, None)
            self.load([user], self._now)
        return self._passages.get(user.id, {}).get(passage_id)

    def load(self, users: Iterable[User], at: int) -> None:
        """Bring in the passages of users that something may still move, or whose goals may count
        ``at`` an instant. A user's ``seq`` is beyond all that they have seen.
        """
        around = self._around
        loaded = self._loaded  # a late fact may count for more than those before it
        wanted = {user.id: user for user in users if at < loaded.get(user.id, at + 1)}
        if not wanted:
            return
        places = [(user.bucket, user.id) for user in wanted.values()]
        loaded.update(dict.fromkeys(wanted, at))
        for passage, call in store.passages_of_users(
            self._connection, places, at, around.versions, around.users
        ):
            if passage.id not in self._passages.get(passage.user.id, {}):
                held = around.calls.held_call(passage.id)
                self.know(passage if held is None else held.passage, None if held else call)
        self.place(wanted.values())
        for user in wanted.values():
            known = self.known(user)
            user.seq = max(user.seq or 0, *(p.seen_seq for p in known), 0)
            self.remember(known)

    def place(self, users: Iterable[User]) -> None:
        """Read the last place among a user's facts where it isn't known."""
        if new := [user for user in users if user.seq is None]:
            found = last_seqs(self._connection, [(user.bucket, user.id) for user in new])
            for user in new:
                user.seq = found.get(user.id, 0)

    def remember(self, passages: Iterable[Passage]) -> None:
        """Read of the users' pasts what these passages will ask for."""
        self.remember_of([(p.user, p.program.recalls) for p in passages if p.program.recalls])

    def remember_of(self, asked: Iterable[tuple[User, frozenset[str]]]) -> None:
        """Read of users' pasts the events of these names."""
        if wanted := [(user, names) for user, names in asked if names]:
            remember(self._connection, wanted, self.received)

    def unsent_call(self, ledger: Ledger, passage: Passage) -> tuple[bool, PendingCall | None]:
        """Keep the call of a passage from being sent: whether it can be kept, and the call as it is
        stored (None: it wasn't yet). One on the wire, or answered in this turn, can't.
        """
        if ledger.withdraw(passage):
            return True, None
        if passage.id in self._answered:
            return False, None
        held = self._around.calls.held_call(passage.id)
        if held is None:
            return True, self._stored_calls.get(passage.id)
        return self._around.calls.withdraw(held), held.call
