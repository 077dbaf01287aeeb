"""A passage as everybody tells of it: in which order things come, and the words for them.

Whoever shows them adds how they look, and makes them safe for where they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.enrollments.told import Cause, Noted, PassageTold, Standing, StepTaken

DECISIONS = ("branch", "split")
WAITS = ("wait", "wait_for")
"""Types of step that are told of by what they decided, or how long they waited."""


@dataclass(slots=True, frozen=True)
class Ended:
    """How a passage ended, and ``balance``, what it took."""

    at: int
    outcome: str
    balance: str


def happenings(passage: PassageTold) -> Iterator[Noted | StepTaken | Standing | Ended]:
    """What happened after the entry, as it came: what moved somebody stands before the step it led
    to, what came after the end behind that.
    """
    end = passage.ended_at
    noted = [one for one in passage.noted if end is None or one.at <= end]
    again: list[StepTaken] = []
    for step in passage.steps:
        if step.redrive and end is not None and step.ended_at > end:
            again.append(step)
            continue
        while noted and noted[0].at <= step.ended_at:
            yield noted.pop(0)
        yield step
    yield from noted
    if passage.standing is not None:
        yield passage.standing
    elif end is not None:
        first = [step for step in passage.steps if not step.redrive]
        taken = sum(step.status != "skipped" for step in first)
        failed = sum(step.status == "failed" and step.type == "call_api" for step in first)
        yield Ended(end, passage.outcome or "", balance(taken, failed))
        yield from again
        yield from (one for one in passage.noted if one.at > end)


def balance(taken: int, failed: int) -> str:
    """``6 steps, 1 failed call``."""
    steps = f"{taken} step{'' if taken == 1 else 's'}"
    return f"{steps}, {failed} failed call{'' if failed == 1 else 's'}" if failed else steps


def tried_so_far(standing: Standing) -> str:
    """``2 attempts so far``; empty where there was none."""
    tried = standing.attempts
    return f"{tried} attempt{'' if tried == 1 else 's'} so far" if tried else ""


def by_what(cause: Cause) -> str:
    """``by event cart_updated``, ``as plan changed``, ``by the clock``."""
    match cause.kind:
        case "run" | "event" | "journey":
            return f"by {cause.kind} {cause.name}"
        case "attributes":
            return f"as {cause.name} changed"
        case "clock":
            return "by the clock"
    return "by command"


def what_was_noted(noted: Noted) -> tuple[str, str]:
    """What kind of thing it was, in a word, and its name."""
    return ("changed", "") if noted.what == "attributes" else (noted.what, noted.name)


def request_of(step: StepTaken) -> str:
    """``POST crm/users/u_1/score``; '' for a step that called nothing."""
    if step.request is None:
        return ""
    method, _, path = step.request.partition(" ")
    return f"{method} {step.endpoint}{step.kept or path}"
