"""One user's life in a simulation: his passages, and what happens to him, in order of time."""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from engine.core.interpreter.admit import admit, earlier_of
from engine.core.interpreter.batch import turn
from engine.core.interpreter.clock_triggers import UserClock
from engine.core.interpreter.listens import touches
from engine.core.interpreter.state import Passage, State
from engine.core.interpreter.triggers import let_in
from engine.core.interpreter.virtual import Answers, Asked, Exchange, Happened, VirtualPassage
from engine.core.interpreter.walk import MOST_DEPTH
from engine.core.interpreter.writes import write
from engine.core.steps.base import Emitted, Started
from engine.core.steps.facts import Change, Event, Past

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.core.dsl.program import Program
    from engine.core.interpreter.advance import World
    from engine.core.interpreter.batch import Turn
    from engine.core.interpreter.clock_triggers import ClockTriggers
    from engine.core.interpreter.state import User
    from engine.core.steps.facts import Fact


def _in_turn(one: VirtualPassage) -> Turn:
    return turn(one.passage)


def _each_once(facts: Iterable[Fact]) -> Iterator[Fact]:
    """Facts without those of an id that came before."""
    ids: set[str] = set()
    for fact in facts:
        if fact.id is not None:
            if fact.id in ids:
                continue
            ids.add(fact.id)
        yield fact


@dataclass(slots=True, frozen=True)
class Setting:
    """What all users of a simulation share."""

    program: Program
    world: World
    answers: Answers
    start: int
    horizon: int | None
    triggered: bool
    clocks: ClockTriggers | None
    exchanges: Callable[[str], Exchange] | None
    ids: Iterator[int] = field(default_factory=lambda: count(1))


