"""What every step type is made of: what it sees (View) and what it answers (Decision).

A step type is one file beside this one, named as in the language: a frozen pydantic model of what
an author writes, with methods that decide and do nothing:

- ``exits()`` lists the places it may go to besides the following step, in a fixed order;
- ``decide(view)`` is asked when a user stands at the step: first on arrival, and again whenever a
  wait is over (``view.started`` then still is the arrival);
- ``resume(view, result)`` is asked when a call it made was answered (call_api only);
- ``heed(view, fact)`` is asked when something happened while the user waits at it.

Decisions are values that nobody changes, so one that many users get is made once. They aren't
frozen because making a frozen dataclass takes three times as long.

A decision names an exit by its number in ``exits()``; the flat
:class:`~engine.core.dsl.program.Program` knows which step stands there. Steps don't know each
other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engine.core.expressions.scope import Scope
    from engine.core.message import Answer
    from engine.core.steps.facts import Event
    from engine.core.steps.terms import Terms

FOLLOWING = -1
"""The exit that is the step's ``next``, else the step behind it."""

Status = Literal["succeeded", "failed", "skipped"]


@dataclass(slots=True)
class View:
    """What a step sees when it decides. Instants are microseconds UTC.

    ``started`` is when this visit began; ``visit`` counts from 1. ``terms`` are the live settings
    of endpoints by name (timeout, retry, success), read at this moment; an endpoint that is missing
    there has the defaults. ``zone_fallback`` says in words when the user's zone was unusable.
    ``began`` and ``since`` are the own times of what led to the entry and to this step: facts that
    are older came before. ``earlier`` gives the events of a name that came since the entry, by
    their own time. ``contacts`` are when the user was contacted, oldest first. ``wakes_at`` is when
    he wakes if nothing happens, where he waits.
    """

    now: int
    started: int
    scope: Scope
    journey: str
    user_id: str
    key: str
    step_id: str
    visit: int
    terms: Mapping[str, Terms]
    zone_fallback: str | None = None
    began: int = 0
    since: int = 0
    earlier: Callable[[str], Iterable[Event]] | None = None
    contacts: Sequence[int] = ()
    wakes_at: int | None = None


@dataclass(slots=True)
class Result:
    """What became of a call so far: the last answer and how often it was put on the wire.

    ``failure`` is set where no HTTP answer stands for it (``credential.*``, ``call.*``), with
    ``text`` in words. ``attempts`` counts requests on the wire including resends; ``tries`` counts
    the attempts that the retry limit counts. ``first_at`` is when the first of these began, or, of
    a call that is held, since when it is.
    """

    answer: Answer
    failure: str | None
    text: str
    attempts: int
    tries: int
    first_at: int
    credential_version: int | None = None


@dataclass(slots=True)
class Emitted:
    """An event that a step makes."""

    name: str
    properties: Mapping[str, object]


@dataclass(slots=True)
class Started:
    """Another journey that a step lets the user enter; if ``awaited``, the step waits for the end
    of that passage.
    """

    journey: str
    inputs: Mapping[str, object]
    awaited: bool = False


@dataclass(slots=True)
class Move:
    """The step is over; go on by ``exit``. ``vars`` and ``user`` are the values it wrote (None:
    none), ``makes`` is what follows from it elsewhere, ``seen`` are the values it was decided by.
    """

    exit: int = FOLLOWING
    status: Status = "succeeded"
    failure: str | None = None
    text: str = ""
    arm: str | None = None
    vars: Mapping[str, object] | None = None
    user: Mapping[str, object] | None = None
    http_status: int | None = None
    makes: Emitted | Started | None = None
    seen: Mapping[str, object] | None = field(default=None, compare=False)


@dataclass(slots=True)
class Wait:
    """Stay here until ``until`` (None: until something happens). ``text`` says it in words;
    ``makes`` is what is waited for, if the step makes it.
    """

    until: int | None
    reason: Literal["timer", "event", "quiet_hours", "frequency_cap", "endpoint_hold", "child"]
    text: str = ""
    makes: Started | None = None


@dataclass(slots=True)
class Call:
    """Send this to an endpoint. ``target`` is path and query, encoded, beginning with ``/``.

    ``headers`` are what the journey sets (lower-case names); never a credential. ``timeout_us`` is
    what the step itself says of one attempt, in microseconds; None: the endpoint's. ``contact_us``
    is for how long it counts as a contact of the user, in microseconds; 0: it doesn't.
    """

    endpoint: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str | None = None
    timeout_us: int | None = None
    contact_us: int = 0


@dataclass(slots=True)
class Again:
    """Send the same call once more, not before ``at``; ``failure`` and ``text`` say why.

    ``held_since`` is set for a call that is held since then until its endpoint is well again: that
    is no retry, and retries are counted anew afterwards.
    """

    at: int
    failure: str
    text: str = ""
    held_since: int | None = None


@dataclass(slots=True)
class End:
    """The passage is over with this outcome; ``seen`` as of :class:`Move`."""

    arm: ClassVar[None] = None

    outcome: str
    status: Status = "succeeded"
    failure: str | None = None
    text: str = ""
    http_status: int | None = None
    seen: Mapping[str, object] | None = field(default=None, compare=False)


Decision = Move | Wait | Call | Again | End


@dataclass(slots=True, frozen=True)
class Exit:
    """A place a step may go to: a jump (``next``: a step id) or a body of steps held by it.

    Exactly one is set; neither means 'on behind the step that holds it'. ``name`` is the arm's or
    path's name; ``at`` is where it stands in the file, as keys and indices from the step.
    """

    name: str
    next: str | None = None
    steps: tuple[object, ...] | None = None
    at: tuple[str | int, ...] = ()
