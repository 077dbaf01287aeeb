"""A user's way through a journey as lines of a page, in the order in which things happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.console.rendering import span
from engine.enrollments.telling import (
    DECISIONS,
    WAITS,
    Ended,
    by_what,
    happenings,
    request_of,
    tried_so_far,
    what_was_noted,
)
from engine.enrollments.told import Noted, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.enrollments.told import PassageTold, RefusalTold, StepTaken, Why


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
            PassageStory(each, by_what(each.entered_by), tuple(_lines(each, why.state)))
            for each in why.passages
        ),
        tuple(RefusalStory(each, by_what(each.by)) for each in why.refusals),
    )


def _lines(passage: PassageTold, state: str) -> Iterator[Line]:
    entered = passage.entered_at
    brought = {**passage.inputs, **passage.entered_by.data}
    yield Line("entered", entered, "", "entered", by_what(passage.entered_by), saw=brought)
    for happened in happenings(passage):
        match happened:
            case Noted():
                yield _noted(happened, entered)
            case Standing():
                yield _stands(happened, entered, state)
            case Ended(at, outcome, balance):
                yield Line("ended", at, _after(at, entered), outcome, balance)
            case _:
                yield _step(happened, entered)


def _after(at: int, entered: int) -> str:
    return f"+{span(max(0, at - entered))}"


def _noted(noted: Noted, entered: int) -> Line:
    kind = "goal" if noted.what == "goal" else "noted"
    name, what = what_was_noted(noted)
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
        return "failed", "  ".join(part for part in (request_of(step), said) if part)
    if step.type in DECISIONS:
        return "decided", f"→ {step.arm or step.text}"
    if step.type in WAITS:
        waited = f"waited {span(step.ended_at - step.started_at)}"
        return "waited", f"{waited}  {step.text}" if step.text else waited
    return "done", "  ".join(part for part in (request_of(step), step.text) if part)


def _terms(step: StepTaken) -> str:
    parts = [f"{step.attempts} attempts"] if step.attempts > 1 else []
    parts += [f"credential version {step.credential_version}"] if step.credential_version else []
    parts += [f"sent again ({step.redrive})"] if step.redrive else []
    return ", ".join(parts)


def _stands(standing: Standing, entered: int, state: str) -> Line:
    what = f"waits for {standing.what}" if standing.what else "waits"
    parts = [standing.request or "", what]
    terms = [f"since {_after(standing.since, entered)}"]
    terms += [tried] if (tried := tried_so_far(standing)) else []
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
