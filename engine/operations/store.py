"""The rows of running processes and of their duties. Instants are wall time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.db.connect import Connection

State = Literal["ok", "odd", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a process found looking at one part of itself."""

    part: str
    state: State
    found: str


ENDED = "ended"
"""The part under which a process that can't go on for a bug leaves word of it."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that runs, or ran and never said that it ended, or ended for a bug."""

    id: str
    kind: str
    host: str
    pid: int
    started_at: int
    seen_at: int
    health: tuple[Finding, ...] = ()

    @property
    def bug(self) -> str:
        """What it ended for, if that was a bug of ours; else ''."""
        return next((each.found for each in self.health if each.part == ENDED), "")


@dataclass(frozen=True, slots=True)
class DutyState:
    """A duty as it stands: ``error`` is why it failed last, ``failures`` how often in a row."""

    name: str
    process: str
    started_at: int | None
    ended_at: int | None
    said: str
    error: str | None
    failures: int
    next_at: int


def put_process(connection: Connection, process: Process) -> None:
    """Write down that a process lives, and how it is."""
    health = json.dumps([asdict(finding) for finding in process.health])
    connection.exec_driver_sql(
        "INSERT INTO processes (id, kind, host, pid, started_at, seen_at, health)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " seen_at = excluded.seen_at, health = excluded.health",
        (
            process.id,
            process.kind,
            process.host,
            process.pid,
            process.started_at,
            process.seen_at,
            health,
        ),
    )


def delete_processes(connection: Connection, ids: Iterable[str]) -> None:
    """Forget processes that ended."""
    for each in ids:
        connection.exec_driver_sql("DELETE FROM processes WHERE id = ?", (each,))


def processes(connection: Connection) -> list[Process]:
    """Every process that said it lives and not that it ended, unless for a bug; oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT id, kind, host, pid, started_at, seen_at, health FROM processes"
        " ORDER BY started_at, id"
    )
    found: list[Process] = []
    for *columns, health in rows:
        findings = tuple(Finding(**each) for each in json.loads(health))
        found.append(replace(Process(*columns), health=findings))
    return found


def plan_duty(connection: Connection, name: str, next_at: int) -> int:
    """Let a duty be due at ``next_at`` unless it is due before; when it is due."""
    due: int = connection.exec_driver_sql(
        "INSERT INTO duties (name, process, said, failures, next_at) VALUES (?, '', '', 0, ?)"
        " ON CONFLICT (name) DO UPDATE SET next_at ="
        " CASE WHEN duties.next_at < excluded.next_at THEN duties.next_at ELSE excluded.next_at END"
        " RETURNING next_at",
        (name, next_at),
    ).scalar_one()
    return due


def claim_duty(connection: Connection, name: str, process: str, now: int, next_at: int) -> bool:
    """Take a duty that is due; False where another process did."""
    taken = connection.exec_driver_sql(
        "UPDATE duties SET process = ?, started_at = ?, ended_at = NULL, next_at = ?"
        " WHERE name = ? AND next_at <= ?",
        (process, now, next_at, name, now),
    )
    return taken.rowcount == 1


def put_duty(connection: Connection, duty: DutyState) -> None:
    """Write down how a duty stands."""
    connection.exec_driver_sql(
        "INSERT INTO duties (name, process, started_at, ended_at, said, error, failures, next_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
        " process = excluded.process, started_at = excluded.started_at,"
        " ended_at = excluded.ended_at, said = excluded.said, error = excluded.error,"
        " failures = excluded.failures, next_at = excluded.next_at",
        (
            duty.name,
            duty.process,
            duty.started_at,
            duty.ended_at,
            duty.said,
            duty.error,
            duty.failures,
            duty.next_at,
        ),
    )


def delete_other_duties(connection: Connection, names: Sequence[str]) -> None:
    """Forget duties that nobody has any more."""
    known = {row[0] for row in connection.exec_driver_sql("SELECT name FROM duties")}
    for name in known.difference(names):
        connection.exec_driver_sql("DELETE FROM duties WHERE name = ?", (name,))


def duties(connection: Connection) -> list[DutyState]:
    """Every duty, by name."""
    rows = connection.exec_driver_sql(
        "SELECT name, process, started_at, ended_at, said, error, failures, next_at FROM duties"
        " ORDER BY name"
    )
    return [DutyState(*row) for row in rows]
