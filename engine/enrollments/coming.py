"""What is to happen to a user in a turn: facts, entries, and passages that were waited for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.steps.facts import Change, Fact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.interpreter.state import User


@dataclass(slots=True)
class Entry:
    """A user is to enter a journey: a step started it (``depth``), a command did, or a ``run``, for
    which it is exactly the version ``version_id`` (0: the newest). ``parent`` is the passage that
    waits for its end (0: none). ``attributes`` are what a run says of him, before he enters; it is
    heard by others if he was ``known``.
    """

    journey: str
    inputs: Mapping[str, object]
    depth: int = 0
    parent: int = 0
    run_id: int = 0
    version_id: int = 0
    attributes: Mapping[str, object] | None = None
    known: bool = True


@dataclass(slots=True)
class Rejoin:
    """A passage that was waited for is over; ``text`` says how."""

    parent: int
    text: str


@dataclass(slots=True)
class Fill:
    """Attributes that count for a user where he has none: what he said before he was known. ``id``
    is its message's.
    """

    at: int
    values: Mapping[str, object]
    id: str | None = None

    def change_of(self, user: User) -> Change:
        """What it changes of the user as he is now."""
        values = {
            name: value
            for name, value in self.values.items()
            if value is not None
            and (user.timezone is None if name == "timezone" else name not in user.attributes)
        }
        return Change(0, self.at, values, {}, id=self.id)


Coming = Fact | Entry | Rejoin
"""What is to happen to a user."""


@dataclass(slots=True)
class Line:
    """A user's facts to come: those that others made first."""

    user: User
    made: deque[Coming] = field(default_factory=deque)
    told: deque[Coming | Fill] = field(default_factory=deque)

    def next(self) -> Coming:
        """The next of it."""
        if self.made:
            return self.made.popleft()
        told = self.told.popleft()
        return told.change_of(self.user) if isinstance(told, Fill) else told


class Lines:
    """The lines of all users to whom something is to happen; true as long as there is one."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def of(self, user: User) -> Line:
        """A user's line."""
        line = self._lines.get(user.id)
        if line is None:
            line = self._lines[user.id] = Line(user)
        return line

    def round(self) -> list[tuple[User, Coming]]:
        """Everybody's next."""
        batch = [(line.user, line.next()) for line in self._lines.values()]
        self._lines = {k: line for k, line in self._lines.items() if line.made or line.told}
        return batch
