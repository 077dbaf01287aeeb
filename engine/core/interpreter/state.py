"""One user's passage through one version of a journey, as the interpreter holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.dsl.program import Program
    from engine.core.steps.base import Again, Call, Emitted, Started, Status
    from engine.core.steps.facts import Past
    from engine.core.steps.terms import Terms


class State(IntEnum):
    """What an enrollment does now. The numbers are stored."""

    WAITING = 0
    CALLING = 1
    ENDED = 2


class Reason(IntEnum):
    """Why a waiting enrollment waits. The numbers are stored."""

    DUE = 0
    TIMER = 1
    EVENT = 2
    QUIET_HOURS = 3
    FREQUENCY_CAP = 4
    ENDPOINT_HOLD = 5
    CHILD = 6


REASONS = {
    "timer": Reason.TIMER,
    "event": Reason.EVENT,
    "quiet_hours": Reason.QUIET_HOURS,
    "frequency_cap": Reason.FREQUENCY_CAP,
    "endpoint_hold": Reason.ENDPOINT_HOLD,
    "child": Reason.CHILD,
}
"""The same by the words that steps say."""


@dataclass(slots=True, weakref_slot=True)
class User:
    """A user and his attributes as they stand now; passages of one user share one object.

    ``past`` are his events, as far as journeys count them or look back at them; ``seq`` is that of
    the last fact received (None: nobody has looked). ``contacts`` are when he was contacted, as far
    back as the contact policy asks, in microseconds UTC, oldest first.
    """

    id: str
    bucket: int
    timezone: str | None
    attributes: dict[str, object]
    past: Past | None = None
    seq: int | None = None
    contacts: list[int] = field(default_factory=list)


class StepRecord(NamedTuple):
    """The last visit of a step, for ``steps.ID`` and ``visits(ID)``."""

    status: Status | None = None
    failure: str | None = None
    http_status: int | None = None
    attempts: int = 0
    arm: str | None = None
    visits: int = 0


@dataclass(slots=True)
class Passage:
    """One enrollment. Instants are microseconds UTC.

    ``position`` is a step's number in the program, ``started`` when it was reached (0: it is still
    to be entered). ``outcome`` is fixed as soon as it is known: while on_exit runs, the passage is
    not ended but its outcome is set. ``moves`` counts steps taken, ``unwaited`` those since the
    last wait.

    ``goals`` are the numbers of the goals that counted, each with the fact's own time; they count
    after the end, too. Facts up to ``entered_seq`` were there before the entry, those up to
    ``seen_seq`` have been applied. ``depth`` is that of the fact that moved it last. ``began`` and
    ``since`` are the own times of what led to the entry and to the step it stands at, which facts
    are compared with: earlier than ``entered_at`` and ``started`` by what it took to notice (0:
    the same). ``parent`` is the passage of his that waits for the end of this one (0: none).
    ``contact_at`` is when the call under way was decided, if it counts as a contact (else 0).
    """

    id: int
    user: User
    program: Program
    key: str
    entered_at: int
    inputs: dict[str, object]
    version_id: int = 0
    version: int = 0
    run_id: int = 0
    vars: dict[str, object] = field(default_factory=dict)
    steps: dict[int, StepRecord] = field(default_factory=dict)
    position: int = 0
    started: int = 0
    moves: int = 0
    unwaited: int = 0
    state: State = State.WAITING
    reason: Reason = Reason.DUE
    wake_at: int | None = None
    outcome: str | None = None
    ended_at: int | None = None
    goals: dict[int, int] = field(default_factory=dict)
    entered_seq: int = 0
    seen_seq: int = 0
    depth: int = 0
    began: int = 0
    since: int = 0
    parent: int = 0
    contact_at: int = 0


class Execution(NamedTuple):
    """One step taken by one user: a row that is only ever appended. ``seen`` are the values that a
    decision was made by (JSON data): what conditions read, an event, a moment waited for.
    """

    step: int
    visit: int
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


@dataclass(slots=True)
class Advanced:
    """What one advance of a passage amounts to; the passage itself has been moved.

    ``entered`` are the numbers of the steps reached. ``call`` is a new call, made by the step the
    passage now stands at; ``again`` keeps the present call and sends it once more at its time.
    ``wait_text`` says what it waits for now, if that is something else than before.
    ``writes`` are the user's attributes that were set (None removes) and ``before`` what those that
    changed by it were; ``makes`` are the events and the entries into other journeys that steps
    made, ``goals`` the numbers of those that counted now. ``contacted`` says that the user's
    contacts are others than before.
    """

    entered: list[int] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    call: Call | None = None
    again: Again | None = None
    wait_text: str = ""
    writes: Mapping[str, object] | None = None
    before: Mapping[str, object] | None = None
    makes: tuple[Emitted | Started, ...] = ()
    goals: tuple[int, ...] = ()
    contacted: bool = False


@dataclass(slots=True, frozen=True)
class World:
    """What decisions may look at besides the user: endpoints' live terms by name, and the
    installation's time zone. ``withheld``, unless it is '', is why no call is made at this moment:
    whoever comes to one goes on behind it, and it is skipped for that reason.
    """

    terms: Mapping[str, Terms]
    zone: str = "UTC"
    withheld: str = ""
