"""A turn's facts, heard by whom they touch, with all that follows from them in the same turn.

Everybody's next fact is taken at once, round after round: passages and pasts are read in sets. What
a fact makes comes before the user's next fact from outside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.guarded_json import text_of
from engine.core.interpreter.admit import ENTERS
from engine.core.interpreter.advance import advance, drop, leave, rejoin
from engine.core.interpreter.batch import turn
from engine.core.interpreter.listens import touches
from engine.core.interpreter.state import State
from engine.core.interpreter.triggers import let_in
from engine.core.interpreter.writes import write
from engine.core.steps.base import Emitted, Started
from engine.core.steps.facts import Change, Event, Fact
from engine.enrollments.coming import Entry, Lines, Rejoin
from engine.enrollments.ledger import WHERE_FALSE
from engine.enrollments.remembering import recall
from engine.enrollments.rows import stand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.core.interpreter.admit import Admission
    from engine.core.interpreter.advance import World
    from engine.core.interpreter.state import Advanced, Passage, User
    from engine.enrollments.coming import Coming, Fill
    from engine.enrollments.entering import Door
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.pausing import HeldBack
    from engine.enrollments.pending import PendingCall
    from engine.enrollments.present import Present, Surroundings
    from engine.versions.store import Published


class Hearing:
    """Tells facts to passages and triggers, and moves whom they move."""

    def __init__(
        self,
        ledger: Ledger,
        world: World,
        around: Surroundings,
        present: Present,
        door: Door,
        back: HeldBack,
    ) -> None:
        self._ledger = ledger
        self._world = world
        self._around = around
        self._present = present
        self._door = door
        self._back = back
        self._lines = Lines()

    # --- what there is to hear ------------------------------------------------------------------
    def tell(self, user: User, fact: Coming | Fill) -> None:
        """A fact from outside."""
        self._lines.of(user).told.append(fact)

    def changed(self, user: User, before: Mapping[str, object]) -> None:
        """Attributes of a user were written; ``before`` is what they were."""
        self._change(user, before, 0)

    def made(self, passage: Passage, advanced: Advanced) -> bool:
        """Take what an advance made: events, attributes, entries. False if there is nothing."""
        if passage.parent and passage.state is State.ENDED:
            self._tell_parent(passage.user, passage.parent, passage.outcome or "")
        elif not advanced.makes and not advanced.before:
            return False
        depth, now = passage.depth + 1, self._ledger.now
        for one in advanced.makes:
            made = self._lines.of(passage.user).made
            if isinstance(one, Emitted):
                made.append(Event(0, now, one.name, one.properties, None, depth))
            elif isinstance(one, Started):
                parent = passage.id if one.awaited else 0
                made.append(Entry(one.journey, one.inputs, depth, parent))
        if advanced.before:
            self._change(passage.user, advanced.before, depth)
        return True

    def _change(self, user: User, before: Mapping[str, object], depth: int) -> bool:
        known = {**user.attributes, "timezone": user.timezone}
        values = {name: known.get(name) for name in before}
        change = Change(0, self._ledger.now, values, before, depth)
        heard = self._around.listening.hears(change) or bool(self._around.entrances.of(change))
        if heard:
            self._lines.of(user).made.append(change)
        return heard

    # --- hearing it -----------------------------------------------------------------------------

    def play(self) -> None:
        """Hear everything, and what follows from it."""
        while self._lines:
            batch = self._lines.round()
            self._prepare(batch)
            for user, fact in batch:
                if isinstance(fact, Entry):
                    self._start(user, fact)
                elif isinstance(fact, Rejoin):
                    self._rejoin(user, fact)
                else:
                    self._hear(user, fact)

    def _prepare(self, batch: list[tuple[User, Coming]]) -> None:
        """Read what a round needs: places among facts, passages, pasts, earlier passages."""
        around = self._around
        self._present.place([user for user, _ in batch])
        touched: list[User] = []
        at = self._ledger.now
        entering: list[tuple[User, Published]] = []
        for user, fact in batch:
            if isinstance(fact, Entry | Rejoin):
                entering += self._door.named(user, fact)
                continue
            if around.listening.hears(fact):
                at = min(at, fact.at)
                touched.append(user)
            entering += [(user, published) for published in around.entrances.of(fact)]
        self._present.load(touched, at)
        self._door.prepare(entering)
        self._present.remember_of((user, one.program.recalls) for user, one in entering)

    def _hear(self, user: User, fact: Fact) -> None:
        """Tell everybody whom a fact touches, then let in whom it lets in."""
        received = self._receive(user, fact)
        if received is None:
            return
        known = sorted(self._present.known(user), key=turn)
        for passage in [p for p in known if touches(p, received)]:
            if self._back.hears(passage):
                self._move(passage, received)
        for published in self._around.entrances.of(received):
            candidate = self._door.candidate(user, published, {}, received)
            for one in let_in(candidate, received, self._world):
                place = {"seq": received.seq, "trigger": one.trigger}
                if one.inputs is None:
                    seen = None if one.seen is None else text_of(one.seen)
                    self._ledger.refuse(candidate, WHERE_FALSE, seen=seen, **place)
                else:
                    fresh = self._door.candidate(user, published, one.inputs, received)
                    self.enter(fresh, **place)

    def _receive(self, user: User, fact: Fact) -> Fact | None:
        """Give a fact its place and make it known; None: nothing changed. Of a message that changed
        nothing it is kept that it came: told again when more has changed, it would.
        """
        now, changes = self._ledger.now, self._ledger.changes
        before: Mapping[str, object] = {}
        if isinstance(fact, Change):
            before = fact.before or write(user, fact.values)
            if before:
                changes.users[user.id] = user
            elif fact.id is None:
                return None
        seq = user.seq = max(now, (user.seq or 0) + 1)
        received: Fact
        if isinstance(fact, Change):
            values = {name: fact.values.get(name) for name in before}
            received = replace(fact, seq=seq, values=values, before=before)
        else:
            received = replace(fact, seq=seq)
            recall(user, received)
            self._present.received.setdefault(user.id, []).append(received)
        self._ledger.receive(user, received)
        return received if before or isinstance(received, Event) else None

    def _move(self, passage: Passage, fact: Fact) -> None:
        stood, had, state = stand(passage), passage.outcome, passage.state
        if isinstance(fact, Event):
            self._ledger.tell_event(passage, fact.name)
        advanced = advance(passage, self._ledger.now, self._world, None, (fact,))
        if stand(passage) == stood and not advanced.executions:
            return
        if state is not State.CALLING:
            self._ledger.moves(passage)
        if state is State.ENDED:
            self._ledger.count_goals(passage, advanced)
            return
        self._noted(passage, advanced)
        # A call of on_exit, begun just now, is made.
        if state is passage.state is State.CALLING and had is None and passage.outcome is not None:
            self._give_up_call(passage)

    def hear_late(self, passage: Passage, fact: Fact) -> None:
        """Tell a passage of a fact that it could not hear when it came."""
        if touches(passage, fact):
            self._move(passage, fact)

    def leave(self, passage: Passage, outcome: str) -> None:
        """End a passage from outside; on_exit goes on."""
        state = passage.state
        if state is State.WAITING:
            self._ledger.moves(passage)
        self._noted(passage, leave(passage, self._ledger.now, self._world, outcome))
        if state is passage.state is State.CALLING:
            self._give_up_call(passage)

    def _give_up_call(self, passage: Passage) -> None:
        """Make no attempt of the call any more; one on the wire is answered first."""
        may, call = self._present.unsent_call(self._ledger, passage)
        if may:
            self.drop(passage, call)

    def drop(self, passage: Passage, call: PendingCall | None) -> None:
        """Take a passage whose outcome is fixed on to on_exit, without its call."""
        self._present.dropped.add(passage.id)
        attempts, failure = (call.attempts, call.failure) if call is not None else (0, None)
        if call is not None and call.started_by:
            attempts, failure = attempts + 1, "call.unknown"
        dropped = drop(passage, self._ledger.now, self._world, attempts=attempts, failure=failure)
        self._noted(passage, dropped, call)

    # --- who enters -----------------------------------------------------------------------------

    def _start(self, user: User, entry: Entry) -> None:
        published = self._door.open_to(entry)
        if published is None:
            self._tell_parent(user, entry.parent, "there is no such journey")
        elif entry.attributes is None or not self._introduced(user, entry):
            self.enter(self._door.entrant(user, published, entry))

    def _introduced(self, user: User, entry: Entry) -> bool:
        """Write what a run says of its user. True: somebody hears it first, and then he enters."""
        before = write(user, entry.attributes or {})
        entry.attributes = None
        self._ledger.changes.users[user.id] = user
        heard = bool(before) and entry.known and self._change(user, before, 0)
        if heard:
            self._lines.of(user).made.append(entry)
        return heard

    def _rejoin(self, user: User, over: Rejoin) -> None:
        parent = self._present.find(user, over.parent)
        if parent is not None and parent.state is State.WAITING:
            self._ledger.moves(parent)
            self._noted(parent, rejoin(parent, self._ledger.now, self._world, over.text))

    def _tell_parent(self, user: User, parent: int, text: str) -> None:
        if parent:
            self._lines.of(user).made.append(Rejoin(parent, text))

    def enter(self, passage: Passage, *, seq: int = 0, trigger: int = -1) -> None:
        """Let a candidate begin and go as far as he goes, or note why not."""
        entered = self.admit([passage], seq=seq, trigger=trigger)
        if self._back.past_the_door(entered, self._ledger.now):
            self._present.remember((passage,))
            self._noted(passage, advance(passage, self._ledger.now, self._world))

    def admit(
        self, passages: Sequence[Passage], *, seq: int = 0, trigger: int = -1
    ) -> list[Passage]:
        """Let candidates of one version in, each another user's, or note why not: those who
        entered. The door must have been prepared for the users.
        """
        entered = [
            passage
            for passage, answer in zip(passages, self._door.answers(passages), strict=True)
            if answer is ENTERS or self._may_enter(passage, answer, seq, trigger)
        ]
        if not entered:
            return entered
        self._ledger.enter(entered)
        self._present.know_all(entered)
        self._around.listening.add(entered[0].version_id, entered[0].program)
        for passage in entered:
            if passage.state is State.ENDED:
                self._tell_parent(passage.user, passage.parent, passage.outcome or "")
        return entered

    def _may_enter(self, passage: Passage, admission: Admission, seq: int, trigger: int) -> bool:
        """Make way for somebody who may enter, or note why he may not."""
        if admission.restarts is not None:
            live = self._present.find(passage.user, admission.restarts.id)
            assert live is not None  # noqa: S101 - it was found live in this very transaction
            self.leave(live, "restarted")
        if admission.refusal is None:
            return True
        self._ledger.refuse(passage, admission.refusal, seq=seq, trigger=trigger)
        self._tell_parent(passage.user, passage.parent, f"refused: {admission.refusal}")
        return False

    def _noted(self, passage: Passage, advanced: Advanced, call: PendingCall | None = None) -> None:
        self._ledger.note(passage, advanced, call)
        self.made(passage, advanced)
