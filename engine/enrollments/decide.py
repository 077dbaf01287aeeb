"""Decide: users who are told of something, new, due or answered go through the core, in sets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.interpreter.advance import World, advance
from engine.core.interpreter.batch import in_turn
from engine.core.interpreter.state import State
from engine.enrollments import redrive
from engine.enrollments.clock_entries import ENTERING_PER_TURN
from engine.enrollments.entering import Door
from engine.enrollments.erasing import set_aside
from engine.enrollments.hearing import Hearing
from engine.enrollments.holding_back import HoldingBack
from engine.enrollments.ledger import Ledger
from engine.enrollments.linking import Linking
from engine.enrollments.listening import Entrances
from engine.enrollments.present import Present
from engine.enrollments.receive import arrive, make_known, receive
from engine.enrollments.store import Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.core.interpreter.state import Passage
    from engine.core.steps.base import Result
    from engine.core.steps.call_api import Terms
    from engine.db.connect import Connection
    from engine.db.ids import IdMaker
    from engine.enrollments.clock_entries import ClockEntries
    from engine.enrollments.pausing import HeldBack, Holding
    from engine.enrollments.present import Surroundings
    from engine.enrollments.turn import Turn
    from engine.versions.live import LiveJourneys
    from engine.versions.store import Published


@dataclass(slots=True, frozen=True)
class Decider:
    """Decides, for one ``run`` (its id, and the version its users enter) or for everything (None).
    ``installation`` is the installation's key, ``zone`` its time zone, ``buckets`` says which are
    owned. If ``triggered``, the triggers of the run's version let users in, whatever those of
    journeys say, and who arrives is only made known.
    """

    run: tuple[int, Published] | None
    around: Surroundings
    journeys: LiveJourneys
    holding: Holding
    buckets: Callable[[], tuple[int, ...]]
    new_id: IdMaker
    installation: str
    zone: str
    telling: bool = False
    triggered: bool = False
    clocks: ClockEntries | None = None

    def open(self, connection: Connection) -> None:
        """Read who listens: before the first turn, and wherever others' users come to be ours."""
        self.around.listening.open(connection)

    def or_entry(self, at: int | None) -> int | None:
        """The first of ``at`` and when a clock lets somebody in next, or may do so."""
        entry = None if self.clocks is None else self.clocks.next_at
        return min((one for one in (at, entry) if one is not None), default=None)

    def committed(self) -> None:
        """What was decided is written."""
        if self.clocks is not None:
            self.clocks.committed()

    def _look_at_journeys(self, connection: Connection, now: int) -> bool:
        changed = self.journeys.refresh(connection)
        if changed or self.holding.buckets != self.buckets():
            self.holding.look(connection, self.buckets())
        if not changed:
            return False
        entered = self.journeys.triggered
        if self.triggered and self.run is not None:
            own = self.run[1]
            entered = (own, *(one for one in entered if one.journey != own.journey))
        self.around.entrances = Entrances(entered)
        if self.clocks is not None and (self.triggered or self.run is None):
            self.clocks.follow(connection, entered, now)
        return True

    def decide(
        self,
        connection: Connection,
        turn: Turn,
        terms: Mapping[str, Terms],
        now: int,
        *,
        clocks: bool = True,
    ) -> Ledger:
        """Decide for everybody in the turn. Nothing is written: what was decided can be written as
        often as it takes, so a full disk costs time and not users. ``turn.calls`` loses those that
        will not be made. Only with ``clocks`` does anybody enter by the clock, who is written at
        once: then ``connection`` is one that writes.
        """
        changed = self._look_at_journeys(connection, now)
        run_id = None if self.run is None else self.run[0]
        ledger = Ledger(Changes(run_id), now, self.installation, self.telling)
        world = World(terms=terms, zone=self.zone)
        present = Present(connection, self.around, now)
        door = Door(connection, world, now, present, self.journeys, self.new_id, self._run_of)
        holding = HoldingBack(connection, self.journeys, self.holding, now)
        hearing = Hearing(ledger, world, self.around, present, door, holding.back)
        erases = set_aside(connection, turn, self.around, ledger)
        linking = Linking(connection, turn, self.around, ledger, self.new_id)
        linking.settle()
        holding.sift(turn, self.around, changed)
        again = redrive.set_apart(turn)
        _introduce(turn, present)
        holding.catch_up(turn, hearing)
        linking.catch_up(present, hearing)
        if turn.told:
            receive(connection, turn.told, self.around.users, ledger, hearing)
            hearing.play()
        going = self._arrive(connection, turn, ledger, hearing, door, holding.back)
        holding.pass_over(turn, world, ledger, hearing)
        _go_on(turn, going, world, ledger, hearing, present, holding)
        redrive.settle(connection, again, world, ledger, hearing)
        hearing.play()
        if self.clocks is not None:
            self.clocks.hold(self.buckets())
            if clocks and not erases:  # whom a schedule finds may be one of them
                _let_in_by_clocks(connection, ledger, hearing, door, self.clocks, present)
            _look_at_dates(connection, ledger, self.clocks, present)
        turn.calls = [held for held in turn.calls if held.passage.id not in present.dropped]
        turn.calls += again.calls
        self._start(turn, ledger)
        ledger.close()
        holding.close(ledger)
        return ledger

    def _start(self, turn: Turn, ledger: Ledger) -> None:
        """Mark the calls that may be made at most once, but for those this turn has withdrawn."""
        for held in turn.starting:
            if self.around.calls.is_unsent(held):
                ledger.start(held)

    def _arrive(
        self,
        connection: Connection,
        turn: Turn,
        ledger: Ledger,
        hearing: Hearing,
        door: Door,
        back: HeldBack,
    ) -> list[tuple[Passage, Result | None]]:
        """The users of the run who come in this turn and are to go on."""
        if turn.arrivals is None or self.run is None:
            return []
        if not turn.arrivals.rows:  # all of them are erased
            ledger.changes.position = turn.arrivals.position
            return []
        users, published = self.around.users, self.run[1]
        if self.triggered:
            make_known(connection, turn.arrivals, users, ledger, hearing)
            return []
        came = arrive(connection, turn.arrivals, published, users, ledger, hearing, door)
        return [(passage, None) for passage in back.past_the_door(came, ledger.now)]

    def _run_of(self, published: Published) -> int:
        if self.run is not None and published.id == self.run[1].id:
            return self.run[0]
        return 0


