"""Decide: users who are new, due or answered go through the core, in sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.interpreter.advance import World
from engine.core.interpreter.batch import advance_all
from engine.core.interpreter.state import State
from engine.enrollments import redrive
from engine.enrollments.ledger import Ledger
from engine.enrollments.store import Changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.interpreter.state import Passage
    from engine.core.steps.base import Result
    from engine.core.steps.call_api import Terms
    from engine.db.connect import Connection
    from engine.enrollments.receive import Arrivals, Receiver
    from engine.enrollments.rows import Held


@dataclass(slots=True)
class Answered:
    """A held call whose answer came."""

    held: Held
    result: Result


@dataclass(slots=True)
class Turn:
    """What one turn takes in: calls answered, passages due, users arriving, and calls that may be
    made at most once and are about to be.
    """

    answered: list[Answered] = field(default_factory=list)
    due: list[Passage] = field(default_factory=list)
    arrivals: Arrivals | None = None
    starting: list[Held] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Nobody to decide for."""
        return not (self.answered or self.due or self.arrivals or self.starting)


@dataclass(slots=True, frozen=True)
class Decider:
    """Decides for one run. ``installation`` is the installation's key, ``zone`` its time zone."""

    run_id: int
    receiver: Receiver
    installation: str
    zone: str
    telling: bool = False

    def decide(
        self, connection: Connection, turn: Turn, terms: Mapping[str, Terms], now: int
    ) -> Ledger:
        """Decide for everybody in the turn. Nothing is written: what was decided can be written as
        often as it takes, so a full disk costs time and not users.
        """
        ledger = Ledger(Changes(self.run_id), now, self.installation, self.telling)
        world = World(terms=terms, zone=self.zone)
        calls = {id(answered.held.passage): answered.held.call for answered in turn.answered}
        going: list[tuple[Passage, Result | None]] = []
        redriven = [(one.held, one.result) for one in turn.answered if one.held.call.redrive]
        for answered in turn.answered:
            if answered.held.call.redrive:
                continue
            call, result = answered.held.call, answered.result
            call.attempts, call.tries, call.first_at = (
                result.attempts,
                result.tries,
                result.first_at,
            )
            going.append((answered.held.passage, result))
        going += [(passage, None) for passage in turn.due]
        ledger.settled -= len(turn.due)
        new: set[int] = set()
        if turn.arrivals is not None:
            entered = self.receiver.receive(connection, turn.arrivals, world, ledger)
            new = {id(passage) for passage in entered}
            going += [(p, None) for p in entered if p.state is not State.ENDED]
        for passage, advanced in advance_all(going, now, world):
            mark = id(passage)
            ledger.note(passage, advanced, calls.get(mark), is_new=mark in new)
        if redriven:
            redrive.settle(connection, redriven, world, ledger)
        if ledger.written:
            self.receiver.listening.wake(connection, ledger, (passage for passage, _ in going))
        for held in turn.starting:
            ledger.start(held)
        return ledger
