"""'May be missing here': values that fail their step on a way where nothing set what they name.

In conditions null is falsy, and that is often what is meant (``when: vars.code``); there nothing is
said. A value that is null fails its step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from engine.core.dsl.absent import missing_in
from engine.core.dsl.document import Document, Path
from engine.core.dsl.journey import Journey
from engine.core.dsl.known import FAILED, NOT_RUN, SKIPPED, SUCCEEDED, Fact, State, Subjects
from engine.core.dsl.problems import quoted
from engine.core.dsl.program import compile_journey
from engine.core.dsl.walk import Written, computed_in
from engine.core.dsl.ways import Conditions, known_at, taken
from engine.core.expressions.grammar import Expression
from engine.core.expressions.parse import parse
from engine.core.expressions.paths import PathTemplate
from engine.core.expressions.references import EVENT_ROOTS
from engine.core.expressions.templates import cut, has_template
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.model import StepModel
from engine.core.steps.set import SetStep
from engine.core.steps.wait_for import WaitForStep
from engine.errors import Problem

_NO_VALUES = frozenset(
    ("when", "until", "success", "retry", "on_failure", "paths", "arms", "otherwise", "inputs")
)
"""Fields of steps that hold no value: conditions, bodies, and inputs, which may be null."""


class _Text(NamedTuple):
    """An expression in a value: the path of the text it stands in, and where in it."""

    path: Path
    expression: Expression
    offset: int


def missing_problems(
    journey: Journey, document: Document, computed: Iterable[Written]
) -> Iterator[Problem]:
    """A warning for each var, and each ``steps.ID.KEY``, that a step may find missing.

    The journey has no errors: every name leads somewhere.
    """
    steps = dict(journey.all_steps())
    texts = [list(_texts(path, step)) for path, step in steps.items()]
    if not any(texts):
        return
    subjects = _subjects(steps.values(), texts)
    conditions = Conditions(subjects, _repeated(computed), {})
    program = compile_journey(journey)
    setters = _setters(steps.values())
    for node, states, own in zip(program.nodes, known_at(program, conditions), texts, strict=True):
        if not own:
            continue
        said: set[Fact] = set()
        here = taken(node, states, conditions)
        for text in own:
            tree = parse(text.expression.source)
            for state in here:
                for fact, offset in missing_in(tree, state, subjects):
                    if fact in said:
                        continue
                    said.add(fact)
                    place = document.place_within(text.path, text.offset + offset)
                    message, remedy = _words(fact, state, subjects, setters)
                    yield document.lines.problem(
                        "value.maybe_missing", message, place, remedy, severity="warning"
                    )


def _texts(path: Path, step: StepModel) -> Iterator[_Text]:
    """The expressions in a step's own values that name vars or other steps."""
    fields = type(step).model_fields
    for name in fields:
        if name not in step.model_fields_set or name in _NO_VALUES:
            continue
        at = (*path, fields[name].alias or name)
        if isinstance(step, WaitForStep):
            alternatives = enumerate(step.any if name == "any" else ())
            held = [(one.outputs, (*at, number, "outputs")) for number, one in alternatives]
        else:
            held = [(getattr(step, name), at)]
        for model, place in held:
            for one in computed_in(model, place):
                if any(found[0] in ("vars", "steps") for found in one.computed.references):
                    yield from _texts_of(one)


def _texts_of(one: Written) -> Iterator[_Text]:
    if isinstance(one.computed, Expression):
        yield _Text(one.path, one.computed, 0)
        return
    raw = one.computed.source if isinstance(one.computed, PathTemplate) else one.computed.raw
    waiting: list[tuple[Path, object]] = [(one.path, raw)]
    while waiting:
        path, data = waiting.pop()
        if isinstance(data, Mapping):
            waiting.extend(((*path, str(key)), below) for key, below in data.items())
        elif isinstance(data, list | tuple):
            waiting.extend(((*path, index), below) for index, below in enumerate(data))
        elif isinstance(data, str) and has_template(data) and ("vars" in data or "steps" in data):
            offset = 0
            for piece in cut(data, EVENT_ROOTS):
                if isinstance(piece, Expression):
                    offset = data.index(piece.source, offset)
                    yield _Text(path, piece, offset)
                offset += len(piece.source if isinstance(piece, Expression) else piece)


