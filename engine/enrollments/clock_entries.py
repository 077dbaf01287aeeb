"""Who enters by the clock, live: a schedule's audience in pages, and dates at their moment.

What decides is the core, as in a simulation. Here it is kept up over millions of users, restarts
and downtime: which users were read for which fire, and whose dates are near.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.dsl.load import load
from engine.core.expressions.assignment import BUCKETS
from engine.core.interpreter.clock_triggers import LATEST, dates_of, schedules_of
from engine.enrollments.clock_tasks import Agenda, DueDates, Pages
from engine.enrollments.clocks import Candidate, DateClock, ScheduleClock, Turn, group_of
from engine.enrollments.store import clocks as store
from engine.enrollments.store.clocks import ClockRows
from engine.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.interpreter.state import User
    from engine.db.connect import Connection
    from engine.enrollments.clocks import Clock, Recall
    from engine.enrollments.users_held import UsersHeld
    from engine.versions.store import Published

__all__ = ["Candidate", "ClockEntries", "ClockRows", "Entering"]

ENTERING_PER_TURN = 256
"""So many users are let in by clocks in one turn, at most."""
_OPENED_AT_ONCE = 4


def _nothing_is_counted(_asked: Iterable[tuple[User, frozenset[str]]]) -> None:
    pass


@dataclass(slots=True, frozen=True)
class Entering:
    """Who is let in now; ``rows`` are to be written with what becomes of them, in one transaction:
    then a crash neither loses nor doubles anybody.
    """

    candidates: list[Candidate]
    rows: ClockRows


def _schedules_in(source: str, zone: str) -> set[tuple[int, str]]:
    """What the schedules of a version's text say of time."""
    try:
        journey = load(source.encode(), "a version").journey
    except DefinitionError:  # of a language that isn't read any more
        return set()
    return {each.says(journey, zone) for each in schedules_of(journey)}


