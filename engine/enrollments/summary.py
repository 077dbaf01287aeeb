"""What became of a run: the numbers that every output shows, from counts or from what happened."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from engine.core.interpreter.admit import HELD_OUT
from engine.core.interpreter.state import State
from engine.core.steps.call_api import CallApiStep

if TYPE_CHECKING:
    from engine.core.dsl.program import Program
    from engine.core.interpreter.state import Execution, Passage
    from engine.core.steps.base import Status

MOST_FAILURES = 3
"""So many kinds of failures are shown, the most frequent ones."""

STEP_LIMIT = "journey.step_limit"


@dataclass(slots=True)
class StepTally:
    """How often a step was entered, and how that ended. Visits are counted, not users.
    ``endpoint`` is the one it calls, if it does; ``failures`` are the failed ones by code, where
    they were counted. ``standing`` is how many stand at it now where the other counts aren't those
    of all time."""

    endpoint: str | None = None
    entered: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    standing: int | None = None

    @property
    def waiting(self) -> int:
        """How many stand at it now: waiting, or with a call on its way."""
        if self.standing is not None:
            return self.standing
        return self.entered - self.succeeded - self.failed - self.skipped


@dataclass(slots=True)
class CallTally:
    """Calls of steps that are over, and the requests that they and unfinished ones put on the
    wire."""

    succeeded: int = 0
    failed: int = 0
    attempts: int = 0

    @property
    def calls(self) -> int:
        """Calls that are over."""
        return self.succeeded + self.failed


@dataclass(slots=True)
class GoalTally:
    """For how many passages a goal counted, and for how many of those held out. ``of`` is of how
    many that was, treated and held out, where they aren't the summary's."""

    met: int = 0
    held_out: int = 0
    of: tuple[int, int] | None = None


@dataclass(slots=True, frozen=True)
class FailureSeen:
    """A failure of a step, how often it happened, and one user it happened to."""

    step: str
    code: str
    times: int
    user: str
    text: str


@dataclass(slots=True)
class Summary:
    """What became of a run.

    ``version`` is None for a journey that was simulated from its file, and over all versions.
    ``refusals`` are users not admitted, by reason; ``outcomes`` finished passages, by outcome;
    ``arms`` how often each arm of a step was taken; ``endpoints`` the calls by endpoint; ``tokens``
    requests to token servers by auth profile; ``goals`` for whom each goal counted. ``stuck`` are
    passages that nothing will ever move again: there should be none.
    """

    journey: str
    version: int | None
    entered: int = 0
    finished: int = 0
    waiting: int = 0
    stuck: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    steps: dict[str, StepTally] = field(default_factory=dict)
    arms: dict[str, dict[str, int]] = field(default_factory=dict)
    endpoints: dict[str, CallTally] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    goals: dict[str, GoalTally] = field(default_factory=dict)
    failures: tuple[FailureSeen, ...] = ()

    @classmethod
    def of(cls, program: Program, version: int | None) -> Summary:
        """The summary of a run of ``program`` in which nothing happened yet: every step and every
        endpoint it names stand in it, in the file's order."""
        steps = [node.step for node in program.nodes]
        called = {step.id: step.endpoint for step in steps if isinstance(step, CallApiStep)}
        return cls(
            journey=program.journey.journey,
            version=version,
            steps={step.id: StepTally(called.get(step.id)) for step in steps},
            endpoints={name: CallTally() for name in sorted(called.values())},
            goals={goal.name: GoalTally() for goal in program.journey.goals},
        )

    def groups(self, goal: str) -> tuple[int, int]:
        """Of how many a goal can have counted: those treated, and those held out."""
        of = self.goals[goal].of
        if of is not None:
            return of
        held_out = self.outcomes.get(HELD_OUT, 0)
        return self.entered - held_out, held_out

    @property
    def refused(self) -> int:
        """Users not admitted."""
        return sum(self.refusals.values())

    @property
    def failed(self) -> int:
        """Steps that failed."""
        return sum(step.failed for step in self.steps.values())

    @property
    def left_by_failure(self) -> int:
        """Passages that a failure ended: of a call with ``on_failure: exit``, or the step limit."""
        return sum(
            n
            for outcome, n in self.outcomes.items()
            if outcome == "step_limit" or outcome.startswith("failed:")
        )

    @property
    def calls(self) -> CallTally:
        """The calls to all endpoints."""
        every = self.endpoints.values()
        return CallTally(
            sum(one.succeeded for one in every),
            sum(one.failed for one in every),
            sum(one.attempts for one in every),
        )

    def count(
        self, program: Program, step: int, status: str, failure: str, n: int, attempts: int
    ) -> None:
        """Count ``n`` executions of a step with the same ``status`` and ``failure`` ('': none)."""
        taken = program.nodes[step].step
        tally = self.steps.setdefault(taken.id, StepTally())
        setattr(tally, status, getattr(tally, status) + n)
        if failure and n:  # sent again and answered, a failure is none any more
            tally.failures[failure] = tally.failures.get(failure, 0) + n
        if isinstance(taken, CallApiStep):
            calls = self.endpoints.setdefault(taken.endpoint, CallTally())
            calls.attempts += attempts
            if status == "succeeded":
                calls.succeeded += n
            elif status == "failed" and failure != STEP_LIMIT:
                calls.failed += n

    def enter(self, program: Program, step: int, n: int = 1) -> None:
        """Count ``n`` users who came to a step."""
        self.steps.setdefault(program.nodes[step].step.id, StepTally()).entered += n

    def take_arm(self, program: Program, step: int, arm: str, n: int = 1) -> None:
        """Count ``n`` users who took an arm."""
        arms = self.arms.setdefault(program.nodes[step].step.id, {})
        arms[arm] = arms.get(arm, 0) + n

    def run_before(self) -> Summary:
        """The same summary for a second launch of what was finished: nobody enters again."""
        refused = self.entered + self.refused
        return replace(self, entered=0, refusals={"already_ran": refused} if refused else {})


