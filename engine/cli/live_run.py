"""``run-journey --live``: real calls, durable; what a person sees of it."""

from __future__ import annotations

import hashlib
import signal
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from engine.cli.context import actor
from engine.cli.show.moments import date_and_time
from engine.cli.show.table import users_in_words
from engine.core.guarded_json import dumps
from engine.db.schema import open_database
from engine.enrollments import reports, store
from engine.enrollments.store.runs import FINISHED
from engine.operations.zone import installation_zone
from engine.processes.feed import FileFeed
from engine.processes.model import RunOptions
from engine.processes.run import run_live
from engine.users.row import UserRow
from engine.versions.store import Versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cli.launch import Launch
    from engine.cli.show.output import Output
    from engine.core.dsl.check import LoadedAndChecked
    from engine.db.connect import Connection
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.summary import Summary
    from engine.processes.model import RunOpened, RunResult, Users
    from engine.settings import Settings
    from engine.users.events import EventsFile


@dataclass(frozen=True, slots=True)
class OneUser:
    """The user of the command line, as a run takes users. ``digest`` is of all that was given."""

    row: UserRow
    count: int = 1
    skipped: int = 0

    @property
    def digest(self) -> str:
        """Identifies this input: the same command goes on with the same run."""
        return hashlib.sha256(dumps(asdict(self.row))).hexdigest()

    def rows(self, start: int = 0) -> Iterator[UserRow]:
        """The user, unless he was taken already."""
        return iter([self.row][start:])


@dataclass(frozen=True, slots=True)
class WhoeverComes:
    """Nobody by name: the journey's triggers let users in, as events come."""

    digest: str
    count: int = 0
    skipped: int = 0

    def rows(self, _start: int = 0) -> Iterator[UserRow]:
        """Nobody."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Known:
    """Users who are known from the beginning, whom the journey's triggers let in as events come."""

    users: Users
    events: EventsFile

    @property
    def digest(self) -> str:
        """Identifies both files."""
        return hashlib.sha256(f"{self.users.digest}:{self.events.digest}".encode()).hexdigest()

    @property
    def count(self) -> int:
        """How many users are known."""
        return self.users.count

    @property
    def skipped(self) -> int:
        """Rows of users that were left out."""
        return self.users.skipped

    def rows(self, start: int = 0) -> Iterator[UserRow]:
        """The users from number ``start`` on."""
        return self.users.rows(start)


class Watcher:
    """Tells a person, or a program, of a run under way."""

    def __init__(self, output: Output, loaded: LoadedAndChecked) -> None:
        self._output = output
        self._journey = loaded.journey.journey
        self._paused = ""

    def opened(self, run: RunOpened) -> None:
        """A run begins, or goes on."""
        progress = self._output.progress
        progress.total, progress.before, progress.users = run.run.total, run.run.position, 0
        if run.continued and run.run.state != FINISHED:
            users = f"{run.run.position:,} of {run.run.total:,} users were taken in"
            self._output.note(f"{self._journey} version {run.version} goes on: {users}")

    def turned(self, ledger: Ledger) -> None:
        """A turn was committed."""
        calls = failures = 0
        for (_, _, step, kind, _), (n, attempts) in ledger.changes.counts.items():
            if step >= 0 and kind in (store.SUCCEEDED, store.FAILED):
                calls += n if attempts else 0
                failures += n if kind == store.FAILED else 0
        self._output.progress.add(users=ledger.settled, calls=calls, failures=failures)
        for event in ledger.told:
            self._output.event(event)

    def paused(self, reason: str) -> None:
        """The database can't be written; everybody stays due."""
        if reason != self._paused:
            self._output.note(f"waiting: {reason}")
        self._paused = reason

    def resumed(self) -> None:
        """It can again."""
        self._paused = ""
        self._output.note("going on")

    def notice(self, text: str) -> None:
        """One line that the operator should see."""
        self._output.note(text)


def run(launch: Launch) -> tuple[list[Summary], int | None]:
    """Run it and print what became of it: the summaries, and the signal that interrupted it."""
    invocation = launch.invocation
    settings = launch.settings
    if invocation.database is not None:
        settings = replace(settings, database_url=invocation.database)
    options = RunOptions(
        file=str(invocation.file),
        source=launch.source,
        users=_travellers(launch),
        settings=settings,
        actor=actor(),
        again=invocation.again,
        now=launch.start,
        stay_us=launch.horizon_us,
        telling=launch.output.telling,
        feed=None if launch.events is None else FileFeed(launch.events),
        triggered=launch.triggered,
    )
    try:
        result = _work(launch, options)
    except BrokenPipeError:  # the reader went away: the run was drained as by a signal
        return [], signal.SIGPIPE
    return _summaries(launch, settings, result), result.interrupted


def _travellers(launch: Launch) -> Users:
    """Who is to be taken through: a file's, one user, or whoever the events let in."""
    if launch.users is None:
        assert launch.events is not None  # noqa: S101 - only events leave them open
        return WhoeverComes(launch.events.digest)
    users = OneUser(launch.users) if isinstance(launch.users, UserRow) else launch.users
    if launch.events is not None and launch.triggered:
        return Known(users, launch.events)
    return users


def _work(launch: Launch, options: RunOptions) -> RunResult:
    watcher = Watcher(launch.output, launch.loaded)
    if launch.invocation.record is None:
        return run_live(options, watcher)
    from engine.cli.recorded import recording, stored_terms

    with recording(launch, stored_terms(options.settings), anew=False) as file:
        return run_live(replace(options, listening=file.attempted), watcher)


def _summaries(launch: Launch, settings: Settings, result: RunResult) -> list[Summary]:
    journey, output = launch.loaded.journey.journey, launch.output
    found: list[Summary] = []
    database = open_database(settings.database, create=False)
    try:
        with database.read() as connection:
            versions = Versions()
            for run_id in result.run_ids:
                run = reports.find_run(connection, journey, run_id)
                summary = reports.summary(connection, run, versions)
                if result.already_ran:
                    summary = summary.run_before()
                    output.note("these users have been through it; --again takes them once more")
                elif result.interrupted is None and summary.waiting:
                    _say_who_waits(output, connection, run, summary, settings)
                about = users_in_words(run.total) if run.total else ""
                output.summary(summary, about, in_full=result.already_ran)
                found.append(summary)
    finally:
        database.close()
    return found


def _say_who_waits(
    output: Output,
    connection: Connection,
    run: reports.ReportedRun,
    summary: Summary,
    settings: Settings,
) -> None:
    at, zone = reports.next_wake(connection, run), installation_zone(settings)
    first = f", the first until {date_and_time(at, zone)}" if at is not None else ""
    others = reports.awaiting_others(connection, run)
    if own := summary.waiting - others:
        output.note(f"{own:,} waiting{first}: the same command goes on with them")
    if others:
        worker = "through which a worker takes them (`journey up`)"
        output.note(f"{others:,} waiting for the end of another journey, {worker}")
