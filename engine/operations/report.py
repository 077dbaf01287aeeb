"""``journey report``: what became of everybody in a journey, in a version of it, or in a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from engine.core.expressions.calendar import iso
from engine.enrollments import reports
from engine.enrollments.arms import by_arm
from engine.enrollments.living import lives, living, version_of
from engine.enrollments.summary_data import summary_data
from engine.operations.tables import instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.core.dsl.program import Program
    from engine.db.connect import Connection
    from engine.enrollments.arms import ArmTally
    from engine.enrollments.summary import Summary
    from engine.versions.store import Versions

ALL = "all"


@dataclass(slots=True, frozen=True)
class Asked:
    """What a report is asked for: of ``run`` (a number, :data:`ALL`, or None: the newest run where
    only runs have entered), or of the journey.
    """

    journey: str
    run: int | str | None = None
    version: int | None = None
    since: int | None = None
    by_arm: bool = False

    @property
    def narrowed(self) -> bool:
        """Whether it is of some of those who entered, which no single run is."""
        return self.version is not None or self.since is not None or self.by_arm


@dataclass(slots=True, frozen=True)
class Reported:
    """What is reported, ready to be shown: ``data`` as JSON has it; ``about`` says in words what it
    is of, and ``users`` how many a run has, where it is of one.
    """

    program: Program
    summary: Summary
    about: str
    data: Mapping[str, object]
    users: int | None = None
    arms: Sequence[ArmTally] = ()


def report(connection: Connection, asked: Asked, versions: Versions) -> Reported:
    """What is asked for, in one snapshot. Raises NotFound for a journey, version or run that isn't
    there.
    """
    whole = asked.run == ALL or asked.narrowed
    if whole or (asked.run is None and lives(connection, asked.journey)):
        return _of_the_journey(connection, asked, versions)
    return _of_a_run(connection, asked, versions)


def _of_a_run(connection: Connection, asked: Asked, versions: Versions) -> Reported:
    number = asked.run if isinstance(asked.run, int) else None
    run = reports.find_run(connection, asked.journey, number)
    summary = reports.summary(connection, run, versions)
    state = f"finished {instant(run.finished_at)}" if run.finished else "not finished"
    return Reported(
        program=versions.get(connection, run.version_id).program,
        summary=summary,
        about=f"run {run.id}, opened {instant(run.opened_at)}, {state}",
        data={
            **summary_data(summary),
            "run": run.id,
            "state": run.state,
            "opened_at": iso(run.opened_at),
            "finished_at": None if run.finished_at is None else iso(run.finished_at),
        },
        users=run.total,
    )


def _of_the_journey(connection: Connection, asked: Asked, versions: Versions) -> Reported:
    only, since = asked.version is not None, asked.since
    published = version_of(connection, asked.journey, versions, asked.version)
    summary = living(connection, published, versions, only=only, since=since)
    arms: tuple[ArmTally, ...] = ()
    if asked.by_arm:
        arms = tuple(by_arm(connection, published, versions, only=only, since=since))
    newest = f"all versions, the newest {published.number}"
    about = "all who entered it" if only else f"{newest}, all who entered"
    if since is not None:
        about += f", since {instant(since)}"
    data: dict[str, object] = {
        **summary_data(summary, in_full=True),
        "newest": None if only else published.number,
        "since": None if since is None else iso(since),
    }
    if asked.by_arm:
        data["by_arm"] = [asdict(arm) for arm in arms]
    return Reported(published.program, summary, about, data, arms=arms)