def _let_in_by_clocks(
    connection: Connection,
    ledger: Ledger,
    hearing: Hearing,
    door: Door,
    clocks: ClockEntries,
    present: Present,
) -> None:
    """Let in whose time has come."""
    now, at = ledger.now, clocks.next_at
    if at is None or at > now:
        return
    found = clocks.take(
        connection, now, ENTERING_PER_TURN, ledger.changes.clocks, present.remember_of
    ).candidates
    door.prepare((one.user, one.published) for one in found)
    for one in found:
        fresh = door.candidate(one.user, one.published, one.inputs)
        hearing.enter(fresh, seq=now, trigger=one.trigger)
    hearing.play()


def _look_at_dates(
    connection: Connection, ledger: Ledger, clocks: ClockEntries, present: Present
) -> None:
    """Look at the dates of those who were written: they may be others now."""
    if not clocks.anything:
        return
    changes = ledger.changes
    for user in changes.users.values():
        clocks.changed(connection, user, ledger.now, changes.clocks, present.remember_of)


def _introduce(turn: Turn, present: Present) -> None:
    """Make known who is in memory, so that facts move these passages and no copies."""
    for answered in turn.answered:
        call, result = answered.held.call, answered.result
        call.attempts, call.tries, call.first_at = result.attempts, result.tries, result.first_at
        present.know_answered(answered.held.passage)
    for passage in turn.due:
        present.know(passage)
    for held in turn.calls:
        present.know(held.passage, held.call)


def _go_on(
    turn: Turn,
    entered: list[tuple[Passage, Result | None]],
    world: World,
    ledger: Ledger,
    hearing: Hearing,
    present: Present,
    holding: HoldingBack,
) -> None:
    """Advance those answered, still due and entered; a user's passages one after another."""
    now = ledger.now
    calls = {id(answered.held.passage): answered.held.call for answered in turn.answered}
    going: list[tuple[Passage, Result | None]] = [
        (answered.held.passage, answered.result) for answered in turn.answered
    ]
    going += [(passage, None) for passage in turn.due if _is_due(passage, now)]
    going += entered
    for held in turn.calls:
        passage = held.passage
        if _has_left(passage) and passage.id not in present.dropped:
            hearing.drop(passage, held.call)
    present.remember(passage for passage, _ in going)
    several = _repeated([passage.user.id for passage, _ in going])
    fresh = {id(passage) for passage, _ in entered}
    withholds = holding.withholds
    for passage, result in in_turn(going) if several else going:
        if result is None and (id(passage) not in fresh or _has_begun(passage)):
            if not _is_due(passage, now):
                continue
            ledger.moves(passage)
        world_now = holding.world_of(passage, world) if withholds else world
        advanced = advance(passage, now, world_now, result)
        ledger.note(passage, advanced, calls.get(id(passage)))
        if hearing.made(passage, advanced) and passage.user.id in several:
            hearing.play()


def _repeated(users: list[str]) -> set[str]:
    """Those who come more than once."""
    if len({*users}) == len(users):
        return set()
    return {user for user, n in Counter(users).items() if n > 1}


def _is_due(passage: Passage, now: int) -> bool:
    at = passage.wake_at
    return passage.state is State.WAITING and at is not None and at <= now


def _has_begun(passage: Passage) -> bool:
    """Whether a passage that entered in this turn was moved already, by what others made."""
    return passage.moves > 0 or passage.outcome is not None


def _has_left(passage: Passage) -> bool:
    """Whether the outcome was fixed while a call was under way: it isn't made again."""
    leaving = passage.program.leaving
    return passage.outcome is not None and not 0 <= leaving <= passage.position
