"""What pauses, their ends and archives do to a turn: who is held, caught up, or leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.interpreter.advance import pass_over
from engine.core.interpreter.state import State
from engine.enrollments.pausing import HeldBack
from engine.enrollments.store.holding import facts_beyond

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.interpreter.advance import World
    from engine.core.interpreter.state import Passage
    from engine.core.steps.facts import Fact
    from engine.db.connect import Connection
    from engine.enrollments.hearing import Hearing
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.pausing import Holding
    from engine.enrollments.pending import Held
    from engine.enrollments.present import Surroundings
    from engine.enrollments.turn import Turn
    from engine.versions.live import LiveJourneys

WITHHELD = "due while the journey was paused"


class HoldingBack:
    """One turn's part of pauses and archives. ``back`` are those who are held in it."""

    def __init__(
        self, connection: Connection, journeys: LiveJourneys, holding: Holding, now: int
    ) -> None:
        self._connection = connection
        self._journeys = journeys
        self._now = now
        self.back = HeldBack(holding)

    @property
    def withholds(self) -> bool:
        """Whether :meth:`world_of` may say anything but the world as it is."""
        return self._journeys.skipping

    def sift(self, turn: Turn, around: Surroundings, changed: bool) -> None:
        """Leave those out of a turn who are held; where journeys have ``changed``, those in memory
        too, whose calls weren't sent.
        """
        back = self.back
        turn.due = back.going(turn.due)
        turn.calls = back.calling(turn.calls)
        if changed:
            self._recall(around)

    def _recall(self, around: Surroundings) -> None:
        holds = self.back.holding.holds
        for held in around.calls.every_call():
            passage = held.passage
            if holds(passage.version_id, passage.user.bucket) and around.calls.withdraw(held):
                self.back.calling((held,))

    def catch_up(self, turn: Turn, hearing: Hearing) -> None:
        """Whoever was held hears what came meanwhile; whoever's journey was archived leaves, and
        who waited for his call to be made for as long as he may stay.
        """
        calling = [held.passage for held in turn.calls]
        for held in turn.calls:
            if held.outlives(self._now):
                hearing.leave(held.passage, "expired")
        if self._journeys.orders:
            for passage in (*turn.due, *calling):
                for fact in self._missed(passage):
                    hearing.hear_late(passage, fact)
        archived = self._journeys.archived
        if archived:
            answered = [one.held.passage for one in turn.answered]
            for passage in (*turn.due, *calling, *answered):
                if passage.version_id in archived and passage.outcome is None:
                    hearing.leave(passage, "archived")

    def _missed(self, passage: Passage) -> Iterable[Fact]:
        """The facts of pauses that a passage lived through and hasn't heard."""
        name = passage.program.name
        for order in self._journeys.orders:
            begins = order.paused_at
            if order.journey != name or begins is None or passage.seen_seq >= order.at:
                continue
            if passage.version_id > order.version_id or passage.entered_at > order.at:
                continue
            after = max(passage.seen_seq, begins)
            user = passage.user
            found = facts_beyond(self._connection, user.bucket, user.id, after)
            yield from (fact for fact in found if fact.seq <= order.at)
            passage.seen_seq = max(passage.seen_seq, order.at)

    def world_of(self, passage: Passage, world: World) -> World:
        """What a passage that is due is decided by: where its journey went on that way, without the
        calls that were due in the pause.
        """
        until = self._journeys.skips_until(passage.version_id)
        if until and passage.wake_at is not None and passage.wake_at <= until:
            return replace(world, withheld=WITHHELD)
        return world

    def pass_over(self, turn: Turn, world: World, ledger: Ledger, hearing: Hearing) -> None:
        """Skip the calls that were due in a pause, of journeys that went on that way."""
        going: list[Held] = []
        for held in turn.calls:
            passage, call = held.passage, held.call
            until = self._journeys.skips_until(passage.version_id)
            if passage.state is not State.CALLING or not 0 < passage.started <= until:
                going.append(held)
                continue
            withheld = replace(world, withheld=WITHHELD)
            passed = pass_over(passage, self._now, withheld, attempts=call.attempts)
            ledger.note(passage, passed, call)
            hearing.made(passage, passed)
        turn.calls = going

    def close(self, ledger: Ledger) -> None:
        """Hold those who are held, behind everything else that is written."""
        back = self.back
        ledger.calls = back.calling(ledger.calls)
        if back.passages or back.touched or back.calls:
            ledger.changes.last.append(back.write)
