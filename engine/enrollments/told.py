"""A user's way through a journey as plain data, for whoever tells of it: commands, API, console.

Instants are microseconds UTC of journey time. Values of users and events are as they came: whoever
shows them makes them safe for where they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.steps.base import Status


@dataclass(slots=True, frozen=True)
class Cause:
    """What let a user enter. ``name`` is the event's, the run's number, or the attributes; ``at``
    the fact's own time and ``data`` what it brought.
    """

    kind: Literal["run", "event", "attributes", "journey", "clock", "command"]
    name: str = ""
    at: int | None = None
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class StepTaken:
    """One step: what happened, and what it was decided by.

    ``request`` is a call's method and path as the version writes it, ``kept`` the path that was
    really asked for where that call is kept (it failed, and can be sent again). ``seen`` are the
    values that a decision read; a wait's ``until`` and an event's ``at`` in it are instants.
    ``goes`` says where a failure led.
    """

    step: str
    type: str
    visit: int
    redrive: int
    status: Status
    failure: str | None
    text: str
    http_status: int | None
    attempts: int
    arm: str | None
    credential_version: int | None
    started_at: int
    ended_at: int
    seen: Mapping[str, object] | None = None
    endpoint: str | None = None
    request: str | None = None
    kept: str | None = None
    goes: str = ""


@dataclass(slots=True, frozen=True)
class Noted:
    """Something that happened on the way and was listened to: an event with its properties, a
    change of attributes (name → value), or a goal that counted.
    """

    what: Literal["event", "attributes", "goal"]
    name: str
    at: int
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Standing:
    """Where somebody stands who hasn't left, and what is waited for: ``what`` in words ('': for the
    time alone), ``until`` when at the latest (None: nothing says when); a call isn't tried before
    it. ``since`` is when he came to the step.
    """

    step: str
    type: str
    what: str
    since: int
    until: int | None
    request: str | None = None
    attempts: int = 0
    failure: str | None = None


@dataclass(slots=True, frozen=True)
class PassageTold:
    """One passage, from what let the user in to where he stands or how it ended."""

    id: int
    version: int
    key: str
    run: int | None
    entered_at: int
    entered_by: Cause
    inputs: Mapping[str, object]
    steps: tuple[StepTaken, ...]
    noted: tuple[Noted, ...]
    standing: Standing | None
    outcome: str | None
    ended_at: int | None


@dataclass(slots=True, frozen=True)
class RefusalTold:
    """An entry that was refused: for ``reason``, which ``rule`` says in words; ``by`` is what would
    have let him in, ``seen`` what a condition read.
    """

    at: int
    reason: str
    rule: str
    version: int
    by: Cause
    seen: Mapping[str, object] | None = None


@dataclass(slots=True, frozen=True)
class Why:
    """What became of a user in a journey: his passages and refusals, the newest first.

    ``state`` is the journey's (active, paused, archived), ``since`` when it became that; ``ways``
    say how the newest version is entered; ``zone`` is the user's time zone. ``more`` counts the
    passages that aren't told of.
    """

    user: str
    journey: str
    state: str
    since: int
    zone: str
    ways: tuple[str, ...]
    passages: tuple[PassageTold, ...]
    refusals: tuple[RefusalTold, ...]
    more: int = 0
