"""The beginning of a live run: publish the journey, and find or open the runs to work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.clock import RealClock, VirtualClock, wall
from engine.db.ids import IdMaker, entropy
from engine.enrollments.store import runs
from engine.errors import OperatorError
from engine.processes.model import RunOpened
from engine.versions.publish import publish
from engine.versions.store import Versions

if TYPE_CHECKING:
    from engine.clock import Clock
    from engine.core.dsl.check import LoadedAndChecked
    from engine.db.connect import Connection, Database
    from engine.enrollments.store.runs import Run
    from engine.processes.model import RunObserver, RunOptions

LINGER_US = 10_000_000
"""A wait that is over within ten seconds is no sleep: the run stays for it."""


@dataclass(frozen=True, slots=True)
class Todo:
    """A run to work, or one that is over already."""

    run: Run
    continued: bool


def clock_of(connection: Connection, now: int | None) -> Clock:
    """The installation's clock; the first run decides whether it is real or virtual."""
    wanted = "real" if now is None else "virtual"
    stands = runs.installation(connection).clock
    if stands is None:
        runs.set_clock(connection, wanted)
    elif stands != wanted:
        other = "name another database, or leave --now out" if now is not None else "give --now"
        raise OperatorError(
            f"this database runs on the {stands} clock since its first run; {other}",
            code="operator.clock",
        )
    return RealClock() if now is None else VirtualClock(now)


def plan(
    connection: Connection,
    loaded: LoadedAndChecked,
    options: RunOptions,
    observer: RunObserver,
) -> list[Todo]:
    """Publish, and find or open the runs to work: unfinished ones over the same users first."""
    journey = loaded.journey.journey
    version_id = publish(
        connection,
        journey,
        options.source,
        loaded.checked.endpoints,
        now=wall(),
        actor=options.actor,
    )
    users = options.users
    before = runs.newest_run(connection, journey, users.digest)
    unfinished = runs.unfinished_runs(connection, journey, users.digest)
    todo = [Todo(run, continued=True) for run in unfinished]
    if before is not None and before.version_id == version_id and not options.again:
        return todo or [Todo(before, continued=True)]
    if any(run.version_id != version_id for run in unfinished):
        observer.notice(
            f"{options.file} changed under an unfinished run over the same users: that run is"
            " finished on its version first"
        )
    run = runs.Run(
        id=IdMaker(entropy)(wall()),
        journey=journey,
        version_id=version_id,
        source=users.digest,
        state=runs.OPEN,
        position=0,
        total=users.count,
        skipped=users.skipped,
        token_base=runs.token_requests(connection),
    )
    runs.open_run(connection, run, now=wall())
    return [*todo, Todo(run, continued=False)]


def tell_opened(database: Database, item: Todo, observer: RunObserver) -> None:
    """Tell the observer of a run that begins or goes on."""
    with database.read() as connection:
        version = Versions().get(connection, item.run.version_id).number
    observer.opened(RunOpened(item.run, version, item.continued))
