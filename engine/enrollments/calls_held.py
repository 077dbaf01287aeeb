"""Which calls are in memory, and who has them: whoever decides, or whoever sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Container, Iterable

    from engine.enrollments.pending import Held, Lane

_T = TypeVar("_T")


class CallsHeld:
    """Calls that aren't answered.

    A call belongs to the deciding thread until the one that sends has taken it. Calls that are sent
    again are kept apart: they aren't what their passages are in.
    """

    def __init__(self) -> None:
        self._of_passages: dict[int, Held] = {}
        self._redriven: dict[int, Held] = {}
        self._unsent: set[Held] = set()

    def hold(self, held: Held) -> None:
        """A call is in memory."""
        self._unsent.add(held)
        if held.call.redrive:
            self._redriven[id(held)] = held
        else:
            self._of_passages[held.passage.id] = held

    def held_call(self, passage: int) -> Held | None:
        """The call that a passage is in, if it is in memory and not answered."""
        return self._of_passages.get(passage)

    def every_call(self) -> list[Held]:
        """The calls in memory that aren't answered, those sent again among them."""
        return [*self._of_passages.values(), *self._redriven.values()]

    def places(self, lanes: Iterable[Lane]) -> dict[Lane, set[tuple[object, ...]]]:
        """The keys of the rows of those that go to these endpoints for these journeys."""
        places: dict[Lane, set[tuple[object, ...]]] = {lane: set() for lane in lanes}
        for held in self.every_call():
            if held.lane in places:
                places[held.lane].add(held.place)
        return places

    def calls_in(self, buckets: Container[int]) -> list[Held]:
        """Every call of the users of these buckets that is in memory and not answered."""
        return [held for held in self.every_call() if held.passage.user.bucket in buckets]

    def calls_of(self, users: Container[str]) -> list[Held]:
        """The calls of these users that are in memory."""
        return [held for held in self.every_call() if held.passage.user.id in users]

    def withdraw(self, held: Held) -> bool:
        """Make sure that a call isn't sent; False if it is on the wire already. Whoever takes it
        out of those unsent has it: this thread, or the one that sends.
        """
        if not self.take(held):
            return False
        self.forget(held)
        return True

    def is_unsent(self, held: Held) -> bool:
        """Whether nobody has taken a call yet."""
        return held in self._unsent

    def take(self, held: Held) -> bool:
        """Have a call, to send it or not; False if the other thread has it."""
        try:
            self._unsent.remove(held)
        except KeyError:
            return False
        return True

    def forget(self, held: Held) -> None:
        """A call is no longer in memory."""
        passage = held.passage.id
        if self._of_passages.get(passage) is held:
            del self._of_passages[passage]
        else:
            self._redriven.pop(id(held), None)


def taken(queue: deque[_T], most: int) -> list[_T]:
    """Up to ``most`` from the front of a queue that another thread adds to."""
    return [queue.popleft() for _ in range(min(most, len(queue)))]
