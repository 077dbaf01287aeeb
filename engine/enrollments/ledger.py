"""What a turn amounts to: rows to write, counts, calls to send, things to tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.interpreter.admit import HELD_OUT
from engine.core.interpreter.state import State
from engine.enrollments import store
from engine.enrollments.counting import Counting
from engine.enrollments.ids import call_key
from engine.enrollments.pending import Held, PendingCall, call_place
from engine.enrollments.rows import call_row, enrollment_change, enrollment_row, execution_rows
from engine.enrollments.store.facts import fact_row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from engine.core.interpreter.state import Advanced, Execution, Passage, User
    from engine.core.steps.base import Again
    from engine.core.steps.facts import Fact
    from engine.enrollments.pending import Lane
    from engine.enrollments.store import Changes


@dataclass(slots=True, frozen=True)
class StepDone:
    """Something an observer may tell of a passage: a step taken (``execution``, with its ``call``),
    or ``what`` else became of it: entered, refused, waits, again, ended, event, goal.
    """

    passage: Passage
    at: int
    execution: Execution | None = None
    call: PendingCall | None = None
    what: str = ""
    text: str = ""


@dataclass(slots=True)
class Ledger:
    """Collects what one turn decides. ``calls`` are new and committed with it, ``retries`` are
    (lane, instant) of calls to be tried later. ``settled`` is how many more users than before
    have nothing to do now: refused, asleep or ended. ``telling`` turns ``told`` on. A passage may
    be noted several times in a turn; its row is written once, by :meth:`close`. ``look_again``:
    something is in the inbox that this turn left or put there.
    """

    changes: Changes
    now: int
    installation: str
    telling: bool = False
    calls: list[Held] = field(default_factory=list)
    retries: list[tuple[Lane, int]] = field(default_factory=list)
    told: list[StepDone] = field(default_factory=list)
    admitted: int = 0
    refused: int = 0
    ended: int = 0
    settled: int = 0
    next_wake: int | None = None
    look_again: bool = False
    _moved: dict[int, Passage] = field(default_factory=dict)
    _new: set[int] = field(default_factory=set)
    _counting: dict[tuple[int, int], Counting] = field(default_factory=dict)
    _heard: dict[str, User] = field(default_factory=dict)

    def refuse(
        self,
        passage: Passage,
        reason: str,
        *,
        seq: int = 0,
        trigger: int = -1,
        seen: str | None = None,
    ) -> None:
        """Note a user who doesn't enter: by the fact ``seq`` that set off ``trigger``, or else by a
        run or command. ``seen`` (JSON) is what a condition that was false read.
        """
        changes, user = self.changes, passage.user
        place = user.bucket, user.id, seq, passage.run_id, passage.version_id, trigger
        changes.refusals.append((*place, reason, self.now, seen))
        if reason == WHERE_FALSE:
            return
        self._count(passage, store.REFUSED, reason)
        self.refused += 1
        self.settled += 1
        self._tell(passage, "refused", reason)

    def enter(self, passages: Sequence[Passage]) -> None:
        """Note users who enter one version in one run; one who is held out ends with it."""
        self.admitted += len(passages)
        entered = {passage.id: passage for passage in passages}
        self._moved.update(entered)
        self._new.update(entered)
        lowest = min([passage.user.bucket for passage in passages])
        self.changes.bucket = min(self.changes.bucket, lowest)
        self._counting_of(passages[0]).others += [(store.ADMITTED, "")] * len(passages)
        for passage in passages:
            if self.telling:
                self._tell(passage, "entered")
            if passage.state is State.ENDED:
                self._end(passage)

    def receive(self, user: User, fact: Fact) -> None:
        """Note a fact that has its place among a user's. He stays in memory until it is stored:
        whoever read him anew before would give its place to another one.
        """
        self.changes.facts.append(fact_row(user, fact))
        self._heard[user.id] = user

    def moves(self, passage: Passage) -> None:
        """A passage that sleeps, or has ended, is about to be moved."""
        if passage.id not in self._moved:
            self.settled -= 1
            self._moved[passage.id] = passage

    def moved(self, passage: Passage) -> bool:
        """Whether a passage was moved in this turn."""
        return passage.id in self._moved

    @property
    def passages(self) -> Collection[Passage]:
        """Those who were moved or have entered in this turn."""
        return self._moved.values()

    def note(self, passage: Passage, advanced: Advanced, call: PendingCall | None) -> None:
        """Note what an advance made of a passage; ``call`` is the one that was answered."""
        changes = self.changes
        changes.bucket = min(changes.bucket, passage.user.bucket)
        counting = self._counting_of(passage)
        counting.reached += advanced.entered
        counting.executions += execution_rows(passage, advanced.executions)
        if advanced.goals:
            self.count_goals(passage, advanced)
        if self.telling:
            self._tell_executions(passage, advanced.executions, call)
        if advanced.writes or advanced.contacted:
            changes.users[passage.user.id] = passage.user
        if advanced.again is not None and call is not None:
            self.again(passage, call, advanced.again)
            return
        self._moved[passage.id] = passage
        if call is not None:
            self._close(passage, call, advanced)
        if advanced.call is not None:
            self._call(passage, advanced)
        if passage.state is State.ENDED:
            self._end(passage)
        elif passage.state is State.WAITING and advanced.wait_text:
            self._tell(passage, "waits", advanced.wait_text)

    def count_goals(self, passage: Passage, advanced: Advanced) -> None:
        """Note goals that count for a passage, also of one that has ended."""
        kind = store.GOAL_HELD_OUT if passage.outcome == HELD_OUT else store.GOAL
        for number in advanced.goals:
            name = passage.program.journey.goals[number].name
            self._count(passage, kind, name)
            self._tell(passage, "goal", name)
        self.changes.bucket = min(self.changes.bucket, passage.user.bucket)

    def withdraw(self, passage: Passage) -> bool:
        """Take back the call that this turn decided for a passage; False if there is none."""
        mine = [held for held in self.calls if held.passage is passage]
        for held in mine:
            self.calls.remove(held)
        return bool(mine)

    def close(self) -> None:
        """Make the rows of all passages that were moved, as they stand now, and of their calls."""
        changes = self.changes
        for counting in self._counting.values():
            counting.close(changes)
        for passage in self._moved.values():
            if passage.id in self._new:
                changes.new_enrollments.append(enrollment_row(passage))
            else:
                changes.enrollments.append(enrollment_change(passage))
            if passage.state is State.CALLING:
                continue
            self.settled += 1
            at = passage.wake_at
            if at is not None and (self.next_wake is None or at < self.next_wake):
                self.next_wake = at
        changes.new_calls += self._call_rows()

    def _call_rows(self) -> list[tuple[object, ...]]:
        """The rows of the calls, in order. Of a bucket's calls to one endpoint each is due a
        microsecond before the next: those that find no room in memory come back in their order.
        """
        rows: list[tuple[object, ...]] = []
        behind: dict[tuple[str, int], int] = {}
        for held in reversed(self.calls):
            place = (held.call.endpoint, held.passage.user.bucket)
            later = behind.get(place, 0)
            behind[place] = later + 1
            run_id = self.changes.run_id
            rows.append(call_row(held.passage, held.call, run_id, self.now - later))
        rows.reverse()
        return rows

    def start(self, held: Held) -> None:
        """Mark a call that may be made at most once, before the wire is touched."""
        place = call_place(held.passage, held.call)
        held.call.started_by = self.installation[:8]
        self.changes.started_calls.append((*place, held.call.started_by))

    def tell_event(self, passage: Passage, name: str) -> None:
        """A passage is told of an event."""
        self._tell(passage, "event", name)

    def again(self, passage: Passage, call: PendingCall, again: Again) -> None:
        """Note that a call is to be tried once more."""
        place = call_place(passage, call)
        tries, first_at = call.tries, call.first_at
        if again.held_since is not None:
            tries, first_at = 0, again.held_since
        self.changes.retried_calls.append(
            (*place, call.attempts, tries, first_at, again.at, again.failure)
        )
        self.retries.append(((call.endpoint, passage.program.name), again.at))
        self._tell(passage, "again", again.failure, call)

    def _tell_executions(
        self, passage: Passage, executions: Iterable[Execution], call: PendingCall | None
    ) -> None:
        for execution in executions:
            answered = call is not None and _place(call) == _place(execution)
            self.told.append(StepDone(passage, self.now, execution, call if answered else None))

    def _counting_of(self, passage: Passage) -> Counting:
        place = passage.run_id, passage.version_id
        found = self._counting.get(place)
        if found is None:
            found = self._counting[place] = Counting(*place)
        return found

    def _count(self, passage: Passage, kind: int, name: str = "") -> None:
        self._counting_of(passage).others.append((kind, name))

    def _close(self, passage: Passage, call: PendingCall, advanced: Advanced) -> None:
        place = call_place(passage, call)
        own = next((e for e in advanced.executions if _place(e) == _place(call)), None)
        if own is None or own.status != "failed":
            self.changes.answered_calls.append(place)
            return
        self.changes.failed_calls.append(
            (*place, call.attempts, call.tries, call.first_at, own.failure, self.now)
        )

    def _call(self, passage: Passage, advanced: Advanced) -> None:
        wanted = advanced.call
        assert wanted is not None  # noqa: S101
        visit = passage.steps[passage.position].visits
        step = passage.program.nodes[passage.position].step
        call = PendingCall(
            step=passage.position,
            visit=visit,
            endpoint=wanted.endpoint,
            method=wanted.method,
            target=wanted.target,
            headers=wanted.headers,
            content_type=wanted.content_type,
            body=wanted.body,
            key=call_key(self.installation, passage.id, step.id, visit),
            due_at=self.now,
        )
        self.calls.append(Held(passage, call))

    def _end(self, passage: Passage) -> None:
        self.ended += 1
        self._count(passage, store.OUTCOME, passage.outcome or "")
        self._tell(passage, "ended", passage.outcome or "")

    def _tell(
        self, passage: Passage, what: str, text: str = "", call: PendingCall | None = None
    ) -> None:
        if self.telling:
            self.told.append(StepDone(passage, self.now, call=call, what=what, text=text))


def _place(at: PendingCall | Execution) -> tuple[int, int]:
    return at.step, at.visit


WHERE_FALSE = "where_false"
"""The reason of a refusal that only says why a fact let nobody in."""
