"""What lies in the database and not in memory: when to look, and what to take."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from engine.enrollments import redrive, store
from engine.enrollments.store import facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from engine.core.interpreter.state import Passage
    from engine.db.connect import Connection
    from engine.enrollments.pending import Held, Lane
    from engine.enrollments.store.facts import Told
    from engine.enrollments.users_held import UsersHeld
    from engine.versions.store import Versions

BUCKETS = tuple(range(256))


class _Ring:
    """Buckets in turn: what didn't fit into one load comes first in the next, so that nobody is
    passed over twice.
    """

    __slots__ = ("_first",)

    def __init__(self) -> None:
        self._first = 0

    def of(self, buckets: tuple[int, ...]) -> str:
        """A JSON array of ``buckets`` (which rise), as they come now."""
        at = bisect_left(buckets, self._first)
        return json.dumps([*buckets[at:], *buckets[:at]])

    def stopped_at(self, bucket: int) -> None:
        """There was no room beyond it; it may have more, and waits for the others."""
        self._first = bucket + 1


class Backlog:
    """Sleepers and unsent calls, of one run or (``run_id`` None) of all. This process is the only
    one that moves them, so it knows when the next is due and looks only then: nothing due costs
    nothing. ``owned`` are its buckets, ``buckets`` those of them that it loads from.
    """

    def __init__(self, run_id: int | None, versions: Versions, users: UsersHeld) -> None:
        self._run_id = run_id
        self._versions = versions
        self._users = users
        self._calls: dict[Lane, int] = {}
        self._stored: defaultdict[Lane, set[int]] = defaultdict(set)
        self._wake_at: int | None = None
        self._sleepers, self._inbox = _Ring(), _Ring()
        self._until: int | None = None
        self._lanes: defaultdict[Lane, _Ring] = defaultdict(_Ring)
        self.owned: tuple[int, ...] = BUCKETS
        self.buckets: tuple[int, ...] = BUCKETS

    def open(self, connection: Connection) -> None:
        """Read when what is there is due."""
        self._calls = store.waiting_calls(connection, self._run_id)
        buckets = self._sleepers.of(self.buckets)
        self._wake_at = store.next_wake(connection, buckets, -1, self._run_id)

    def own(self, owned: tuple[int, ...], loading: tuple[int, ...]) -> bool:
        """These buckets are ours from now on, and those of them are to be loaded from; whether any
        came to the latter, so that it has to be opened again.
        """
        came = frozenset(owned).difference(self.owned)
        if came:
            self._users.forget_those_in(came)
        more = not frozenset(loading) <= frozenset(self.buckets)
        self.owned, self.buckets = owned, loading
        return more

    def add_call(self, lane: Lane, at: int) -> None:
        """A call was committed that is not in memory and may be tried ``at``."""
        self._calls[lane] = min(at, self._calls.get(lane, at))

    def put_off(self, held: Held, at: int) -> None:
        """A call was committed that finds no room in memory."""
        self._stored[held.lane].add(held.passage.user.bucket)
        self.add_call(held.lane, at)

    def in_line(self, loaded: Iterable[Held], fresh: Iterable[Held]) -> Iterator[tuple[Held, bool]]:
        """Calls that were loaded, then those made just now; and whether earlier ones of the same
        bucket may have found no room: then it has none either, so that nobody is overtaken.
        """
        yield from ((held, False) for held in loaded)
        for held in fresh:
            yield held, held.passage.user.bucket in self._stored.get(held.lane, ())

    def look(self, connection: Connection) -> bool:
        """See what another process may have written: whether anything was told, and which failed
        calls are to be sent again.
        """
        for lane, at in redrive.waiting(connection).items():
            self.add_call(lane, at)
        return facts.anything_told(connection)

    def add_sleeper(self, at: int) -> None:
        """Somebody was put to sleep until ``at``."""
        self._wake_at = at if self._wake_at is None else min(at, self._wake_at)

    def due_lanes(self, now: int) -> list[Lane]:
        """Endpoints and journeys with calls that may be tried."""
        return [lane for lane, at in self._calls.items() if at <= now]

    def sleeper_due(self, now: int) -> bool:
        """Whether somebody's time has come."""
        return self._wake_at is not None and self._wake_at <= now

    def next_call(self, hungry: Callable[[Lane], bool]) -> int | None:
        """When the next call not in memory may be tried, of lanes that could take it."""
        return min((at for lane, at in self._calls.items() if hungry(lane)), default=None)

    @property
    def next_wake(self) -> int | None:
        """When the next sleeper wakes."""
        return self._wake_at

    def load_told(self, connection: Connection, most: int) -> list[Told]:
        """Up to ``most`` of what was told and not received, oldest first within a bucket."""
        found = facts.told(connection, self._inbox.of(self.buckets), most)
        if len(found) == most:
            self._inbox.stopped_at(found[-1].bucket)
        return found

    def load_due(self, connection: Connection, now: int, most: int) -> list[Passage]:
        """Up to ``most`` sleepers whose time has come, first all who were due by a
        moment, bucket by bucket, then those due since.
        """
        buckets = self._sleepers.of(self.buckets)
        until = now if self._until is None else min(now, self._until)  # clocks are put back, too
        place = (buckets, until, self._run_id, most)
        found = store.due_passages(connection, place, self._versions, self._users)
        if len(found) < most:
            self._until = None
            self._wake_at = store.next_wake(connection, buckets, until, self._run_id)
        else:
            self._until = until
            self._sleepers.stopped_at(found[-1].user.bucket)
        return found

    def load_calls(
        self,
        connection: Connection,
        now: int,
        room: Mapping[Lane, int],
        held: Mapping[Lane, set[tuple[object, ...]]],
    ) -> list[Held]:
        """Calls that may be tried, for each lane as many as there is ``room`` for in memory.
        ``held`` names those in memory, by lane.
        """
        found: list[Held] = []
        for lane, most in room.items():
            ring = self._lanes[lane]
            buckets = ring.of(self.buckets)
            in_memory = held.get(lane, set())
            limit = most + len(in_memory)
            place = (buckets, *lane, now, self._run_id, limit)
            taken = store.due_calls(connection, place, in_memory, self._versions, self._users)
            if len(taken) < most:
                self._stored.pop(lane, None)
                self._note(lane, store.next_call(connection, buckets, lane, now, self._run_id))
            elif most:
                ring.stopped_at(taken[most - 1].passage.user.bucket)
            found += taken[:most]
        return found

    def _note(self, lane: Lane, at: int | None) -> None:
        if at is None:
            self._calls.pop(lane, None)
        else:
            self._calls[lane] = at
