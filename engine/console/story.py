"""A user's way through a journey as lines of a page, in the order in which things happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.console.rendering import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.enrollments.told import (
        Cause,
        Noted,
        PassageTold,
        RefusalTold,
        Standing,
        StepTaken,
        Why,
    )

_DECIDED = ("branch", "split")
_WAITED = ("wait", "wait_for")


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened. ``kind`` is how it is marked: ``entered``, ``done``, ``failed``,
    ``skipped``, ``decided``, ``waited``, ``noted``, ``goal``, ``now``, ``ended``. ``at`` is None
    for what lasts; ``after`` how long after the entry. ``failure`` is a code, ``terms`` what is
    less important, ``saw`` what a decision read, ``until`` an instant that is waited for.
    """

    kind: str
    at: int | None
    after: str
    name: str
    what: str = ""
    status: int | None = None
    failure: str = ""
    terms: str = ""
    saw: Mapping[str, object] = field(default_factory=dict)
    until: int | None = None


@dataclass(frozen=True, slots=True)
class PassageStory:
    """One passage: from what let the user in to where he stands."""

    passage: PassageTold
    by: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class RefusalStory:
    """An entry that was refused."""

    refusal: RefusalTold
    by: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything there is to tell of a user in a journey."""

    why: Why
    passages: tuple[PassageStory, ...]
    refusals: tuple[RefusalStory, ...]


def story_of(why: Why) -> Story:
    """The story that ``why`` tells."""
    return Story(
        why,
        tuple(
            PassageStory(each, _cause(each.entered_by), tuple(_lines(each, why.state)))
            for each in why.passages
        ),
        tuple(RefusalStory(each, _cause(each.by)) for each in why.refusals),
    )


def _lines(passage: PassageTold, state: str) -> Iterator[Line]:
    entered = passage.entered_at
    brought = {**passage.inputs, **passage.entered_by.data}
    yield Line("entered", entered, "", "entered", _cause(passage.entered_by), saw=brought)
    end = passage.ended_at
    noted = [one for one in passage.noted if end is None or one.at <= end]
    for step in passage.steps:
        while noted and noted[0].at <= step.ended_at:
            yield _noted(noted.pop(0), entered)
        yield _step(step, entered)
    yield from (_noted(one, entered) for one in noted)
    if passage.standing is not None:
        yield _stands(passage.standing, entered, state)
    elif end is not None:
        yield Line("ended", end, _after(end, entered), passage.outcome or "", _balance(passage))
        yield from (_noted(one, entered) for one in passage.noted if one.at > end)


def _after(at: int, entered: int) -> str:
    return f"+{span(max(0, at - entered))}"


def _noted(noted: Noted, entered: int) -> Line:
    kind = "goal" if noted.what == "goal" else "noted"
    name = "changed" if noted.what == "attributes" else noted.what
    what = "" if noted.what == "attributes" else noted.name
    return Line(kind, noted.at, _after(noted.at, entered), name, what, saw=noted.data)


def _step(step: StepTaken, entered: int) -> Line:
    seen = dict(step.seen or {})
    until = seen.pop("until", None)
    place = (step.ended_at, _after(step.ended_at, entered), step.step)
    kind, what = _happened(step)
    return Line(
        kind,
        *place,
        what,
        status=step.http_status,
        failure=step.failure or "",
        terms=_terms(step),
        saw=seen,
        until=until if isinstance(until, int) and kind == "waited" else None,
    )


def _happened(step: StepTaken) -> tuple[str, str]:
    """How a step is marked, and what it did in words."""
    if step.status == "skipped":
        return "skipped", f"skipped ({step.text})" if step.text else "skipped"
    if step.status == "failed":
        said = "; ".join(part for part in (step.text, step.goes) if part)
        return "failed", "  ".join(part for part in (_request(step), said) if part)
    if step.type in _DECIDED:
        return "decided", f"→ {step.arm or step.text}"
    if step.type in _WAITED:
        waited = f"waited {span(step.ended_at - step.started_at)}"
        return "waited", f"{waited}  {step.text}" if step.text else waited
    return "done", "  ".join(part for part in (_request(step), step.text) if part)


def _request(step: StepTaken) -> str:
    if step.request is None:
        return ""
    method, _, path = step.request.partition(" ")
    return f"{method} {step.endpoint}{step.kept or path}"


def _terms(step: StepTaken) -> str:
    parts = [f"{step.attempts} attempts"] if step.attempts > 1 else []
    parts += [f"credential version {step.credential_version}"] if step.credential_version else []
    parts += [f"sent again ({step.redrive})"] if step.redrive else []
    return ", ".join(parts)


def _stands(standing: Standing, entered: int, state: str) -> Line:
    what = f"waits for {standing.what}" if standing.what else "waits"
    parts = [standing.request or "", what]
    terms = [f"since {_after(standing.since, entered)}"]
    terms += [f"{standing.attempts} attempts so far"] if standing.attempts else []
    terms += [f"the journey is {state}"] if state != "active" else []
    return Line(
        "now",
        None,
        "now",
        standing.step or "end",
        "  ".join(part for part in parts if part),
        failure=standing.failure or "",
        terms=", ".join(terms),
        until=standing.until,
    )


def _cause(cause: Cause) -> str:
    match cause.kind:
        case "run" | "event" | "journey":
            return f"by {cause.kind} {cause.name}"
        case "attributes":
            return f"as {cause.name} changed"
        case "clock":
            return "by the clock"
    return "by command"


def _balance(passage: PassageTold) -> str:
    taken = sum(step.status != "skipped" for step in passage.steps)
    failed = sum(step.status == "failed" and step.type == "call_api" for step in passage.steps)
    steps = f"{taken} step{'' if taken == 1 else 's'}"
    return f"{steps}, {failed} failed call{'' if failed == 1 else 's'}" if failed else steps