def _subjects(steps: Iterable[StepModel], texts: Iterable[Iterable[_Text]]) -> Subjects:
    """What has to be looked at: the vars that values name, and every step that has to do with it.

    A step has to do with it if it sets one of them, or if its end is asked for anywhere.
    """
    names = {
        path[1]
        for own in texts
        for text in own
        for path in text.expression.references
        if path[0] == "vars" and len(path) > 1
    }
    numbers = {name: number for number, name in enumerate(sorted(names))}
    ends: dict[str, int] = {}
    writes: dict[str, int] = {}
    for step in steps:
        ends.setdefault(step.id, len(ends))
        if isinstance(step, CallApiStep | SetStep):
            written = step.outputs if isinstance(step, CallApiStep) else step.values
            targets = [target.removeprefix("vars.") for target in written]
            writes[step.id] = sum(1 << numbers[name] for name in targets if name in numbers)
    return Subjects(ends, numbers, writes)


def _repeated(computed: Iterable[Written]) -> frozenset[str]:
    """Conditions that stand more than once and speak of the user and the inputs alone."""
    counted = Counter(
        one.computed.source
        for one in computed
        if one.path[-1] == "when"
        and isinstance(one.computed, Expression)
        and not one.computed.functions
        and all(path[0] in ("user", "inputs") for path in one.computed.references)
    )
    return frozenset(source for source, count in counted.items() if count > 1)


def _setters(steps: Iterable[StepModel]) -> dict[str, list[StepModel]]:
    """Var → the steps that set it, in file order."""
    found: dict[str, list[StepModel]] = {}
    for step in steps:
        targets: set[str] = set()
        if isinstance(step, CallApiStep):
            targets.update(step.outputs)
        elif isinstance(step, SetStep):
            targets.update(step.values)
        elif isinstance(step, WaitForStep):
            targets.update(target for one in step.any for target in one.outputs)
        for target in sorted(targets):
            found.setdefault(target.removeprefix("vars."), []).append(step)
    return found


def _words(
    fact: Fact, state: State, subjects: Subjects, setters: Mapping[str, list[StepModel]]
) -> tuple[str, str]:
    """What is said of ``fact``, and the ways out of it."""
    name = ".".join(fact)
    test = f"when: {name}"
    more = ""
    if fact[0] == "steps":
        why = _why(fact[1], state, subjects) or f"{quoted(fact[1])} may have ended otherwise"
    elif len(found := setters.get(fact[1], [])) != 1:
        shown = ", ".join(quoted(step.id) for step in found[:5])
        why = f"not every way to this step leads through one of {shown}"
    else:
        setter = found[0].id
        why = f"{_why(setter, state, subjects) or 'it ended otherwise'}, and only it sets this"
        if isinstance(found[0], CallApiStep):
            test = f"when: steps.{setter}.status == 'succeeded'"
            failed = state.of(subjects.steps[setter]) == SUCCEEDED | FAILED
            more = f", or `on_failure: exit` on {quoted(setter)}" if failed else ""
    remedy = f"say `| default(...)`, or put `{test}` on this step{more}"
    return f"{quoted(name)} may be missing here: {why}", remedy


def _why(step: str, state: State, subjects: Subjects) -> str:
    """How a step may have ended otherwise than well, in words; '' if it can't."""
    ends = state.of(subjects.steps[step])
    words = {
        FAILED: "may have failed",
        SKIPPED: "may have been skipped",
        NOT_RUN: "isn't on every way to this step",
    }
    found = [text for bit, text in words.items() if ends & bit]
    return f"{quoted(step)} {' or '.join(found)}" if found else ""
