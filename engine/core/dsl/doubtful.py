"""What a journey may say and hardly means: arms that run together, waits that change nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from engine.core.dsl.document import Document, Path
from engine.core.dsl.flow import Edge
from engine.core.dsl.journey import Journey
from engine.core.dsl.names import place_of_word
from engine.core.dsl.problems import Place, quoted
from engine.core.dsl.walk import computed_in
from engine.core.expressions.durations import Duration
from engine.core.steps.branch import BranchStep
from engine.core.steps.exit import ExitStep
from engine.core.steps.model import StepModel
from engine.core.steps.split import SplitStep
from engine.core.steps.wait import WaitStep
from engine.core.steps.wait_for import WaitForStep
from engine.errors import Problem

Steps = Sequence[tuple[Path, StepModel]]

_CONTAINERS = {"event": ("properties",), "user": ("attributes", "traits", "properties")}
_NEARLY_100 = (80, 120)


def doubtful_problems(
    journey: Journey, document: Document, steps: Steps, graph: Sequence[Edge]
) -> Iterator[Problem]:
    """A warning for each of them. ``graph`` holds every way through ``steps``."""
    found = (
        *_arms_run_together(document, steps, graph),
        *_waits_without_effect(journey, document, steps),
        *_ways_never_taken(document, steps),
        *_odd_weights(document, steps),
        *_a_level_too_deep(journey, document),
    )
    for code, message, place, remedy in found:
        yield document.lines.problem(code, message, place, remedy, severity="warning")


_Found = Iterator[tuple[str, str, Place, str]]


def _a_level_too_deep(journey: Journey, document: Document) -> _Found:
    """Properties and attributes that are looked for where other tools keep them."""
    for one in computed_in(journey):
        for root, *keys in sorted(one.computed.references):
            if len(keys) < 2 or keys[0] not in _CONTAINERS.get(root, ()):
                continue
            what = "an event's properties" if root == "event" else "a user's attributes"
            word = rf"\b{root}\.{keys[0]}\.{re.escape(keys[1])}"
            place = place_of_word(document, one.path, word)
            message = f"{what} stand right behind `{root}`: this looks into one called {keys[0]!r}"
            yield "reference.too_deep", message, place, f"did you mean `{root}.{keys[1]}`?"


def _arms_run_together(document: Document, steps: Steps, graph: Sequence[Edge]) -> _Found:
    """Steps that one way of a branch jumps to, and that another way falls into at its end."""
    entering: dict[str, set[tuple[str, bool]]] = {}
    for edge in graph:
        entering.setdefault(edge.target, set()).add((edge.source, edge.jump))
    firsts: dict[str, str] = {}
    by_id = {step.id: (path, step) for path, step in steps}
    for _, step in steps:
        targets = {exit_.next for exit_ in step.exits() if exit_.next is not None}
        if len(targets) < 2 or not isinstance(step, BranchStep | SplitStep | WaitForStep):
            continue
        for target in sorted(targets):
            falling = [source for source, jump in entering.get(target, ()) if not jump]
            if len(falling) != 1 or isinstance(by_id[target][1], ExitStep):
                continue
            first = _first_of(falling[0], entering, firsts)
            if first in targets - {target} and entering[first] == {(step.id, True)}:
                message = (
                    f"{quoted(falling[0])} goes on into {quoted(target)}, where another way out"
                    f" of {quoted(step.id)} begins"
                )
                remedy = f"say where it goes on: `next: ...` (`next: {target}` if this is meant)"
                place = document.place((*by_id[falling[0]][0], "id"))
                yield "flow.falls_through", message, place, remedy


def _first_of(name: str, entering: dict[str, set[tuple[str, bool]]], firsts: dict[str, str]) -> str:
    """The step at which the straight line of steps up to ``name`` begins."""
    line: list[str] = []
    while name not in firsts and name not in line:
        line.append(name)
        ways = entering.get(name, set())
        source, jump = next(iter(ways)) if len(ways) == 1 else ("", True)
        if jump:
            break
        name = source
    first = firsts.get(name, name)
    firsts.update(dict.fromkeys(line, first))
    return first


def _waits_without_effect(journey: Journey, document: Document, steps: Steps) -> _Found:
    for path, step in steps:
        span = step.for_ if isinstance(step, WaitStep) else getattr(step, "within", None)
        key = "for" if isinstance(step, WaitStep) else "within"
        if not isinstance(span, Duration):
            continue
        # A wait_for as long as the journey, with nothing said of its end, has none of its own.
        endless = isinstance(step, WaitForStep) and step.otherwise is None
        if span.elapsed >= journey.max_age.elapsed + endless:
            yield (
                "wait.outlasts",
                f"nobody is here at its end: the journey ends after {journey.max_age.text}",
                document.place((*path, key)),
                "wait less, or raise `max_age`",
            )
    last = journey.steps[-1]
    watched = journey.goals or journey.exit or journey.on_exit
    acts = any(not isinstance(step, WaitStep) for _, step in steps)
    once = journey.entry.reentry.mode == "once" and journey.entry.key is None
    if isinstance(last, WaitStep) and last.next is None and acts and once and not watched:
        yield (
            "wait.last",
            "nothing comes after this wait, and nothing happens while it lasts",
            document.place(("steps", len(journey.steps) - 1, "id")),
            "take it out, or add the step that is waited for",
        )


def _ways_never_taken(document: Document, steps: Steps) -> _Found:
    """Ways that are behind one which takes the same users, or all of them."""
    for path, step in steps:
        if isinstance(step, BranchStep):
            at: Path = (*path, "paths")
            conditions = [("when", one.when.source, True) for one in step.paths]
        elif isinstance(step, WaitForStep):
            at = (*path, "any")
            conditions = [
                ("event", one.event, one.where is None)
                if one.event is not None
                else ("when", one.when.source if one.when else "", True)
                for one in step.any
            ]
        else:
            continue
        taken: dict[tuple[str, str], int] = {}
        for number, (key, text, whole) in enumerate(conditions):
            everybody = taken.get(("when", "true"))
            first = taken.get((key, text), everybody)
            if first is not None:
                yield (
                    "way.never_taken",
                    f"nobody ever goes this way: number {first + 1} takes them all",
                    document.place((*at, number, key)),
                    "put the narrower one first, or take this one out",
                )
            if whole:
                taken.setdefault((key, text), number)


def _odd_weights(document: Document, steps: Steps) -> _Found:
    """Weights that look like percentages and aren't: each arm gets its share of their sum."""
    for path, step in steps:
        if not isinstance(step, SplitStep) or len(step.arms) < 2:
            continue
        weights = [arm.weight for arm in step.arms]
        total = sum(weights)
        low, high = _NEARLY_100
        if low <= total <= high and abs(total - 100) > 1 and len(set(weights)) > 1:
            first = step.arms[0]
            share = f"{100 * first.weight / total:.1f}"
            yield (
                "split.weights",
                f"the weights add up to {total:g}: {quoted(first.name)} gets {share} % of users",
                document.place((*path, "arms", 0, "weight")),
                "let them add up to 100, or say plain shares such as 2 and 1",
            )
