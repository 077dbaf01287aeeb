"""Who is held because his journey is paused, and how everybody goes on when it is resumed.

A pause costs nothing by itself: whoever's time comes while it lasts is held when it does. A resumed
or archived journey leaves an order, which the owner of each bucket carries out once for each of its
buckets: a transaction does as many as make up a page, so other journeys' users go on in between. A
killed process has carried out an order for a bucket or it hasn't.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.interpreter.state import State
from engine.core.steps.wait import WaitStep
from engine.core.steps.wait_for import WaitForStep
from engine.enrollments.pending import call_place
from engine.enrollments.store import holding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from engine.core.dsl.program import Program
    from engine.core.interpreter.state import Passage
    from engine.db.connect import Connection
    from engine.enrollments.pending import Held
    from engine.versions.live import LiveJourneys
    from engine.versions.states import Order
    from engine.versions.store import Versions

PAGE = 5_000
"""So many rows, or those of one bucket, are changed in one transaction."""


@dataclass(slots=True, frozen=True)
class CarriedOut:
    """An order that was carried out for a bucket, in a transaction that isn't committed yet."""

    bucket: int
    order: Order


class Holding:
    """What the owner of some buckets holds back, and which orders it still has to carry out."""

    __slots__ = ("_live", "_outstanding", "_versions", "buckets")

    def __init__(self, live: LiveJourneys, versions: Versions) -> None:
        self._live = live
        self._versions = versions
        self._outstanding: dict[tuple[int, str], list[Order]] = {}
        self.buckets: tuple[int, ...] = ()

    def look(self, connection: Connection, buckets: Collection[int]) -> None:
        """Read which orders are outstanding in ``buckets``: those owned, whenever they are others,
        and whenever :meth:`LiveJourneys.refresh` has found something.
        """
        of_journey: dict[str, list[Order]] = {}
        for order in self._live.orders:
            of_journey.setdefault(order.journey, []).append(order)
        outstanding: dict[tuple[int, str], list[Order]] = {}
        for journey, orders in of_journey.items():
            done = holding.carried_out(connection, journey)
            for bucket in buckets:
                left = [order for order in orders if order.number > done.get(bucket, 0)]
                if left:
                    outstanding[bucket, journey] = left
        self._outstanding = outstanding
        self.buckets = tuple(buckets)

    @property
    def anything(self) -> bool:
        """Whether anybody may have to be held now."""
        return bool(self._live.paused or self._outstanding)

    @property
    def outstanding(self) -> bool:
        """Whether orders are still to be carried out, by :meth:`carry_out`."""
        return bool(self._outstanding)

    def holds(self, version_id: int, bucket: int) -> bool:
        """Whether whoever is in this version, in this bucket, stays where he is: his journey is
        paused, or the order by which he goes on hasn't been carried out yet.
        """
        if version_id in self._live.paused:
            return True
        if not self._outstanding:
            return False
        return (bucket, self._live.journeys.get(version_id, "")) in self._outstanding

    def carry_out(self, connection: Connection, most: int = PAGE) -> list[CarriedOut]:
        """Carry out orders in the transaction of ``connection`` until about ``most`` rows have
        changed. Once it is committed, give what was done to :meth:`committed`.
        """
        done: list[CarriedOut] = []
        marks: dict[str, dict[int, int]] = {}
        changed = 0
        for (bucket, journey), orders in self._outstanding.items():
            if changed >= most:
                break
            if self._live.state(journey) == "paused":
                continue  # whoever is held stays so; it is done with the next resumption
            if journey not in marks:
                marks[journey] = holding.carried_out(connection, journey)
            for order in orders:
                # The answer to a commit may have been lost: then it is carried out, and marked.
                if order.number > marks[journey].get(bucket, 0):
                    changed += self._carry_out(connection, bucket, order)
                done.append(CarriedOut(bucket, order))
            holding.mark_carried_out(connection, bucket, journey, orders[-1].number)
        return done

    def committed(self, done: Sequence[CarriedOut]) -> None:
        """What was carried out is outstanding no more."""
        for one in done:
            self._outstanding.pop((one.bucket, one.order.journey), None)

    def _carry_out(self, connection: Connection, bucket: int, order: Order) -> int:
        where = holding.Where(bucket, order.journey, order.version_id)
        if order.what == "archive":
            return holding.rouse(connection, where, order.at)
        changed = 0
        if order.what == "shift" and order.paused_at is not None:
            for version_id in holding.waited_in(connection, where):
                program = self._versions.get(connection, version_id).program
                waits = waits_of(version_id, program)
                place = (connection, bucket, waits, order.paused_at, order.at)
                changed += holding.shift(*place)
        return changed + holding.release(connection, where, order.at)


@dataclass(slots=True)
class HeldBack:
    """Who is held in one turn. :meth:`write` comes after everything else that the turn writes, in
    its transaction.
    """

    holding: Holding
    passages: list[tuple[int, int]] = field(default_factory=list)
    touched: list[tuple[int, int]] = field(default_factory=list)
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def going(self, due: Iterable[Passage]) -> list[Passage]:
        """Those of ``due`` who go on; the others are held."""
        if not self.holding.anything:
            return [*due]
        going: list[Passage] = []
        for passage in due:
            if self._holds(passage):
                self.passages.append((passage.user.bucket, passage.id))
            else:
                going.append(passage)
        return going

    def calling(self, calls: Iterable[Held]) -> list[Held]:
        """Those of ``calls``, committed with this turn or before, that may be made now; the others
        are held.
        """
        if not self.holding.anything:
            return [*calls]
        calling: list[Held] = []
        for held in calls:
            if self._holds(held.passage):
                self.calls.append(call_place(held.passage, held.call))
            else:
                calling.append(held)
        return calling

    def past_the_door(self, entered: Iterable[Passage], now: int) -> list[Passage]:
        """Those of the ones who have just entered who take their first step now. One who is held
        takes it when that is over.
        """
        alive = [passage for passage in entered if passage.state is not State.ENDED]
        for passage in alive if self.holding.anything else ():
            if self._holds(passage):
                passage.wake_at = now
        return self.going(alive)

    def hears(self, passage: Passage) -> bool:
        """Whether a fact that touches a passage may move it now. Else it is stored and no more: it
        is applied when the pause is over.
        """
        if passage.state is State.ENDED or not self._holds(passage):
            return True
        if passage.state is State.WAITING:
            self.touched.append((passage.user.bucket, passage.id))
        return False

    def write(self, connection: Connection) -> None:
        """Hold them."""
        holding.hold_passages(connection, self.passages)
        holding.hold_touched(connection, self.touched)
        holding.hold_calls(connection, self.calls)

    def _holds(self, passage: Passage) -> bool:
        return self.holding.holds(passage.version_id, passage.user.bucket)


def waits_of(version_id: int, program: Program) -> holding.Waits:
    """How the steps of a version wait."""
    elapsed: list[int] = []
    by_clock: list[int] = []
    for node in program.nodes:
        if isinstance(node.step, WaitForStep):
            elapsed.append(node.number)
        elif isinstance(node.step, WaitStep):
            if node.step.until is None:
                elapsed.append(node.number)
            elif node.step.until.date is None:
                by_clock.append(node.number)
    return holding.Waits(version_id, tuple(elapsed), tuple(by_clock), program.max_age)
