"""A worker and all that it works with, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.clock import VirtualClock, wall
from engine.db.ids import IdMaker, entropy
from engine.endpoints.live import LiveEndpoints
from engine.enrollments.backlog import Backlog
from engine.enrollments.clock_entries import ClockEntries
from engine.enrollments.decide import Decider
from engine.enrollments.listening import Listening
from engine.enrollments.pausing import Holding
from engine.enrollments.present import Surroundings
from engine.enrollments.send import Outbox
from engine.enrollments.store import runs
from engine.enrollments.users_held import UsersHeld
from engine.operations.erase import carry_out
from engine.processes.limits import raise_open_files
from engine.processes.worker import Worker
from engine.versions.live import LiveJourneys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.clock import Clock
    from engine.core.steps.base import Result
    from engine.db.connect import Connection, Database
    from engine.enrollments.buckets import Owned
    from engine.enrollments.pending import Held
    from engine.processes.supply import Feed, Observer, Source
    from engine.settings import Settings
    from engine.versions.store import Published, Versions


@dataclass(slots=True, frozen=True)
class Task:
    """What a worker is for: one run over the users of ``source``, who enter ``published``.

    ``horizon`` and ``linger`` say how long sleepers are waited for (see :class:`Worker`); ``feed``
    are facts that come by its clock, and if ``triggered`` the version's triggers let users in,
    and those of ``source`` are only made known.
    ``backlog`` says what of the database is worked.
    """

    run_id: int
    published: Published
    source: Source
    horizon: int | None
    linger: int
    feed: Feed | None = None
    triggered: bool = False
    backlog: type[Backlog] = Backlog


def _erase(user_id: str, wish: str, connection: Connection) -> None:
    carry_out(connection, user_id, wish, now=wall())


class _WallIds(IdMaker):
    """Ids by the wall's clock, whatever the instant they are wanted for."""

    __slots__ = ()

    def __call__(self, _now: int) -> int:
        return super().__call__(wall())


def _ids(clock: Clock) -> IdMaker:
    """Ids of passages, by journey time; by the wall's where that stands still: two runs that begin
    at one moment would draw the same ones.
    """
    return (_WallIds if isinstance(clock, VirtualClock) else IdMaker)(entropy)


def _installation(database: Database) -> str:
    with database.read() as connection:
        return runs.installation(connection).key


def assemble(
    database: Database,
    owned: Owned,
    deliver: Callable[[Held], Awaitable[Result]],
    versions: Versions,
    clock: Clock,
    settings: Settings,
    observer: Observer,
    task: Task | None = None,
    *,
    telling: bool = False,
    kind: type[Worker] = Worker,
) -> Worker:
    """A worker of that ``kind`` for ``task``; without one it works everything, until stopped."""
    live = LiveEndpoints(database, clock, policy=versions.policy, rank=lambda: owned.rank)
    users, journeys = UsersHeld(), LiveJourneys(versions)
    backlog = (Backlog if task is None else task.backlog)(
        None if task is None else task.run_id, versions, users
    )
    outbox = Outbox(deliver, live, raise_open_files(settings.calls_in_flight))
    decider = Decider(
        None if task is None else (task.run_id, task.published),
        Surroundings(versions, users, outbox, Listening(versions), erase=_erase),
        journeys,
        Holding(journeys, versions),
        lambda: backlog.owned,
        _ids(clock),
        _installation(database),
        settings.timezone,
        telling,
        triggered=task is not None and task.triggered,
        clocks=ClockEntries(users, settings.timezone),
    )
    parts = (database, decider, backlog, outbox, live, clock)
    if task is None:
        return kind(*parts, None, observer, owned)
    return kind(
        *parts,
        task.source,
        observer,
        owned,
        horizon=task.horizon,
        linger=task.linger,
        feed=task.feed,
    )