class ClockEntries:
    """The schedules and dates of the versions that users enter, for the users of some buckets.

    ``zone`` is the installation's. A worker asks :attr:`next_at`, and then takes; it tells of
    users whose attributes change, and of new ones. In one thread.
    """

    def __init__(
        self, users: UsersHeld, zone: str, buckets: Iterable[int] = range(BUCKETS)
    ) -> None:
        self._users = users
        self._zone = zone
        self._owned = frozenset(buckets)
        self._versions: tuple[Published, ...] = ()
        self._clocks: list[Clock] = []
        self._since: dict[int, int] = {}
        self._unopened: list[int] = []
        self._zones: dict[int, set[str]] = {}
        self._agenda = Agenda()
        self._taken = False

    def follow(self, connection: Connection, versions: Iterable[Published], now: int) -> None:
        """Work for the triggers of these versions from now on. Costs nothing if they are the same
        ones as before.

        A schedule fires from when its version was published, or on a virtual clock from when it was
        first followed. What it says of time ties it to the same one of an earlier version: that
        one's fires aren't repeated, and a fire that is half read is read to its end. On the clock
        of another zone it begins anew.
        """
        if versions is self._versions:
            return
        wanted = tuple(versions)
        same = [one.id for one in wanted] == [one.id for one in self._versions]
        self._versions = wanted
        if same:
            return
        self._clocks = []
        for one in wanted:
            journey = one.program.journey
            since = self._since_of(connection, one, now)
            schedules = schedules_of(journey)
            unchanged = self._unchanged(connection, one, since, now) if schedules else {}
            self._clocks += [
                ScheduleClock(one, scheduled, self._zone, since, unchanged.get(scheduled.key, 0))
                for scheduled in schedules
            ]
            self._clocks += [DateClock(one, dated, self._zone) for dated in dates_of(journey)]
        self._reopen()

    def hold(self, buckets: Iterable[int]) -> None:
        """Work for the users of these buckets, and no others, from now on."""
        owned = frozenset(buckets)
        if owned != self._owned:
            for bucket in owned - self._owned:  # others may have met new zones meanwhile
                self._zones.pop(bucket, None)
            self._owned = owned
            self._reopen()

    @property
    def next_at(self) -> int | None:
        """The next instant at which there is something to do, in microseconds UTC; None: there is
        none, unless users change.
        """
        return 0 if self._unopened else self._agenda.next_at

    def take(
        self,
        connection: Connection,
        now: int,
        most: int,
        rows: ClockRows | None = None,
        recall: Recall = _nothing_is_counted,
    ) -> Entering:
        """Up to ``most`` users whom clocks let in at ``now``, and what to write with them, added to
        the ``rows`` of the same turn. ``recall`` makes known what triggers count.

        Asked again before :meth:`committed`, it begins anew from what is stored.
        """
        if self._taken:
            self._zones.clear()
            self._reopen()
        self._taken = True
        rows = ClockRows() if rows is None else rows
        turn = Turn(connection, now, most, rows, self._users, recall)
        for bucket in self._unopened[-_OPENED_AT_ONCE:]:
            self._open(connection, bucket, now)
        for task in self._agenda.take(now):
            task.run(turn)
            self._agenda.add(task)
            if turn.over:
                break
        return Entering(turn.entering, turn.rows)

    @property
    def anything(self) -> bool:
        """Whether there are clocks that let users in."""
        return bool(self._clocks)

    def changed(
        self,
        connection: Connection,
        user: User,
        now: int,
        rows: ClockRows,
        recall: Recall = _nothing_is_counted,
    ) -> None:
        """A user is new, or attributes of his may be others now: look at his dates again. ``rows``
        are what his change is written with; ``recall`` as above.
        """
        if not self._clocks or user.bucket not in self._owned:
            return
        if user.bucket in self._unopened:
            self._open(connection, user.bucket, now)
        self._meet_zone(user, now, rows)
        for clock in self._clocks:
            if isinstance(clock, DateClock):
                recall([(user, clock.recalls)])
                clock.look(user, now, rows)

    def committed(self) -> None:
        """What was taken, and what follows from changes, is written."""
        self._taken = False

    def _since_of(self, connection: Connection, one: Published, now: int) -> int:
        known = self._since.get(one.id)
        if known is None:
            published = store.published_at(connection, one.id)
            known = self._since[one.id] = now if published is None else min(published, now)
        return known

    def _unchanged(
        self, connection: Connection, one: Published, since: int, now: int
    ) -> dict[int, int]:
        """Since when, by their keys, the schedules of a version are what they are, on the clock
        that they go by. Without those that are for longer than fires are made up for, and on a
        virtual clock, which tells of no publication.
        """
        if since <= now - LATEST or store.published_at(connection, one.id) is None:
            return {}
        journey = one.program.journey
        says = {each.says(journey, self._zone) for each in schedules_of(journey)}
        unchanged = dict.fromkeys(says, since)
        for at, source in store.versions_before(connection, one.id, now - LATEST):
            says &= _schedules_in(source, self._zone)
            unchanged |= dict.fromkeys(says, at)
        return {key: at for (key, _), at in unchanged.items()}

    def _reopen(self) -> None:
        """Begin anew from what is stored, a few buckets in each turn."""
        self._agenda = Agenda()
        self._unopened = sorted(self._owned, reverse=True) if self._clocks else []

    def _open(self, connection: Connection, bucket: int, now: int) -> None:
        """Plan what there is to do in a bucket."""
        self._unopened.remove(bucket)
        zones = self._zones_of(connection, bucket)
        known = store.clocks_of(connection, bucket)
        for clock in self._clocks:
            journey = clock.published.journey
            for zone in zones if clock.by_zone else (None,):
                far = known.get((journey, clock.key, zone or ""))
                self._agenda.add(Pages.open(clock, bucket, zone, far, now))
            if isinstance(clock, DateClock):
                at = store.next_date(connection, (bucket, journey, clock.key))
                due = clock.due[bucket] = DueDates(clock, bucket, at, self._agenda)
                self._agenda.add(due)

    def _zones_of(self, connection: Connection, bucket: int) -> set[str]:
        """The zones that a bucket's users are read in, where that matters."""
        known = self._zones.get(bucket)
        if known is None and any(clock.by_zone for clock in self._clocks):
            written = store.zones_of(connection, bucket)
            known = self._zones[bucket] = {group_of(zone) for zone in written}
        return known or set()

    def _meet_zone(self, user: User, now: int, rows: ClockRows) -> None:
        """Read users of a new zone from now on: what was before happened to nobody there."""
        known, zone = self._zones.get(user.bucket), group_of(user.timezone)
        if known is None or zone in known:
            return
        known.add(zone)
        for clock in self._clocks:
            if clock.by_zone:
                fire_at = now - 1 if isinstance(clock, ScheduleClock) else now
                at = clock.after(fire_at, zone)
                pages = Pages(clock, user.bucket, zone, fire_at, at)
                pages.note(rows)
                self._agenda.add(pages)
