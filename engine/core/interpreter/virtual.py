"""One passage on a virtual clock: what it does next and when, with its calls answered by script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from engine.core.interpreter.advance import advance, drop, leave, rejoin
from engine.core.interpreter.state import State
from engine.core.steps.answers import counted_from
from engine.core.steps.base import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.core.interpreter.advance import World
    from engine.core.interpreter.state import Advanced, Execution, Passage
    from engine.core.message import Answer
    from engine.core.steps.base import Call, Emitted, Started
    from engine.core.steps.facts import Fact

Answers = Callable[["Call", int], "Answer"]
"""What answers: the call, and how many requests this user sent to its endpoint before (from 0)."""


@dataclass(slots=True)
class Exchanged:
    """One attempt of a call, made: its answer, how many requests it put on the wire (resends
    counted), and the version of the credential they carried.
    """

    answer: Answer
    requests: int
    credential_version: int | None = None


Exchange = Callable[["Passage", "Call", int, int], Exchanged]
"""What answers one user where the call alone doesn't say it: his passage, the call, which attempt
of it this is (from 1), and how many requests he sent to its endpoint before.
"""

What = Literal["", "entered", "refused", "waits", "again", "ended", "stays", "event", "goal"]


@dataclass(slots=True)
class Happened:
    """Something a passage went through at the instant ``at`` (microseconds UTC).

    Either a step was taken (``execution``; ``call`` is what it sent, if it did), or ``what`` else
    happened, with ``text`` in words: it entered, was refused (``text`` is the reason), waits, tries
    a call again (``text`` is the failure), heard of an event (its name), met a goal (its name),
    ended (``text`` is the outcome), or stays: nothing more happens up to the horizon. The passage
    is live: it shows what it is when this is read. Nobody changes it; freezing it would take three
    times as long.
    """

    passage: Passage
    at: int
    execution: Execution | None = None
    call: Call | None = None
    what: What = ""
    text: str = ""


@dataclass(slots=True)
class Asked:
    """How many requests a user has sent to each endpoint, and how many calls were decided for him
    so far, through all his passages.
    """

    requests: dict[str, int] = field(default_factory=dict)
    calls: int = 0


class VirtualPassage:
    """A passage, and what it does next: at ``next_at`` it wakes, gets an answer or tries again
    (None: nothing, unless a fact moves it). ``made`` is what its steps made, and ``before`` what
    attributes that they set were before, until somebody takes them away.
    """

    __slots__ = (
        *("_answers", "_asked", "_call", "_exchange", "_failure", "_next", "_number", "_result"),
        *("_world", "before", "made", "next_at", "passage"),
    )

    def __init__(
        self,
        passage: Passage,
        world: World,
        answers: Answers,
        asked: Asked,
        exchange: Exchange | None = None,
    ) -> None:
        self.passage = passage
        self.next_at: int | None = passage.entered_at
        self.made: list[Emitted | Started] = []
        self.before: dict[str, object] = {}
        self._world = world
        self._answers = answers
        self._asked = asked
        self._exchange = exchange
        self._call: Call | None = None
        self._number = 0
        self._result: Result | None = None
        self._failure: str | None = None
        self._next: Literal["wake", "answer", "try"] = "wake"

    @property
    def sleeps(self) -> bool:
        """Whether it only waits: for a time, or for something to happen."""
        return self._next == "wake"

    @property
    def sends(self) -> int:
        """The number of its call among the user's if an attempt of it is what is next, else 0."""
        return self._number if self._next == "try" else 0

    def act(self, now: int) -> Iterator[Happened]:
        """Do what is next."""
        if self._next == "try":
            self._send(now)
            return iter(())
        result = self._result if self._next == "answer" else None
        return self._went(advance(self.passage, now, self._world, result), now)

    def hear(self, now: int, facts: Sequence[Fact]) -> Iterator[Happened]:
        """Be told of facts. Whose outcome they fix before an attempt doesn't make it."""
        had, sends = self.passage.outcome, self.sends
        yield from self._went(advance(self.passage, now, self._world, None, facts), now)
        if sends and had is None and self.passage.outcome is not None:
            yield from self._drop(now)

    def leave(self, now: int, outcome: str) -> Iterator[Happened]:
        """End it from outside; on_exit goes on."""
        sends = self.sends
        yield from self._went(leave(self.passage, now, self._world, outcome), now)
        if sends:
            yield from self._drop(now)

    def rejoin(self, now: int, text: str) -> Iterator[Happened]:
        """Go on from a step that waited for the end of a passage through another journey."""
        yield from self._went(rejoin(self.passage, now, self._world, text), now)

    def _drop(self, now: int) -> Iterator[Happened]:
        """Give up a call that waits to be tried; one that is on its way is answered."""
        attempts = self._result.attempts if self._result else 0
        dropped = drop(self.passage, now, self._world, attempts=attempts, failure=self._failure)
        yield from self._went(dropped, now)

    def _went(self, advanced: Advanced, now: int) -> Iterator[Happened]:
        passage = self.passage
        if advanced.makes:
            self.made += advanced.makes
        if advanced.before:
            self.before = {**advanced.before, **self.before}
        for number in advanced.goals:
            yield self._happened(now, "goal", passage.program.journey.goals[number].name)
        sent = self._call if self._result is not None and advanced.again is None else None
        for execution in advanced.executions:  # the first is the one that an answer was for
            yield Happened(passage, now, execution, call=sent)
            sent = None
        if advanced.again is not None:
            self._failure = advanced.again.failure
            yield self._happened(now, "again", advanced.again.failure)
            self._next, self.next_at = "try", max(now, advanced.again.at)
            if advanced.again.held_since is not None and self._result is not None:
                self._result.tries, self._result.first_at = 0, advanced.again.held_since
        elif advanced.call is not None:
            self._call, self._result = advanced.call, None
            self._asked.calls += 1
            self._number = self._asked.calls
            self._next, self.next_at = "try", now
        elif passage.state is State.ENDED:
            if self.next_at is not None:
                self.next_at = None
                yield self._happened(now, "ended", passage.outcome or "")
        elif passage.state is State.WAITING:
            self._result = None
            self._next, self.next_at = "wake", passage.wake_at
            if advanced.wait_text:
                yield self._happened(now, "waits", advanced.wait_text)

    def _send(self, now: int) -> None:
        """Make an attempt of the present call."""
        call, before = self._call, self._result
        assert call is not None  # noqa: S101 - for the type checker
        number = self._asked.requests.get(call.endpoint, 0)
        self._asked.requests[call.endpoint] = number + 1
        tries, version = (before.tries if before else 0) + 1, None
        if self._exchange is None:
            answer = self._answers(call, number)
            requests = 1 if answer.status or answer.may_have_been_sent else 0
        else:
            made = self._exchange(self.passage, call, tries, number)
            answer, requests, version = made.answer, made.requests, made.credential_version
        self._result = Result(
            answer=answer,
            failure=answer.failure,
            text=answer.text,
            attempts=(before.attempts if before else 0) + requests,
            tries=tries,
            first_at=now
            if before is None
            else counted_from(before.first_at, before.tries, now, answer.failure),
            credential_version=version,
        )
        self._next, self.next_at = "answer", now + answer.elapsed_us

    def _happened(self, at: int, what: What, text: str = "") -> Happened:
        call = self._call if what == "again" else None
        return Happened(self.passage, at, call=call, what=what, text=text)
