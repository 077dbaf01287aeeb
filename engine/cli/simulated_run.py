"""``run-journey --simulate``: nothing is sent, nothing is stored."""

from __future__ import annotations

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
from engine.core.expressions.calendar import find_zone
from engine.core.interpreter.advance import World
from engine.core.interpreter.contact import governed
from engine.core.interpreter.scenario import facts_of, fixed, replies
from engine.core.interpreter.scripted import ScriptedAnswers
from engine.core.interpreter.simulate import simulate
from engine.core.steps.call_api import CallApiStep
from engine.enrollments.summary import Tallying

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.cli.launch import Launch
    from engine.cli.show.output import Output
    from engine.core.dsl.program import Program
    from engine.core.interpreter.simulate import Happened
    from engine.core.steps.terms import Terms
    from engine.enrollments.summary import Summary


def simulated(launch: Launch) -> Summary:
    """Simulate, print it as it happens, and its summary."""
    output, settings = launch.output, launch.settings
    program = compile_journey(launch.loaded.journey)
    beside = _beside(launch)
    terms, policy = beside.terms, beside.contact_policy
    answers = _answers(launch, terms)
    _say_what_is_assumed(launch, program, terms, answers)
    facts, triggered = None, launch.triggered
    if launch.scenario is not None:
        came = facts_of(launch.scenario)
        program = fixed(program, launch.scenario, policy)
        facts, triggered = (lambda _: came), launch.scenario.enter is None
    else:
        program = governed(program, policy)
        if launch.events is not None:
            facts = launch.events.of
    start = _start(launch)
    horizon = _horizon(launch, start)
    world = World(terms, settings.timezone)
    tally = Tallying(program)
    output.progress.total = launch.total
    with exchanges(launch, terms.values(), answers) as exchanging:
        for event in simulate(
            program,
            launch.population(),
            world,
            answers,
            start,
            horizon,
            facts=facts,
            triggered=triggered,
            exchanges=exchanging,
        ):
            tally.add(event)
            _progress(output, program, event)
            output.event(event)
    summary = tally.summary()
    _tell(launch, program, summary, start)
    return summary


def _tell(launch: Launch, program: Program, summary: Summary, start: int) -> None:
    """How it ended, and the page with it."""
    zone = find_zone(launch.settings.timezone)
    when = f" · from {date_and_time(start, zone)}" if zone else ""
    about = f"{users_in_words(launch.total)}{when}"
    launch.output.summary(summary, about)
    if launch.invocation.html is not None:
        from engine.cli.output_file import write
        from engine.cli.show.page import page

        write(launch.invocation.html, page(program, summary, f"simulated · {about}"))


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


def _answers(launch: Launch, terms: Mapping[str, Terms]) -> ScriptedAnswers:
    try:
        scripts = read_answers(launch.invocation.answers, launch.loaded.checked.endpoints)
    except BadAnswer as bad:
        raise click.BadParameter(str(bad), param_hint="--answer") from None
    if launch.scenario is not None:
        scripts = {**replies(launch.scenario), **scripts}
    return ScriptedAnswers(scripts, terms)


def _say_what_is_assumed(
    launch: Launch, program: Program, terms: Mapping[str, Terms], answers: ScriptedAnswers
) -> None:
    """Say when users enter if it isn't as the clock would have it, and name the steps that read an
    answer's body where no answer is scripted.
    """
    if launch.scenario is not None or launch.invocation.replay is not None:
        return
    if not launch.triggered and by_the_clock(program.journey.entry.triggers):
        launch.output.note(
            "everybody enters at the beginning: with --for DUR the journey's schedules and dates"
            " let users in"
        )
    unscripted: dict[str, list[str]] = {}
    for node in program.nodes:
        step = node.step
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


def _progress(output: Output, program: Program, event: Happened) -> None:
    execution = event.execution
    if execution is None:
        output.progress.add(users=event.what in ("ended", "stays", "refused"))
        return
    failed = execution.status == "failed"
    called = program.nodes[execution.step].step.type == "call_api" and execution.attempts > 0
    output.progress.add(calls=called, failures=failed)
