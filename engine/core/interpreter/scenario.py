"""Scenarios, run: one user's way on a virtual clock, compared with the one expected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.core.dsl.program import Node, Program
from engine.core.expressions.calendar import find_zone, from_instant
from engine.core.expressions.scope import UTC_ZONE
from engine.core.guarded_json import dumps
from engine.core.interpreter.advance import World
from engine.core.interpreter.contact import governed, without_holdout
from engine.core.interpreter.scripted import JSON, NO_CONNECTION, TIMEOUT, ScriptedAnswers
from engine.core.interpreter.simulate import simulate
from engine.core.message import Answer
from engine.core.steps.base import End, Move
from engine.core.steps.facts import Change, Event
from engine.core.steps.split import SplitStep

if TYPE_CHECKING:
    from engine.core.dsl.contact_policy import ContactPolicy
    from engine.core.dsl.program import Step
    from engine.core.dsl.scenario import Expect, Reply, Scenario
    from engine.core.expressions.grammar import Expression
    from engine.core.interpreter.simulate import Happened
    from engine.core.interpreter.state import Execution, Passage
    from engine.core.steps.base import Call, Exit, Result, View
    from engine.core.steps.facts import Fact
    from engine.core.steps.terms import Terms

_TEXT = {"content-type": "text/plain; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that went another way: ``what`` (as in ``steps.greet``), and both in words."""

    what: str
    expected: str
    taken: str


@dataclass(slots=True)
class _Way:
    """What became of the user, gathered as it happens."""

    passages: list[Passage] = field(default_factory=list)
    executions: list[tuple[Passage, Execution]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    goals: list[str] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)

    def add(self, event: Happened) -> None:
        if event.execution is not None:
            self.executions.append((event.passage, event.execution))
        elif event.what == "entered":
            self.passages.append(event.passage)
        elif event.what == "refused":
            self.refusals.append(event.text)
        elif event.what == "goal":
            self.goals.append(event.text)


@dataclass(frozen=True, slots=True)
class _Traveller:
    """The user as a simulation takes him."""

    id: str
    timezone: str | None
    attributes: Mapping[str, object]
    inputs: dict[str, object]


def run_scenario(
    program: Program,
    scenario: Scenario,
    terms: Mapping[str, Terms],
    policy: ContactPolicy | None = None,
) -> tuple[Difference, ...]:
    """How the way taken differs from the one expected; nothing if it doesn't."""
    way = _Way()
    for event in take(program, scenario, terms, way.requests, policy):
        way.add(event)
    zone = find_zone(scenario.user.timezone or program.journey.timezone or "") or UTC_ZONE
    said = _Comparison(program, way, lambda at: f"{from_instant(at, zone).isoformat()}")
    return tuple(said.differences(scenario.expect))


def take(
    program: Program,
    scenario: Scenario,
    terms: Mapping[str, Terms],
    requests: Counter[str] | None = None,
    policy: ContactPolicy | None = None,
) -> Iterator[Happened]:
    """Everything that happens in a scenario, in order of time. ``requests`` counts what was sent to
    each endpoint; contact ``policy`` holds, but its holdout only if the scenario wants it.
    """
    answers = ScriptedAnswers(replies(scenario), terms)

    def answer(call: Call, number: int) -> Answer:
        if requests is not None:
            requests[call.endpoint] += 1
        return answers(call, number)

    enter, user = scenario.enter, scenario.user
    inputs = dict(enter.inputs) if enter is not None else {}
    facts = facts_of(scenario)
    return simulate(
        fixed(program, scenario, policy),
        [_Traveller(user.id, user.timezone, user.attributes, inputs)],
        World(terms),
        answer,
        scenario.starts_at,
        None if scenario.until is None else scenario.until.at,
        facts=lambda _: facts,
        triggered=enter is None,
    )


def facts_of(scenario: Scenario) -> list[Fact]:
    """What happens to the user from outside."""
    facts: list[Fact] = []
    for one in scenario.events:
        if one.event is not None:
            facts.append(Event(0, one.at.at, one.event, one.properties, one.id))
        else:
            facts.append(Change(0, one.at.at, one.attributes or {}, {}))
    return facts


def replies(scenario: Scenario) -> dict[str, list[Answer]]:
    """What endpoints answer in a scenario."""
    return {name: [_answer(one) for one in said] for name, said in scenario.answers.items()}


def _answer(reply: Reply) -> Answer:
    if reply.never is not None:
        return TIMEOUT if reply.never == "timeout" else NO_CONNECTION
    headers = {name.lower(): value for name, value in reply.headers.items()}
    if reply.text is not None:
        return Answer(reply.status, _TEXT | headers, reply.text.encode(errors="replace"))
    body = dumps(reply.body) if "body" in reply.model_fields_set else b"{}"
    return Answer(reply.status, JSON | headers, body)


