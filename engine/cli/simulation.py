"""A simulation, made ready from a launch: what endpoints say, when it begins, and what happens."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from engine.cli.endpoint_terms import Beside, terms_beside
from engine.cli.recorded import exchanges
from engine.cli.scripted_answers import BadAnswer, read_answers
from engine.cli.show.moments import date_and_time
from engine.cli.show.table import users_in_words
from engine.clock import wall
from engine.core.dsl.problems import did_you_mean
from engine.core.dsl.program import compile_journey
from engine.core.dsl.trigger import by_the_clock
from engine.core.interpreter.advance import World
from engine.core.interpreter.contact import governed
from engine.core.interpreter.scenario import facts_of, fixed, replies
from engine.core.interpreter.scripted import ScriptedAnswers
from engine.core.interpreter.simulate import simulate
from engine.core.steps.call_api import CallApiStep
from engine.operations.zone import installation_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from engine.cli.launch import Launch
    from engine.core.dsl.journey import Journey
    from engine.core.dsl.program import Program
    from engine.core.interpreter.simulate import Exchange, Facts, Happened
    from engine.core.steps.terms import Terms
    from engine.users.row import UserRow


@dataclass(frozen=True, slots=True)
class Simulation:
    """Everything but the journey. ``start`` and ``horizon`` are microseconds UTC (no horizon: as
    long as anything can happen).
    """

    launch: Launch
    beside: Beside
    answers: ScriptedAnswers
    start: int
    horizon: int | None
    exchanging: Callable[[str], Exchange] | None

    def program(self, journey: Journey) -> Program:
        """``journey`` as it is simulated: under the contact policy, and as the scenario wants."""
        program, policy = compile_journey(journey), self.beside.contact_policy
        if self.launch.scenario is not None:
            return fixed(program, self.launch.scenario, policy)
        return governed(program, policy)

    def of(self, program: Program, users: Iterable[UserRow]) -> Iterator[Happened]:
        """Everything that happens to ``users``."""
        launch, scenario = self.launch, self.launch.scenario
        facts: Facts | None = None if launch.events is None else launch.events.of
        triggered = launch.triggered
        if scenario is not None:
            came = facts_of(scenario)
            facts, triggered = (lambda _: came), scenario.enter is None
        return simulate(
            program,
            users,
            World(self.beside.terms, launch.settings.timezone),
            self.answers,
            self.start,
            self.horizon,
            facts=facts,
            triggered=triggered,
            exchanges=self.exchanging,
        )

    @property
    def about(self) -> str:
        """Who is simulated, and from when, in words."""
        when = date_and_time(self.start, installation_zone(self.launch.settings))
        return f"{users_in_words(self.launch.total)} · from {when}"


@contextmanager
def made_ready(launch: Launch, *, also_called: Iterable[str] = ()) -> Iterator[Simulation]:
    """The simulation of a launch, and what it assumes, told. ``also_called`` are endpoints that may
    be scripted besides the journey's own.

    Raises click.BadParameter, DefinitionError and OperatorError for files that can't be used.
    """
    beside = _beside(launch)
    answers = _answers(launch, beside.terms, also_called)
    _say_what_is_assumed(launch, beside.terms, answers)
    start = _start(launch)
    with exchanges(launch, beside.terms.values(), answers) as exchanging:
        yield Simulation(launch, beside, answers, start, _horizon(launch, start), exchanging)


def _start(launch: Launch) -> int:
    """``--now``; else when the scenario or the first event begins; else now."""
    if launch.start is not None:
        return launch.start
    if launch.scenario is not None:
        return launch.scenario.starts_at
    if launch.events is not None and launch.events.first_at is not None:
        return launch.events.first_at
    return wall()


def _horizon(launch: Launch, start: int) -> int | None:
    """``--for``; else where the scenario ends; None: as long as anything can happen."""
    if launch.horizon_us is not None:
        return start + launch.horizon_us
    until = None if launch.scenario is None else launch.scenario.until
    return None if until is None else until.at


def _beside(launch: Launch) -> Beside:
    """Terms and contact policy, from the file named or the one beside the journey."""
    beside = terms_beside(launch.invocation.file, launch.invocation.endpoints)
    if beside.file is None:
        return beside
    for name, steps in launch.loaded.checked.endpoints.items():
        if name not in beside.terms:
            hint = did_you_mean(name, beside.terms)
            launch.output.note(
                f"{beside.file} has no endpoint {name} (step {', '.join(steps)});"
                f" {hint or 'the defaults are taken'}"
            )
    return beside


def _answers(
    launch: Launch, terms: Mapping[str, Terms], also_called: Iterable[str]
) -> ScriptedAnswers:
    called = {*launch.loaded.checked.endpoints, *also_called}
    try:
        scripts = read_answers(launch.invocation.answers, called)
    except BadAnswer as bad:
        raise click.BadParameter(str(bad), param_hint="--answer") from None
    if launch.scenario is not None:
        scripts = {**replies(launch.scenario), **scripts}
    return ScriptedAnswers(scripts, terms)


def _say_what_is_assumed(
    launch: Launch, terms: Mapping[str, Terms], answers: ScriptedAnswers
) -> None:
    """Say when users enter if it isn't as the clock would have it, and name the steps that read an
    answer's body where no answer is scripted.
    """
    if launch.scenario is not None or launch.invocation.replay is not None:
        return
    if not launch.triggered and by_the_clock(launch.loaded.journey.entry.triggers):
        launch.output.note(
            "everybody enters at the beginning: with --for DUR the journey's schedules and dates"
            " let users in"
        )
    unscripted: dict[str, list[str]] = {}
    for _, step in launch.loaded.journey.all_steps():
        if isinstance(step, CallApiStep) and step.endpoint not in answers.endpoints:
            own = terms.get(step.endpoint)
            success = step.success or (own.success if own else None)
            if step.outputs or (success is not None and success.when is not None):
                unscripted.setdefault(step.endpoint, []).append(step.id)
    for name, steps in unscripted.items():
        launch.output.note(
            f"{name} answers 200 and {{}} here, and {', '.join(steps)} reads its answers:"
            f" --answer '{name}=200:{{...}}' says what they are"
        )
