"""Who is inside a journey's versions now: how many, and at which steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.dsl.program import Program
    from engine.db.connect import Connection

_WAITING = 0
_ENTERED, _LEFT = 7, 5
"""Kinds of ``step_counts``: admitted, and ended."""


@dataclass(slots=True, frozen=True)
class Numbers:
    """How many users entered a version so far, and how many of them are inside now."""

    entered: int
    inside: int


@dataclass(slots=True, frozen=True)
class StepInside:
    """How many users stand at a step now: asleep or due (``waiting``), or with a call that isn't
    answered yet (``calling``).
    """

    step: str
    waiting: int
    calling: int


def numbers(connection: Connection) -> dict[int, Numbers]:
    """Every version's numbers, from what was counted; versions nobody entered aren't there."""
    rows = connection.exec_driver_sql(
        "SELECT version_id, sum(CASE kind WHEN ? THEN n ELSE 0 END),"
        " sum(CASE kind WHEN ? THEN n ELSE 0 END)"
        " FROM step_counts WHERE step = -1 GROUP BY version_id",
        (_ENTERED, _LEFT),
    )
    return {row[0]: Numbers(int(row[1]), int(row[1]) - int(row[2])) for row in rows}


def users(connection: Connection, journey: str) -> int:
    """How many users are inside a journey now, in whatever version."""
    found: int = connection.exec_driver_sql(
        "SELECT coalesce(sum(CASE c.kind WHEN ? THEN c.n WHEN ? THEN -c.n END), 0)"
        " FROM step_counts AS c JOIN versions AS v ON v.id = c.version_id"
        " WHERE c.step = -1 AND v.journey = ?",
        (_ENTERED, _LEFT, journey),
    ).scalar_one()
    return int(found)


def at_steps(connection: Connection, journey: str) -> dict[int, dict[int, tuple[int, int]]]:
    """How many wait, and how many call, at each step's number of each version that somebody is
    inside of. Looks at every enrollment there is.
    """
    rows = connection.exec_driver_sql(
        "SELECT version_id, position, sum(CASE state WHEN ? THEN 1 ELSE 0 END), count(*)"
        " FROM enrollments WHERE journey = ? AND state <> 2 GROUP BY version_id, position",
        (_WAITING, journey),
    )
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for version_id, position, waiting, everybody in rows:
        found.setdefault(version_id, {})[position] = (int(waiting), int(everybody - waiting))
    return found


def by_step(program: Program, standing: dict[int, tuple[int, int]]) -> tuple[StepInside, ...]:
    """The same of one version, by the names of its steps and in its order."""
    found = []
    for position, (waiting, calling) in sorted(standing.items()):
        known = 0 <= position < len(program.nodes)
        name = program.nodes[position].step.id if known else "(end)"
        found.append(StepInside(name, waiting, calling))
    return tuple(found)


def entered_by_triggers(connection: Connection, journey: str, since: int) -> int:
    """How many entered a journey by its triggers since an instant (microseconds UTC)."""
    found: int = connection.exec_driver_sql(
        "SELECT count(*) FROM enrollments WHERE journey = ? AND run_id = 0 AND entered_at >= ?",
        (journey, since),
    ).scalar_one()
    return found
