"""The rows of runs, and of the installation they run in."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.db.statements import execute
from engine.enrollments.arriving import ORDER, Order
from engine.enrollments.store.facts import entries_waiting

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from engine.db.connect import Connection

OPEN = "open"
FINISHED = "finished"
_BEFORE = Order(block=8192, stripe=256)
"""The order of a run that was opened before it was written down."""


@dataclass(slots=True, frozen=True)
class Run:
    """One launch over users. ``position`` of ``total`` rows were admitted or refused, in the
    ``order`` in which they are taken in.
    """

    id: int
    journey: str
    version_id: int
    source: str
    state: str
    position: int
    total: int
    skipped: int
    token_base: dict[str, int]
    order: Order = ORDER


def newest_run(connection: Connection, journey: str, source: str) -> Run | None:
    """The last run of a journey over this users input."""
    row = execute(connection, "newest_run", (journey, source)).one_or_none()
    return None if row is None else _run(row)


def unfinished_runs(connection: Connection, journey: str, source: str) -> list[Run]:
    """The runs of a journey over this users input that somebody is still in, oldest first."""
    rows = execute(connection, "unfinished_runs", (journey, source, OPEN))
    return [_run(row) for row in rows.fetchall()]


def _run(row: Row[Any]) -> Run:
    columns = row._asdict()
    columns["token_base"] = json.loads(columns["token_base"])
    block, stripe = columns.pop("block"), columns.pop("stripe")
    order = Order(block or _BEFORE.block, stripe or _BEFORE.stripe)
    return Run(**columns, order=order)


def open_run(connection: Connection, run: Run, *, now: int) -> None:
    """Write down a run that begins."""
    execute(
        connection,
        "open_run",
        (
            run.id,
            run.journey,
            run.version_id,
            run.source,
            run.state,
            run.position,
            run.total,
            run.skipped,
            json.dumps(run.token_base),
            now,
            *run.order,
        ),
    )


def finish_run(connection: Connection, run_id: int, *, now: int) -> None:
    """Mark a run as over: everybody of it has ended."""
    tokens = json.dumps(token_requests(connection))
    connection.exec_driver_sql(
        "UPDATE runs SET state = ?, finished_at = ?, token_end = ? WHERE id = ?",
        (FINISHED, now, tokens, run_id),
    )


def everybody_ended(connection: Connection, run_id: int) -> bool:
    """Whether every row of a run was taken in and no passage of it is live."""
    row = execute(connection, "everybody_ended", (run_id,)).one()
    return bool(row[0]) and row[1] == 0 and not entries_waiting(connection, run_id)


def stands(connection: Connection, run: Run) -> Run:
    """``run`` as it stands now: others may have worked on it."""
    state, position = connection.exec_driver_sql(
        "SELECT state, position FROM runs WHERE id = ?", (run.id,)
    ).one()
    return replace(run, state=state, position=position)


def move(connection: Connection, run_id: int, position: int) -> None:
    """So many rows of a run's users were taken."""
    execute(connection, "move_run", (position, run_id))


def token_requests(connection: Connection) -> dict[str, int]:
    """How often each profile's token server was asked, ever."""
    rows = connection.exec_driver_sql(
        "SELECT p.name, t.requests FROM token_states AS t JOIN auth_profiles AS p"
        " ON p.id = t.profile_id"
    )
    return {row[0]: row[1] for row in rows}


@dataclass(slots=True, frozen=True)
class InstallationState:
    """The installation's key, and its clock: real, virtual, or None before the first run."""

    key: str
    clock: str | None


def installation(connection: Connection) -> InstallationState:
    """The one row of the installation."""
    row = connection.exec_driver_sql("SELECT key, clock FROM installation").one()
    return InstallationState(row[0], row[1])


def set_clock(connection: Connection, clock: str) -> None:
    """Fix the installation's clock."""
    connection.exec_driver_sql("UPDATE installation SET clock = ?", (clock,))
