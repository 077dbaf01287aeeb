"""Arms against each other: what became of those who took each arm of each split."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.db.connect import Connection
    from engine.versions.store import Published, Versions


@dataclass(slots=True)
class ArmTally:
    """Passages that took an arm: how many, how many are in the journey now, how the others ended,
    and for how many each goal counted.
    """

    step: str
    arm: str
    taken: int = 0
    waiting: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    goals: dict[str, int] = field(default_factory=dict)


def by_arm(
    connection: Connection,
    published: Published,
    versions: Versions,
    *,
    only: bool = False,
    since: int | None = None,
) -> list[ArmTally]:
    """The arms of a journey's splits, in the order of ``published`` and its arms' names; with
    ``only`` of that version. ``since`` leaves out passages that entered before. Passages are
    counted, once each.
    """
    tallies: dict[tuple[str, str], ArmTally] = {}
    last: tuple[object, ...] = ()
    for bucket, id_, version_id, step, arm, outcome, state, data in connection.exec_driver_sql(
        "SELECT e.bucket, e.id, e.version_id, x.step, x.arm, e.outcome, e.state, e.data"
        " FROM executions AS x JOIN enrollments AS e"
        " ON e.bucket = x.bucket AND e.id = x.enrollment"
        " WHERE e.journey = ? AND e.entered_at >= ? AND x.arm IS NOT NULL"
        " ORDER BY x.bucket, x.enrollment, x.step, x.visit",
        (published.journey, since or 0),
    ):
        place = (bucket, id_, step, arm)
        if place == last or (only and version_id != published.id):
            continue
        last = place
        program = versions.get(connection, version_id).program
        name = program.nodes[step].step.id
        tally = tallies.setdefault((name, arm), ArmTally(name, arm))
        tally.taken += 1
        if state == 2:
            tally.outcomes[outcome] = tally.outcomes.get(outcome, 0) + 1
        else:
            tally.waiting += 1
        for number in goals_in(data):
            goal = program.journey.goals[number].name
            tally.goals[goal] = tally.goals.get(goal, 0) + 1
    numbers = published.program.numbers
    return sorted(
        tallies.values(), key=lambda one: (numbers.get(one.step, len(numbers)), one.step, one.arm)
    )


def goals_in(data: str) -> Iterator[int]:
    """The numbers of the goals that counted, from a passage's data as its row has it."""
    if '"g":' not in data:
        return
    for number in json.loads(data).get("g", ()):
        yield int(number)