class Event(Protocol):
    """What an observer is told; :class:`~engine.core.interpreter.simulate.Happened` is one."""

    @property
    def passage(self) -> Passage:
        """Whose it is."""
        ...

    @property
    def execution(self) -> Execution | None:
        """The step taken."""
        ...

    @property
    def what(self) -> str:
        """What else happened: entered, refused, goal, ended, stays."""
        ...

    @property
    def text(self) -> str:
        """The reason, the goal's name, or the outcome."""
        ...


class Tallying:
    """Makes the summary of a simulation from everything that happens in it, as it happens."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._summary = Summary.of(program, None)
        self._taken: dict[tuple[int, Status, str | None, str | None], list[int]] = {}
        self._examples: dict[tuple[int, str], tuple[str, str]] = {}

    def add(self, event: Event) -> None:
        """Count what happened."""
        if event.execution is not None:
            self._take(event.passage, event.execution)
            return
        summary, passage = self._summary, event.passage
        match event.what:
            case "entered":
                summary.entered += 1
            case "refused":
                summary.refusals[event.text] = summary.refusals.get(event.text, 0) + 1
            case "goal":
                tally = summary.goals.setdefault(event.text, GoalTally())
                if passage.outcome == HELD_OUT:
                    tally.held_out += 1
                else:
                    tally.met += 1
            case "ended":
                summary.finished += 1
                summary.outcomes[event.text] = summary.outcomes.get(event.text, 0) + 1
            case "stays":
                summary.waiting += 1
                summary.stuck += passage.state is State.WAITING and passage.wake_at is None
                summary.enter(self._program, passage.position)

    def summary(self) -> Summary:
        """What became of everybody so far."""
        summary, failures = self._steps_taken()
        frequent = sorted(failures.items(), key=lambda item: (-item[1], item[0]))
        return replace(
            summary,
            outcomes=by_frequency(summary.outcomes),
            failures=tuple(
                FailureSeen(self._id(step), code, times, *self._examples[step, code])
                for (step, code), times in frequent[:MOST_FAILURES]
            ),
        )

    def _take(self, passage: Passage, execution: Execution) -> None:
        step, failure = execution.step, execution.failure
        key = step, execution.status, failure, execution.arm
        counted = self._taken.get(key)
        if counted is None:
            counted = self._taken[key] = [0, 0]
            if execution.status == "failed":
                example = passage.user.id, execution.text
                self._examples.setdefault((step, failure or ""), example)
        counted[0] += 1
        counted[1] += execution.attempts

    def _steps_taken(self) -> tuple[Summary, Counter[tuple[int, str]]]:
        """The summary with the steps taken so far in it, and how often which failed how."""
        summary, program = deepcopy(self._summary), self._program
        failures: Counter[tuple[int, str]] = Counter()
        for (step, status, failure, arm), (n, attempts) in self._taken.items():
            summary.enter(program, step, n)
            summary.count(program, step, status, failure or "", n, attempts)
            if arm is not None:
                summary.take_arm(program, step, arm, n)
            if status == "failed":
                failures[step, failure or ""] += n
        return summary, failures

    def _id(self, step: int) -> str:
        return self._program.nodes[step].step.id


def by_frequency(counts: dict[str, int]) -> dict[str, int]:
    """``counts``, the largest first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