class Life:
    """One user's time: his passages and what happens to him."""

    def __init__(self, setting: Setting, user: User, facts: Iterable[Fact]) -> None:
        self._setting = setting
        self._user = user
        self._facts = deque(_each_once(facts))
        self._made: deque[Fact] = deque()
        self._passages: list[VirtualPassage] = []
        self._asked = Asked()
        self._seq = 0
        self._now = setting.start
        self._clock = None if setting.clocks is None else UserClock(setting.clocks)
        self._exchange = None if setting.exchanges is None else setting.exchanges(user.id)

    def all(self, inputs: dict[str, object]) -> Iterator[Happened]:
        """Everything that happens to him."""
        while self._facts and self._facts[0].at < self._now:
            self._receive(self._facts.popleft())
        if self._clock is not None:
            self._clock.look(self._candidate({}, None))
        moved = None if self._setting.triggered else self._enter(inputs, None)
        while (moved := moved or self._next()) is not None:
            yield from moved
            while self._made:
                yield from self._apply(self._made.popleft())
            moved = None
        for one in self._passages:
            if one.passage.state is not State.ENDED:
                yield Happened(one.passage, self._now, what="stays")

    def _next(self) -> Iterator[Happened] | None:
        """What happens next, facts before clocks; None: nothing up to the horizon."""
        first: VirtualPassage | UserClock | None
        at, first = self._first_to_act()
        enters = None if self._clock is None else self._clock.next_at
        if (
            enters is not None
            and self._is_near(enters)
            and (first is None or (enters, 0) < (at, first.sends))
        ):
            at, first = enters, self._clock
        fact = self._facts[0] if self._facts else None
        if fact is not None and self._is_near(fact.at) and (first is None or fact.at <= at):
            self._now = max(self._now, fact.at)
            return self._apply(self._facts.popleft())
        if first is None:
            return None
        self._now = max(self._now, at)
        return self._enter_at(first) if isinstance(first, UserClock) else self._act(first)

    def _first_to_act(self) -> tuple[int, VirtualPassage | None]:
        """The passage whose turn is next, and when."""
        first, when = None, 0
        for one in self._passages:
            at = one.next_at
            if at is None or (one.sleeps and not self._is_near(at)):
                continue
            if first is None or (at, one.sends) < (when, first.sends):
                first, when = one, at
        return when, first

    def _is_near(self, at: int) -> bool:
        return self._setting.horizon is None or at <= self._setting.horizon

    def _act(self, one: VirtualPassage) -> Iterator[Happened]:
        yield from one.act(self._now)
        yield from self._pass_by(one)
        self._take_made(one)

    def _pass_by(self, one: VirtualPassage) -> Iterator[Happened]:
        """What waits for the end of another journey's passage goes on: no other is simulated."""
        while any(isinstance(made, Started) and made.awaited for made in one.made):
            one.made = [made for made in one.made if isinstance(made, Emitted)]
            yield from one.rejoin(self._now, "not simulated")

    def _apply(self, fact: Fact) -> Iterator[Happened]:
        """Tell everybody whom a fact touches, then let in whom it lets in."""
        received = self._receive(fact)
        if received is None:
            return
        for one in self._touched(received):
            if isinstance(received, Event):
                yield Happened(one.passage, self._now, what="event", text=received.name)
            yield from one.hear(self._now, (received,))
            yield from self._pass_by(one)
            self._take_made(one)
        if self._setting.triggered and self._setting.program.journey.entry.triggers:
            candidate = self._candidate({}, received)
            for set_off in let_in(candidate, received, self._setting.world):
                if set_off.inputs is not None:
                    yield from self._enter(set_off.inputs, received)
        if self._clock is not None and isinstance(received, Change):
            self._clock.look(self._candidate({}, received))

    def _enter_at(self, clock: UserClock) -> Iterator[Happened]:
        for inputs in clock.take(self._candidate({}, None)):
            yield from self._enter(inputs, None)

    def _receive(self, fact: Fact) -> Fact | None:
        """Give a fact its number and make it known; None: nothing changed."""
        self._seq += 1
        if isinstance(fact, Event):
            event = replace(fact, seq=self._seq)
            if self._user.past is None:
                self._user.past = Past()
            self._user.past.add(event)
            return event
        before = fact.before or write(self._user, fact.values)
        if not before:
            return None
        values = {name: fact.values.get(name) for name in before}
        return replace(fact, seq=self._seq, values=values, before=before)

    def _touched(self, fact: Fact) -> list[VirtualPassage]:
        return [one for one in self._passages if touches(one.passage, fact)]

    def _take_made(self, one: VirtualPassage) -> None:
        """Make facts of what steps emitted and wrote."""
        if not one.made and not one.before:
            return
        depth = one.passage.depth + 1
        for made in one.made:
            if isinstance(made, Emitted):
                self._made.append(Event(0, self._now, made.name, made.properties, None, depth))
        one.made.clear()
        if one.before:
            known = {**self._user.attributes, "timezone": self._user.timezone}
            values = {name: known.get(name) for name in one.before}
            self._made.append(Change(0, self._now, values, one.before, depth))
            one.before = {}

    def _candidate(self, inputs: dict[str, object], by: Fact | None) -> Passage:
        return Passage(
            id=0,
            user=self._user,
            program=self._setting.program,
            key="",
            entered_at=self._now,
            inputs=inputs,
            position=self._setting.program.first,
            entered_seq=self._seq,
            seen_seq=self._seq,
            depth=by.depth if by is not None else 0,
            began=self._now if by is None else min(self._now, by.at),
        )

    def _enter(self, inputs: dict[str, object], by: Fact | None) -> Iterator[Happened]:
        passage = self._candidate(inputs, by)
        passage.id = next(self._setting.ids)
        refusal = "depth"
        if passage.depth <= MOST_DEPTH:
            earlier = [earlier_of(one.passage) for one in reversed(self._passages)]
            admission = admit(passage, self._setting.world, earlier)
            refusal = admission.refusal or ""
            if admission.restarts is not None:
                yield from self._restart(admission.restarts.id)
        if refusal:
            yield Happened(passage, self._now, what="refused", text=refusal)
            return
        yield Happened(passage, self._now, what="entered")
        shared = self._setting.world, self._setting.answers, self._asked, self._exchange
        entered = VirtualPassage(passage, *shared)
        insort(self._passages, entered, key=_in_turn)
        if passage.state is State.ENDED:
            entered.next_at = None
            yield Happened(passage, self._now, what="ended", text=passage.outcome or "")
        else:
            yield from self._act(entered)

    def _restart(self, number: int) -> Iterator[Happened]:
        live = next(one for one in self._passages if one.passage.id == number)
        yield from live.leave(self._now, "restarted")
        self._take_made(live)
