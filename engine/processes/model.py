"""What a live run is asked to do, what it tells, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.processes.supply import Observer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from engine.endpoints.send import Sent
    from engine.enrollments.pending import Held
    from engine.enrollments.store.runs import Run
    from engine.processes.supply import Feed
    from engine.settings import Settings
    from engine.users.row import UserRow


class Users(Protocol):
    """The users of a run: a checked file, or one from the command line."""

    @property
    def digest(self) -> str:
        """Identifies this input: the same command goes on with the same run."""
        ...

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    @property
    def skipped(self) -> int:
        """Rows that were left out."""
        ...

    def rows(self, start: int = 0) -> Iterator[UserRow]:
        """The users from number ``start`` on."""
        ...


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a live run is asked to do. ``now`` makes the clock virtual; ``stay_us`` is how long
    (journey time) sleepers are waited for, None for the few seconds that are no sleep;
    ``listening`` is told of each attempt of a call before its result counts. ``feed`` are facts
    that come by the run's clock; ``triggered``: the journey's triggers let users in, though it
    wasn't published with them switched on, and ``users`` are only made known before.
    """

    file: str
    source: bytes
    users: Users
    settings: Settings
    actor: str
    again: bool = False
    now: int | None = None
    stay_us: int | None = None
    telling: bool = False
    listening: Callable[[Held, Sent], Awaitable[None]] | None = None
    feed: Feed | None = None
    triggered: bool = False


@dataclass(frozen=True, slots=True)
class RunOpened:
    """A run that begins or goes on."""

    run: Run
    version: int
    continued: bool


class RunObserver(Observer, Protocol):
    """Who listens to a live run."""

    def opened(self, run: RunOpened) -> None:
        """A run begins, or goes on."""
        ...

    def notice(self, text: str) -> None:
        """One line that the operator should see."""
        ...


@dataclass(frozen=True, slots=True)
class RunResult:
    """What was run: ids of the runs worked, in order. ``interrupted`` is the signal that ended it
    early; ``already_ran`` says that there was nothing left to do.
    """

    run_ids: tuple[int, ...]
    already_ran: bool = False
    interrupted: int | None = None
