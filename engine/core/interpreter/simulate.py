"""A journey on a virtual clock: real decisions, scripted answers, no database and no network.

Everything a live run decides is decided here by the same code: who enters, arms, holdout, waits on
the user's wall clock, retries and their pauses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from engine.core.expressions.assignment import bucket_of
from engine.core.interpreter.admit import admit
from engine.core.interpreter.advance import advance
from engine.core.interpreter.state import Passage, State, User
from engine.core.steps.base import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.dsl.program import Program
    from engine.core.interpreter.advance import World
    from engine.core.interpreter.state import Advanced, Execution
    from engine.core.message import Answer
    from engine.core.steps.base import Call

Answers = Callable[["Call", int], "Answer"]
"""What answers: the call, and how many requests this user sent to its endpoint before (from 0)."""


class Arriving(Protocol):
    """A user who is to be taken through the journey; values are JSON."""

    @property
    def id(self) -> str:
        """The user's id."""
        ...

    @property
    def timezone(self) -> str | None:
        """His IANA zone."""
        ...

    @property
    def attributes(self) -> Mapping[str, object]:
        """What is known of him; null stands for nothing."""
        ...

    @property
    def inputs(self) -> dict[str, object]:
        """What he enters with."""
        ...


@dataclass(slots=True, frozen=True)
class Happened:
    """Something a passage went through at the instant ``at`` (microseconds UTC).

    Either a step was taken (``execution``; ``call`` is what it sent, if it did), or ``what`` else
    happened, with ``text`` in words: it entered, was refused (``text`` is the reason), waits, tries
    a call again (``text`` is the failure), ended (``text`` is the outcome), or stays: nothing more
    happens up to the horizon. The passage is live: it shows what it is when this is read.
    """

    passage: Passage
    at: int
    execution: Execution | None = None
    call: Call | None = None
    what: Literal["", "entered", "refused", "waits", "again", "ended", "stays"] = ""
    text: str = ""


def simulate(
    program: Program,
    users: Iterable[Arriving],
    world: World,
    answers: Answers,
    start: int,
    horizon: int | None = None,
) -> Iterator[Happened]:
    """Take ``users``, one after another, through a journey that all enter at ``start``.

    What happens to one user comes in order of time. Sleepers are woken up to the instant
    ``horizon`` (None: as long as anything can happen); a retry is no sleep and is always made. An
    answer's ``elapsed_us`` passes on the clock. Memory doesn't grow with the users.
    """
    for number, row in enumerate(users, 1):
        known = {name: value for name, value in row.attributes.items() if value is not None}
        passage = Passage(
            id=number,
            user=User(row.id, bucket_of(row.id), row.timezone, known),
            program=program,
            key="",
            entered_at=start,
            inputs=row.inputs,
            position=program.first,
        )
        yield from _Passing(passage, world, answers, horizon).all()


class _Passing:
    """One passage from its entry to its end, or to the horizon."""

    __slots__ = ("_answers", "_asked", "_horizon", "_now", "_passage", "_result", "_sent", "_world")

    def __init__(
        self, passage: Passage, world: World, answers: Answers, horizon: int | None
    ) -> None:
        self._passage = passage
        self._world = world
        self._answers = answers
        self._horizon = horizon
        self._now = passage.entered_at
        self._asked: dict[str, int] = {}
        self._sent: Call | None = None
        self._result: Result | None = None

    def all(self) -> Iterator[Happened]:
        """Everything that happens."""
        refusal = admit(self._passage, self._world, ()).refusal
        if refusal is not None:
            yield self._happened("refused", refusal)
            return
        yield self._happened("entered")
        while self._passage.state is not State.ENDED:
            advanced = advance(self._passage, self._now, self._world, self._result)
            yield from self._taken(advanced)
            if advanced.again is not None:
                yield self._happened("again", advanced.again.failure)
                self._now = max(self._now, advanced.again.at)
                self._send(self._result)
            elif advanced.call is not None:
                self._sent = advanced.call
                self._send(None)
            elif self._passage.state is State.WAITING:
                self._result = None
                yield self._happened("waits", advanced.wait_text)
                wake_at = self._passage.wake_at
                if wake_at is None or (self._horizon is not None and wake_at > self._horizon):
                    yield self._happened("stays")
                    return
                self._now = max(self._now, wake_at)
        yield self._happened("ended", self._passage.outcome or "")

    def _taken(self, advanced: Advanced) -> Iterator[Happened]:
        """The steps taken; the first of them is the one that an answer was for."""
        answered = self._result is not None and advanced.again is None
        for execution in advanced.executions:
            yield Happened(
                self._passage, self._now, execution, call=self._sent if answered else None
            )
            answered = False

    def _send(self, before: Result | None) -> None:
        """Make an attempt of the present call; ``before`` is what became of the ones so far."""
        call = self._sent
        assert call is not None  # noqa: S101 - for the type checker
        number = self._asked.get(call.endpoint, 0)
        self._asked[call.endpoint] = number + 1
        answer = self._answers(call, number)
        on_the_wire = bool(answer.status or answer.may_have_been_sent)
        self._result = Result(
            answer=answer,
            failure=answer.failure,
            text=answer.text,
            attempts=(before.attempts if before else 0) + on_the_wire,
            tries=(before.tries if before else 0) + 1,
            first_at=before.first_at if before else self._now,
        )
        self._now += answer.elapsed_us

    def _happened(
        self,
        what: Literal["entered", "refused", "waits", "again", "ended", "stays"],
        text: str = "",
    ) -> Happened:
        call = self._sent if what == "again" else None
        return Happened(self._passage, self._now, call=call, what=what, text=text)
