"""Text → scenarios, with every problem at once: of the text, of its pieces, and of its names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from engine.core.dsl.document import Document, Path
from engine.core.dsl.journey import Journey
from engine.core.dsl.model_problems import findings
from engine.core.dsl.problems import Place, did_you_mean, in_file_order, one_of, quoted
from engine.core.dsl.scenario import Scenario, ScenarioFile
from engine.core.dsl.source import Limits, compose
from engine.core.dsl.trigger import never_end
from engine.core.expressions.declared import fits
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.split import SplitStep
from engine.errors import DefinitionError, Problem

_LIMITS = Limits(bytes=8 * 1024 * 1024, nodes=1_000_000)
_MOST_ERRORS = 1_000
_UNKNOWN = {
    "arm": "arm.unknown",
    "endpoint": "endpoint.unknown",
    "goal": "goal.unknown",
    "input": "input.unknown",
    "split": "split.unknown",
    "step": "step.unknown",
}


class Scenarios(NamedTuple):
    """A file of scenarios that fits its journey; ``document`` knows where each of them stands."""

    file: ScenarioFile
    document: Document

    def line(self, number: int) -> int:
        """The line of scenario ``number``, counted from 0."""
        return self.document.place(("scenarios", number)).line


def read_scenarios(source: bytes, file: str) -> Scenarios:
    """Read a file of scenarios. Raises DefinitionError with every problem, in file order."""
    document = compose(source, file, limits=_LIMITS)
    problems = list(document.problems)
    if not isinstance(document.root.data, dict):
        remedy = "begin with `journey: NAME`, `scenarios:`"
        place = document.root.place
        message = "scenarios are a mapping"
        problems.append(document.lines.problem("scenario.shape", message, place, remedy))
    else:
        try:
            read = ScenarioFile.model_validate(document.root.data)
        except ValidationError as error:
            details = error.errors(include_url=False)[:_MOST_ERRORS]
            problems += [f.problem for f in findings(document, details, ScenarioFile)]
    if problems:
        raise DefinitionError(file, in_file_order(problems))
    return Scenarios(read, document)


def check_scenarios(scenarios: Scenarios, journey: Journey) -> None:
    """Raise DefinitionError for every name in the scenarios that ``journey`` doesn't have."""
    problems = list(_Checking(scenarios.document, journey).all(scenarios.file))
    if problems:
        raise DefinitionError(scenarios.document.file, in_file_order(problems))


def no_journey(scenarios: Scenarios, journey: str, reason: str) -> DefinitionError:
    """That the file ``journey``, which the scenarios belong to, can't be read for ``reason``."""
    document = scenarios.document
    place = document.place(("journey",))
    remedy = f"the journey of these scenarios is {journey}, beside them"
    problem = document.lines.problem("scenario.no_journey", reason, place, remedy)
    return DefinitionError(document.file, (problem,))


class _Checking:
    """Compares scenarios with a journey."""

    def __init__(self, document: Document, journey: Journey) -> None:
        self._document = document
        self._journey = journey
        steps = [step for _, step in journey.all_steps()]
        self._steps = {step.id for step in steps}
        self._arms = {
            step.id: [arm.name for arm in step.arms]
            for step in steps
            if isinstance(step, SplitStep)
        }
        self._endpoints = {step.endpoint for step in steps if isinstance(step, CallApiStep)}
        self._goals = [goal.name for goal in journey.goals]

    def all(self, file: ScenarioFile) -> Iterator[Problem]:
        """Every problem."""
        name = self._journey.journey
        if file.journey != name:
            message = f"the journey beside this file is {quoted(name)}"
            place = self._document.place(("journey",))
            yield self._document.lines.problem("scenario.journey", message, place, f"{name}?")
        for number, scenario in enumerate(file.scenarios):
            path: Path = ("scenarios", number)
            yield from self._names(scenario, path)
            yield from self._inputs(scenario, path)

    def _names(self, one: Scenario, path: Path) -> Iterator[Problem]:
        expect = (*path, "expect")
        yield from self._keys((*path, "answers"), one.answers, "endpoint", self._endpoints)
        yield from self._keys((*expect, "calls"), one.expect.calls, "endpoint", self._endpoints)
        yield from self._keys((*expect, "steps"), one.expect.steps, "step", self._steps)
        yield from self._keys((*path, "arms"), one.arms, "split", self._arms)
        for moment, step in one.expect.waiting_at.items():
            at = (*expect, "waiting_at", moment.text)
            yield from self._known(at, step, "step", self._steps)
        for split, arm in one.arms.items():
            if split in self._arms:
                yield from self._known((*path, "arms", split), arm, "arm", self._arms[split])
        if one.expect.goal is not None:
            yield from self._known((*expect, "goal"), one.expect.goal, "goal", self._goals)

    def _inputs(self, one: Scenario, path: Path) -> Iterator[Problem]:
        if one.enter is None:
            if not self._journey.entry.triggers:
                message = "the journey has no trigger that would let anybody in"
                yield self._problem("scenario.no_entry", message, path, "`enter: {at: ...}`")
            elif one.until is None and never_end(self._journey.entry.triggers):
                message = "a schedule lets him in for ever"
                yield self._problem("scenario.no_end", message, path, "`until:` a moment")
            return
        declared = self._journey.entry.inputs
        inputs = (*path, "enter", "inputs")
        yield from self._keys(inputs, one.enter.inputs, "input", declared)
        for name, value in one.enter.inputs.items():
            if name in declared and not fits(declared[name], value):
                message = f"the input {quoted(name)} must be of the type {declared[name]}"
                yield self._problem("input.type", message, (*inputs, name), "")

    def _keys(
        self, path: Path, names: Mapping[str, object], kind: str, known: Iterable[str]
    ) -> Iterator[Problem]:
        for name in names:
            if name not in known:
                yield self._unknown(name, kind, known, self._document.key_place((*path, name)))

    def _known(self, path: Path, name: str, kind: str, known: Iterable[str]) -> Iterator[Problem]:
        if name not in known:
            yield self._unknown(name, kind, known, self._document.place(path))

    def _unknown(self, name: str, kind: str, known: Iterable[str], place: Place) -> Problem:
        message = f"the journey has no {kind} {quoted(name)}"
        remedy = did_you_mean(name, known) or one_of(known)
        return self._document.lines.problem(_UNKNOWN[kind], message, place, remedy)

    def _problem(self, code: str, message: str, path: Path, remedy: str) -> Problem:
        return self._document.lines.problem(code, message, self._document.place(path), remedy)
