"""Facts from a file, told when their time has come by the clock of a run."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import bucket_of
from engine.core.guarded_json import text_of
from engine.core.steps.facts import Event
from engine.enrollments.store.facts import CHANGE, EVENT, Told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.users.events import EventsFile


class FileFeed:
    """What a file of events says, in order of time. Each row is a message of its own, so that a run
    that goes on after a kill begins at the file's beginning and receives nothing twice.
    """

    def __init__(self, file: EventsFile) -> None:
        self._rows = self._told(file)
        self._waiting: deque[Told] = deque(islice(self._rows, 1))

    @property
    def next_at(self) -> int | None:
        """When the next is to be told; None: there is none."""
        return self._waiting[0].at if self._waiting else None

    def due(self, now: int, most: int) -> list[Told]:
        """Up to ``most`` of those whose time has come; the same again until they are taken."""
        waiting = self._waiting
        while waiting and len(waiting) < most and waiting[-1].at <= now:
            following = next(self._rows, None)
            if following is None:
                break
            waiting.append(following)
        return [row for row in islice(waiting, most) if row.at <= now]

    def take(self, count: int) -> None:
        """The first ``count`` were received."""
        for _ in range(count):
            self._waiting.popleft()
        if not self._waiting:
            self._waiting.extend(islice(self._rows, 1))

    def _told(self, file: EventsFile) -> Iterator[Told]:
        for number, (user, fact) in enumerate(file.in_time()):
            message = f"{file.digest}:{number}"
            if isinstance(fact, Event):
                kind, name, said = EVENT, fact.name, fact.properties
                message = fact.id or message
            else:
                kind, name, said = CHANGE, "", fact.values
            yield Told(bucket_of(user), 0, user, kind, name, fact.at, message, text_of(said))
