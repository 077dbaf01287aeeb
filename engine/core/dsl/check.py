"""What a journey means: every problem that its pieces, right by themselves, make together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from engine.core.dsl.bare_values import bare_values
from engine.core.dsl.document import Document, Path
from engine.core.dsl.doubtful import doubtful_problems
from engine.core.dsl.flow import END, Edge, edges, endless, reachable
from engine.core.dsl.journey import Journey
from engine.core.dsl.listening import (
    Listens,
    Need,
    listens_of,
    needs_of,
    waiting_conditions,
)
from engine.core.dsl.load import Loaded, read_journey, source_hash
from engine.core.dsl.missing import missing_problems
from engine.core.dsl.names import name_problems, names_of
from engine.core.dsl.problems import by_place, did_you_mean, in_file_order, one_of, quoted
from engine.core.dsl.trigger import EventTrigger
from engine.core.dsl.walk import computed_in, computed_in_text
from engine.core.steps.branch import BranchStep
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.model import StepModel
from engine.errors import DefinitionError, Problem

_HARMLESS = frozenset(("yaml.duplicate_key", "yaml.number", "yaml.character"))
"""Problems of the text behind which every other name still stands."""

_MOST_READ_AGAIN = 1_000
"""Of a journey that the models refused, so many expressions are looked at for names."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a journey: ``problems`` (errors and warnings, in file order), what it
    listens to, whose counts it needs, and which steps call an endpoint.
    """

    problems: tuple[Problem, ...]
    listens: Listens
    needs: tuple[Need, ...]
    endpoints: Mapping[str, tuple[str, ...]]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that make the journey unusable."""
        return tuple(p for p in self.problems if p.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that don't."""
        return tuple(p for p in self.problems if p.severity == "warning")


@dataclass(frozen=True, slots=True)
class LoadedAndChecked(Loaded):
    """A journey that can be run, and what is to be known of it."""

    checked: Checked

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd in it."""
        return self.checked.warnings


def load_and_check(source: bytes, file: str) -> LoadedAndChecked:
    """Read a journey and check what it means.

    Raises DefinitionError with every error of both, in file order.
    """
    document, journey, problems = read_journey(source, file)
    if journey is None:
        if all(problem.code in _HARMLESS for problem in document.problems):
            computed = islice(computed_in_text(document), _MOST_READ_AGAIN)
            names = names_of(document, generous=True)
            taken = {(problem.line, problem.column) for problem in problems}
            found = name_problems(document, names, computed)
            problems.extend(one for one in found if (one.line, one.column) not in taken)
        raise DefinitionError(file, in_file_order(problems))
    checked = check(journey, document)
    problems.extend(checked.errors)
    if problems:
        raise DefinitionError(file, in_file_order(problems))
    return LoadedAndChecked(journey, document, source_hash(source), checked)


def check(journey: Journey, document: Document) -> Checked:
    """Check a journey that was read from ``document``. Never raises for what an author wrote."""
    steps = list(journey.all_steps())
    computed = list(computed_in(journey))
    graph = [
        *edges(journey.on_enter, ("on_enter",)),
        *edges(journey.steps, ("steps",)),
        *edges(journey.on_exit, ("on_exit",)),
    ]
    problems = [
        *name_problems(document, names_of(document), computed),
        *_flow_problems(journey, document, steps, graph),
        *_entry_problems(journey, document),
        *_same_names(journey, document, steps),
        *_timed_conditions(journey, document),
        *bare_values(document, computed),
    ]
    if all(problem.severity == "warning" for problem in problems):
        problems += missing_problems(journey, document, computed)
        problems += doubtful_problems(journey, document, steps, graph)
    endpoints: dict[str, list[str]] = {}
    for _, step in steps:
        if isinstance(step, CallApiStep):
            endpoints.setdefault(step.endpoint, []).append(step.id)
    return Checked(
        problems=by_place(problems),
        listens=listens_of(journey),
        needs=needs_of(one.computed for one in computed),
        endpoints={name: tuple(ids) for name, ids in endpoints.items()},
    )


def _flow_problems(
    journey: Journey,
    document: Document,
    steps: list[tuple[Path, StepModel]],
    graph: list[Edge],
) -> Iterator[Problem]:
    limits = {step.id: _visits_looked_at(step) for _, step in steps}
    if len(limits) < len(steps):
        return  # two steps of one id: nobody knows which one a way leads to
    for knot in endless(graph, limits):
        yield _endless_problem(document, knot, [step.id for _, step in steps])
    if any(edge.target not in limits and edge.target != END for edge in graph):
        return  # a jump leads to nobody: who is reached is known when it leads somewhere
    reached = reachable(journey.steps[0].id, graph)
    for path, step in steps:
        if path[0] != "steps" or step.id in reached:
            continue
        message = f"no way leads to the step {quoted(step.id)}"
        remedy = "let a `next` lead here, or take it out"
        place = document.place((*path, "id"))
        yield document.lines.problem("step.unreachable", message, place, remedy, severity="warning")
        reached |= reachable(step.id, graph)  # what only stands behind it needs no word of its own


def _visits_looked_at(step: StepModel) -> frozenset[str]:
    """The steps whose visits this step's conditions look at; its bodies' steps not included."""
    conditions = [step.when] if step.when else []
    if isinstance(step, BranchStep):
        conditions += [path.when for path in step.paths]
    found: set[str] = set()
    for condition in conditions:
        found.update(str(call[1]) for call in condition.functions if call[0] == "visits")
        found.update(
            path[1]
            for path in condition.references
            if path[0] == "steps" and len(path) > 2 and path[2] == "visits"
        )
    return frozenset(found)


def _endless_problem(document: Document, knot: list[Edge], order: list[str]) -> Problem:
    number = {name: index for index, name in reversed(list(enumerate(order)))}
    back = [edge for edge in knot if edge.jump and number[edge.target] <= number[edge.source]]
    closing = (back or knot)[0]
    names = sorted({edge.source for edge in knot}, key=lambda name: number[name])
    shown = ", ".join(quoted(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    message = f"this goes round for ever without waiting: {shown}"
    remedy = f"put a wait into it, or limit it: `when: visits({closing.target}) < 5`"
    return document.lines.problem("flow.endless", message, document.place(closing.place), remedy)


def _entry_problems(journey: Journey, document: Document) -> Iterator[Problem]:
    """Inputs that a trigger names in vain, or can't bring."""
    declared = journey.entry.inputs
    for index, trigger in enumerate(journey.entry.triggers):
        path: Path = ("entry", "triggers", index)
        for name in trigger.inputs:
            if name not in declared:
                message = f"no input {quoted(name)} is declared"
                remedy = did_you_mean(name, declared) or one_of(declared)
                place = document.key_place((*path, "inputs", name))
                yield document.lines.problem("input.unknown", message, place, remedy)
        missing = [name for name in declared if name not in trigger.inputs]
        if missing and not isinstance(trigger, EventTrigger):
            message = f"this trigger doesn't bring the input {quoted(missing[0])}"
            remedy = f"`inputs: {{{missing[0]}: user...}}`: every way in brings every input"
            place = document.place(path)
            yield document.lines.problem("trigger.inputs", message, place, remedy)


def _same_names(
    journey: Journey, document: Document, steps: list[tuple[Path, StepModel]]
) -> Iterator[Problem]:
    """Goals, or paths of one branch, that share a name."""
    groups: list[tuple[Path, list[str]]] = [(("goals",), [goal.name for goal in journey.goals])]
    for path, step in steps:
        if isinstance(step, BranchStep):
            groups.append(((*path, "paths"), [one.name for one in step.paths]))
    for path, names in groups:
        for index, name in enumerate(names):
            if name in names[:index]:
                message = f"the name {quoted(name)} stands twice in `{path[-1]}`"
                place = document.place((*path, index, "name"))
                remedy = "reports tell them apart by it: give one another name"
                yield document.lines.problem("name.twice", message, place, remedy)


def _timed_conditions(journey: Journey, document: Document) -> Iterator[Problem]:
    """Conditions that are waited for and become true by time alone, when nothing looks at them."""
    for path, condition in waiting_conditions(journey):
        if condition.depends_on_time:
            message = "this becomes true by time alone, and nothing would look at it then"
            remedy = "use `wait` with `until`, a date trigger or a schedule"
            place = document.place(path)
            yield document.lines.problem("condition.by_time", message, place, remedy)
