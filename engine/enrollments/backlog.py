"""What lies in the database and not in memory: when to look, and what to take."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import BUCKETS
from engine.enrollments import loaded_ahead, redrive, store
from engine.enrollments.loaded_ahead import LoadedAhead, first_of
from engine.enrollments.store import facts
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from engine.core.interpreter.state import Passage
    from engine.db.connect import Connection, Database
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.pending import Held, Lane
    from engine.enrollments.store.facts import Told
    from engine.enrollments.users_held import UsersHeld
    from engine.versions.store import Versions

EVERY_BUCKET = tuple(range(BUCKETS))


class _Ring:
    """Buckets in turn: what didn't fit into one load comes first in the next, so that nobody is
    passed over twice.
    """

    __slots__ = ("_first",)

    def __init__(self) -> None:
        self._first = 0

    def turned(self, buckets: Sequence[int]) -> list[int]:
        """``buckets`` (which rise), as they come now."""
        at = bisect_left(buckets, self._first)
        return [*buckets[at:], *buckets[:at]]

    def of(self, buckets: Sequence[int]) -> str:
        """The same as a JSON array."""
        return json.dumps(self.turned(buckets))

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
        self._ahead = LoadedAhead()
        self._covering: int | None = None
        self._calm = range(0)
        self._passed_over = False
        self._lanes: defaultdict[Lane, _Ring] = defaultdict(_Ring)
        self.owned: tuple[int, ...] = EVERY_BUCKET
        self.buckets: tuple[int, ...] = EVERY_BUCKET

    def open(self, connection: Connection) -> None:
        """Read when what is there is due; what was loaded ahead is dropped."""
        self._ahead.clear()
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
        if loading != self.buckets and (dropped := first_of(self._ahead.clear())) is not None:
            self.add_sleeper(dropped)
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

    def in_line(
        self, loaded: Iterable[Held], fresh: Iterable[Held], giving: Collection[int], at: int
    ) -> Iterator[Held]:
        """Calls that were loaded, then those made just now: those that may find room in memory.
        Others are put off: those of buckets that are being given away, and of those made just now
        where an earlier one of the same bucket was put off, so that nobody is overtaken.
        """
        for held in loaded:
            if held.passage.user.bucket in giving:
                self.put_off(held, at)
            else:
                yield held
        for held in fresh:
            bucket = held.passage.user.bucket
            if bucket in giving or bucket in self._stored.get(held.lane, ()):
                self.put_off(held, at)
            else:
                yield held

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

    def turned(self, ledger: Ledger) -> None:
        """A turn was decided: others sleep now, and who was loaded ahead may be another."""
        gone = self._ahead.turned(ledger)
        if gone:
            self._take_back(gone, ledger.now)
        if ledger.next_wake is not None:
            self.add_sleeper(ledger.next_wake)

    def due_lanes(self, now: int) -> list[Lane]:
        """Endpoints and journeys with calls that may be tried."""
        return [lane for lane, at in self._calls.items() if at <= now]

    def sleeper_due(self, now: int) -> bool:
        """Whether somebody's time has come."""
        return self._stored_due(now) or self._ahead.is_due(now)

    def is_crowd(self, now: int, some: int) -> bool:
        """Whether more than ``some`` are due who are all in memory, and nobody who isn't."""
        stored = self._passed_over or self._stored_due(now)
        return not stored and self._ahead.due(now) > some

    def _stored_due(self, now: int) -> bool:
        return self._wake_at is not None and self._wake_at <= now

    def next_call(self, hungry: Callable[[Lane], bool]) -> int | None:
        """When the next call not in memory may be tried, of lanes that could take it."""
        return min((at for lane, at in self._calls.items() if hungry(lane)), default=None)

    @property
    def next_wake(self) -> int | None:
        """When the next sleeper wakes."""
        first = self._ahead.first
        return min((at for at in (self._wake_at, first) if at is not None), default=None)

    def load_told(self, connection: Connection, most: int) -> list[Told]:
        """Up to ``most`` of what was told and not received, oldest first within a bucket."""
        found = facts.told(connection, self._inbox.of(self.buckets), most)
        if len(found) == most:
            self._inbox.stopped_at(found[-1].bucket)
        return found

    def load_due(self, connection: Connection, now: int, most: int) -> list[Passage]:
        """Up to ``most`` sleepers whose time has come: those loaded ahead, the first due first, in
        turns with the others. Of these first all who were due by a moment, bucket by bucket, then
        those due since.
        """
        if self._ahead.is_unsure:
            self._drop_ahead(now)
        buckets: Sequence[int] = self.buckets
        if self._ahead.is_due(now):
            if self._passed_over:
                buckets = [bucket for bucket in buckets if self._ahead.covered(bucket) < 0]
            if not (self._passed_over and buckets):
                self._passed_over = self._stored_due(now)
                return self._ahead.hand_out(now, most)
        self._passed_over = False
        until = now if self._until is None else min(now, self._until)  # clocks are put back, too
        place = (self._sleepers.of(buckets), -1, until, self._run_id, most)
        found = store.due_passages(connection, place, self._versions, self._users)
        if len(found) < most:
            self._until = None
            self._wake_at = self._next_stored(connection, buckets, until)
        else:
            self._until = until
            self._sleepers.stopped_at(found[-1].user.bucket)
        return found

    def load_ahead(self, database: Database, now: int) -> bool:
        """Load a portion of those who are due soon, as nobody is due ``now`` and nothing else is to
        be done; False: there was nothing to load.
        """
        soon = self._stored_due(now + loaded_ahead.SOON_US)
        if not soon or not self._ahead.has_room or now in self._calm:
            return False
        with suppress(DatabaseUnavailable), database.read() as connection:
            self._load_ahead(connection, now)
            return True
        return False  # whoever is due meets the reason, and waits

    def _load_ahead(self, connection: Connection, now: int) -> None:
        until, latest = self._covering, now + loaded_ahead.SPAN_US
        if until is None or not now + loaded_ahead.SOON_US <= until <= latest:
            until = self._covering = latest
        ahead, most = self._ahead, loaded_ahead.PORTION
        behind = [bucket for bucket in self.buckets if ahead.covered(bucket) < until]
        after = min(map(ahead.covered, behind), default=-1)
        some = self._sleepers.turned([one for one in behind if ahead.covered(one) == after])
        place = (json.dumps(some), after, until, self._run_id, most)
        found = store.due_passages(connection, place, self._versions, self._users)
        if len(found) == most:  # of the last one there may be more
            some = some[: some.index(found[-1].user.bucket)]
            found = [passage for passage in found if passage.user.bucket in some]
        if behind and not some:  # too many are due for that
            self._be_calm(now, most)
        ahead.cover(some, until, found)
        if all(ahead.covered(bucket) >= until for bucket in behind):
            self._covering = None
            self._wake_at = self._next_stored(connection, (), until)

    def _next_stored(self, connection: Connection, read: Collection[int], until: int) -> int | None:
        """When the next sleeper wakes who isn't in memory, or before; nobody in the buckets that
        were ``read`` is due by ``until``.
        """
        covered = self._ahead.covered
        plain = {bucket for bucket in read if covered(bucket) <= until}
        rest = [bucket for bucket in self.buckets if bucket not in plain]
        first: list[int | None] = []
        for buckets, after in ((sorted(plain), until), (rest, min(map(covered, rest), default=-1))):
            if buckets:
                place = (json.dumps(buckets), after, self._run_id)
                first.append(store.next_wake(connection, *place))
        return min((at for at in first if at is not None), default=None)

    def _drop_ahead(self, now: int) -> None:
        """Nobody is in memory before his time any more."""
        self._take_back(self._ahead.clear(), now)
        self._covering = None

    def _take_back(self, passages: Sequence[Passage], now: int) -> None:
        """These were loaded in vain."""
        at = first_of(passages)
        if at is not None:
            self.add_sleeper(at)
        self._be_calm(now, len(passages))

    def _be_calm(self, now: int, loaded: int) -> None:
        """Load nothing ahead for a time, as so many were loaded in vain."""
        until = now + loaded_ahead.VAIN_US + loaded * loaded_ahead.VAIN_EACH_US
        self._calm = range(now, max(until, self._calm.stop if now in self._calm else 0))

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