def fixed(program: Program, scenario: Scenario, policy: ContactPolicy | None = None) -> Program:
    """The journey with the arms that a scenario fixes, and without holdout unless it wants it;
    contact ``policy`` holds.
    """
    journey = program.journey
    program = governed(program, policy if scenario.holdout else without_holdout(policy))
    if not scenario.holdout and journey.entry.holdout:
        entry = journey.entry.model_copy(update={"holdout": 0.0})
        journey = journey.model_copy(update={"entry": entry})
    if not scenario.arms:
        return replace(program, journey=journey)
    nodes = tuple(_fixed(node, scenario.arms) for node in program.nodes)
    return replace(program, journey=journey, nodes=nodes)


def _fixed(node: Node, arms: Mapping[str, str]) -> Node:
    step = node.step
    if not isinstance(step, SplitStep) or step.id not in arms:
        return node
    names = [arm.name for arm in step.arms]
    if arms[step.id] not in names:  # a version that hasn't got this arm
        return node
    return replace(node, step=_FixedSplit(step, names.index(arms[step.id])))


@dataclass(frozen=True, slots=True)
class _FixedSplit:
    """A split that takes the same arm for everybody."""

    split: SplitStep
    number: int
    type: str = "split"
    next: str | None = None  # where it leads is in the program already

    @property
    def id(self) -> str:
        return self.split.id

    @property
    def when(self) -> Expression | None:
        return self.split.when

    def exits(self) -> tuple[Exit, ...]:
        return self.split.exits()

    def decide(self, view: View) -> Move:
        return Move(self.number, arm=self.split.arms[self.number].name)

    def resume(self, view: View, result: Result) -> Move:
        raise TypeError("a split makes no calls")

    def failed(
        self, view: View, failure: str, text: str, http_status: int | None = None
    ) -> Move | End:
        return self.split.failed(view, failure, text, http_status)

    def heed(self, view: View, fact: Fact) -> None:
        return None


class _Comparison:
    """Says in words where a way differs from the one expected."""

    def __init__(self, program: Program, way: _Way, clock: Callable[[int], str]) -> None:
        self._program = program
        self._way = way
        self._clock = clock

    def differences(self, expect: Expect) -> Iterator[Difference]:
        """Every difference, in the order in which ``expect`` is documented."""
        way = self._way
        if expect.entered is not None and expect.entered != len(way.passages):
            yield Difference(
                "entered", f"{expect.entered}", f"{len(way.passages)}{self._refused()}"
            )
        if expect.refused is not None and expect.refused not in way.refusals:
            yield Difference("refused", expect.refused, ", ".join(way.refusals) or "not refused")
        yield from self._steps(expect)
        for moment, step in expect.waiting_at.items():
            stood = self._stood_at(moment.at)
            if stood != step:
                yield Difference(f"waiting_at {moment.text}", step, stood or self._nowhere())
        for name, number in expect.calls.items():
            if way.requests[name] != number:
                yield Difference(f"calls.{name}", f"{number}", f"{way.requests[name]}")
        yield from self._ending(expect)

    def _steps(self, expect: Expect) -> Iterator[Difference]:
        last = {execution.step: execution for _, execution in self._way.executions}
        for name, status in expect.steps.items():
            execution = last.get(self._program.numbers[name])
            taken = "not_taken" if execution is None else execution.status
            if taken != status:
                yield Difference(f"steps.{name}", status, self._told(execution))

    def _told(self, execution: Execution | None) -> str:
        if execution is None:
            return f"not_taken{self._refused()}"
        why = ": ".join(part for part in (execution.failure, execution.text) if part)
        at = self._clock(execution.ended_at)
        return f"{execution.status}{f' ({why})' if why else ''} at {at}"

    def _stood_at(self, at: int) -> str | None:
        for _, execution in self._way.executions:
            if execution.started_at <= at < execution.ended_at:
                return self._name(execution.step)
        for passage in self._way.passages:
            if passage.ended_at is None and 0 < passage.started <= at:
                return self._name(passage.position)
        return None

    def _nowhere(self) -> str:
        ends = [self._end_of(passage) for passage in self._way.passages]
        return f"nowhere{self._refused()}" if not ends else f"nowhere: {ends[-1]}"

    def _ending(self, expect: Expect) -> Iterator[Difference]:
        last = self._way.passages[-1] if self._way.passages else None
        end = f"never entered{self._refused()}" if last is None else self._end_of(last)
        if expect.goal is not None and expect.goal not in self._way.goals:
            met = ", ".join(self._way.goals)
            yield Difference("goal", expect.goal, met or f"no goal; {end}")
        if expect.outcome is not None and (last is None or last.outcome != expect.outcome):
            yield Difference("outcome", expect.outcome, end)
        if expect.ends_at is not None and (last is None or last.ended_at != expect.ends_at.at):
            yield Difference("ends_at", expect.ends_at.text, end)

    def _end_of(self, passage: Passage) -> str:
        if passage.ended_at is None:
            return f"he still stands at {self._name(passage.position)}"
        return f"{passage.outcome} at {self._clock(passage.ended_at)}"

    def _refused(self) -> str:
        return f" (refused: {', '.join(self._way.refusals)})" if self._way.refusals else ""

    def _name(self, step: int) -> str:
        found: Step = self._program.nodes[step].step
        return found.id
