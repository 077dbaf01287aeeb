"""Walking: step after step, until the user waits, a call must be made, or the journey ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.dsl.program import END
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.seen import sight_of
from engine.core.interpreter.contact import count_contact, give_back
from engine.core.interpreter.noting import Noting
from engine.core.interpreter.size import too_big
from engine.core.interpreter.state import (
    REASONS,
    Reason,
    State,
    StepRecord,
)
from engine.core.interpreter.writes import write
from engine.core.steps.base import FOLLOWING, Again, Call, End, Move, Wait

if TYPE_CHECKING:
    from engine.core.dsl.program import Node
    from engine.core.expressions.grammar import Expression
    from engine.core.interpreter.state import Passage, World
    from engine.core.interpreter.view import PassageView
    from engine.core.steps.base import Decision, Emitted, Result, Started
    from engine.core.steps.facts import Fact

MOST_STEPS = 10_000
MOST_STEPS_UNWAITED = 1_000
MOST_DEPTH = 10
"""So many events and entries may lead to one another."""
_LAST_TRY = 1_000_000
"""More tries than any policy allows."""
SKIPPED = Move(status="skipped")
_ARRIVED = StepRecord(visits=1)
_WAITING, _CALLING, _ENDED = State.WAITING, State.CALLING, State.ENDED
_CHILD = Reason.CHILD


class Walk(Noting):
    """One walk of one passage, whose max_age is over at ``expires_at``. ``walking`` ends when it
    waits, calls or is over. ``moment`` is the own time of what moves it.
    """

    __slots__ = ("expires_at", "moment", "walking")

    def __init__(self, passage: Passage, now: int, world: World) -> None:
        super().__init__(passage, now, world)
        self.moment = now
        self.expires_at = passage.entered_at + passage.program.max_age
        self.walking = True

    def on(self) -> None:
        """Take steps until there is none to take now."""
        passage = self.passage
        nodes = passage.program.nodes
        if passage.outcome is None and self.now >= self.expires_at:
            self.leave("expired")
        if passage.reason is _CHILD and self._awaits_another():
            passage.wake_at, self.walking = self.expires_at, False
        while self.walking:
            if passage.position == END:
                self._arrive_at_the_end()
                continue
            node = nodes[passage.position]
            view = self.view or self.look()
            if not passage.started and not self._arrives(node, view):
                continue
            if self.world.withheld and node.step.type == "call_api":
                self._move(node, Move(status="skipped", text=self.world.withheld), None)
                continue
            try:
                decision = node.decide(view)
            except Exception as error:  # noqa: BLE001 (costs this user this step, nobody else)
                decision = self._a_bug(node, error)
            if type(decision) is Move:
                self._move(node, decision, None)
            else:
                self._apply(node, decision)

    def _awaits_another(self) -> bool:
        """Whether he was woken (as behind a pause) while he waits for the end of another passage:
        the step that began it would begin a second one.
        """
        waits = self.passage.state is _WAITING and self.passage.reason is _CHILD
        return self.walking and waits and self.passage.started > 0

    def answered(self, result: Result) -> None:
        """Let the step that made the call judge its answer."""
        node = self.passage.program.nodes[self.passage.position]
        self.passage.state = _WAITING
        fixed = self.passage.outcome is not None and self._leaves()
        if fixed:
            result = replace(result, tries=_LAST_TRY)
        decision = self._judge(node, result)
        if isinstance(decision, Again) and (
            self.passage.outcome is None and decision.at >= self.expires_at
        ):
            decision = self._judge(node, replace(result, tries=_LAST_TRY))
            if isinstance(decision, Move | End):
                told = [*filter(None, [decision.text]), "max_age ends before the next attempt"]
                decision = replace(decision, text="; ".join(told))
        if isinstance(decision, Move | End) and decision.status == "failed":
            self.done.contacted |= give_back(self.passage)
        self._apply(node, decision, result)
        if fixed:
            self._go(self.passage.program.leaving)

    def _leaves(self) -> bool:
        """Whether the call under way isn't one of on_exit."""
        leaving = self.passage.program.leaving
        return leaving == END or self.passage.position < leaving

    def heed(self, fact: Fact) -> None:
        """Let the step that the user waits at take notice, and go on if it does."""
        passage = self.passage
        if passage.state is not _WAITING or not passage.started:
            return
        node = passage.program.nodes[passage.position]
        try:
            decision = node.step.heed(self.look(), fact)
        except Exception as error:  # noqa: BLE001
            decision = self._a_bug(node, error)
        if decision is not None:
            self.walking = True
            self._apply(node, decision)
            self.on()

    def _judge(self, node: Node, result: Result) -> Decision:
        try:
            return node.step.resume(self.look(), result)
        except Exception as error:  # noqa: BLE001
            return self._a_bug(node, error)

    def leave(self, outcome: str) -> None:
        """Fix the outcome; a step that was still under way is skipped; what is left is on_exit."""
        passage = self.passage
        if passage.started and passage.steps[passage.position].status is None:
            self.record(SKIPPED, outcome)
        passage.outcome = outcome
        self._go(passage.program.leaving)

    def _arrives(self, node: Node, view: PassageView) -> bool:
        """Enter a step; False if it isn't to be taken (condition false, or a limit hit)."""
        passage, number = self.passage, node.number
        steps = passage.steps
        if number in steps:
            record = steps[number]
            steps[number] = record._replace(status=None, visits=record.visits + 1)
        else:
            steps[number] = _ARRIVED
        passage.started = self.now
        passage.since = self.moment
        passage.moves = moves = passage.moves + 1
        passage.unwaited = unwaited = passage.unwaited + 1
        self.done.entered.append(number)
        if view.scope.notes:
            view.scope.notes.clear()
        if moves > MOST_STEPS or unwaited > MOST_STEPS_UNWAITED:
            self._stop_running_away()
            return False
        return node.when is None or self._is_to_be_taken(node, node.when, view)

    def _is_to_be_taken(self, node: Node, when: Expression, view: PassageView) -> bool:
        why = ""
        try:
            if when.holds(view.scope):
                return True
        except Unfillable as unfillable:
            why = f": {unfillable}"
        except Exception as error:  # noqa: BLE001
            self._apply(node, self._a_bug(node, error))
            return False
        text = self.with_notes(f"when: {when.source}{why}")
        self.record(Move(status="skipped", seen=sight_of(when)(view.scope)), text)
        self._go(node.behind)
        return False

    def _stop_running_away(self) -> None:
        passage = self.passage
        too_many = Move(status="failed", failure="journey.step_limit")
        self.record(too_many, "too many steps without a wait, or in all")
        passage.moves = passage.unwaited = 0
        if passage.outcome is None:
            self.leave("step_limit")
        else:
            self._go(END)

    def _apply(self, node: Node, decision: Decision, result: Result | None = None) -> None:
        passage = self.passage
        if isinstance(decision, Move):
            self._move(node, decision, result)
        elif isinstance(decision, Call):
            passage.state, passage.wake_at = _CALLING, None
            self.done.call = decision
            self.done.contacted |= count_contact(passage, decision, self.now)
            self.walking = False
        elif isinstance(decision, Wait):
            if decision.makes is not None and not self._make(decision.makes):
                self._move(node, self._too_deep(decision.text), None)
                return
            wake_at = self._wake_at(decision.until)
            is_another = wake_at != passage.wake_at or passage.position in self.done.entered
            self.done.wait_text = decision.text if is_another else ""
            passage.state, passage.reason = _WAITING, REASONS[decision.reason]
            passage.wake_at = wake_at
            passage.unwaited = 0
            self.walking = False
        elif isinstance(decision, Again):
            passage.state = _CALLING
            self.done.again = decision
            self.walking = False
        else:
            self._end(node, decision, result)

    def _end(self, node: Node, end: End, result: Result | None) -> None:
        self.record(end, self.with_notes(end.text), result)
        if self.passage.outcome is None:
            self.leave(end.outcome)
        else:
            self._go(node.behind)

    def _move(self, node: Node, move: Move, result: Result | None) -> None:
        passage = self.passage
        text = self.with_notes(move.text)
        if move.vars or move.user:
            problem = too_big(passage, move)
            if problem:
                self._apply(node, self._failed(node, "step.too_big", problem, move), result)
                return
            self._write(move)
        if move.makes is not None and not self._make(move.makes):
            move = self._too_deep(text)
            text = move.text
        self.record(move, text, result)
        passage.position = node.follow if move.exit == FOLLOWING else node.exits[move.exit]
        passage.started = 0

    def _write(self, move: Move) -> None:
        """Write the values that a step made."""
        if move.vars:
            self.passage.vars.update(move.vars)
        if move.user:
            done = self.done
            done.before = write(self.passage.user, move.user) | dict(done.before or {})
            done.writes = {**(done.writes or {}), **move.user}
            self.view = None

    def _make(self, made: Emitted | Started) -> bool:
        """Make it, unless too much led to it."""
        if self.passage.depth >= MOST_DEPTH:
            return False
        self.done.makes = (*self.done.makes, made)
        return True

    def _too_deep(self, text: str) -> Move:
        text = f"{text}: {MOST_DEPTH} events led to one another"
        return Move(status="failed", failure="step.too_deep", text=text)

    def rejoin(self, text: str) -> None:
        """Go on from a step that waited for the user to leave another journey."""
        node = self.passage.program.nodes[self.passage.position]
        self._apply(node, Move(text=text))
        self.on()

    def _failed(self, node: Node, failure: str, text: str, move: Move | None = None) -> Move | End:
        """Where the step goes with a failure that isn't its own finding."""
        http_status = None if move is None else move.http_status
        return node.step.failed(self.look(), failure, text, http_status)

    def _a_bug(self, node: Node, error: Exception) -> Move | End:
        """A bug in a step costs this user this step, visibly, and nobody anything else."""
        return self._failed(node, "step.internal", f"a bug: {type(error).__name__}")

    def _wake_at(self, until: int | None) -> int | None:
        if self.passage.outcome is not None:
            return until
        return self.expires_at if until is None else min(until, self.expires_at)

    def _go(self, position: int) -> None:
        self.passage.position = position
        self.passage.started = 0

    def _arrive_at_the_end(self) -> None:
        if self.passage.outcome is None:
            self.leave("completed")
            return
        passage = self.passage
        passage.state, passage.reason, passage.wake_at = _ENDED, Reason.DUE, None
        passage.ended_at = self.now
        self.walking = False
