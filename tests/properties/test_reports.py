"""What a report of a journey counts is what its executions, passages and refusals are."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from hypothesis import given, reject

from engine.db.schema import open_database
from engine.enrollments.arms import by_arm
from engine.enrollments.living import living, version_of
from engine.enrollments.summary import Summary
from engine.versions.store import Versions
from tests.examples import share
from tests.properties.both_ways import Live, Undecided, fresh
from tests.properties.drawn import Case, cases
from tests.properties.test_simulated_is_live import template

__all__ = ["template"]

STATUS = {1: "succeeded", 2: "failed", 3: "skipped"}


def numbers(summary: Summary) -> dict[str, object]:
    """All that is counted; who the example of a failure is doesn't matter."""
    return {
        "users": (summary.entered, summary.finished, summary.waiting, summary.stuck),
        "refusals": summary.refusals,
        "outcomes": summary.outcomes,
        "steps": {
            name: (t.entered, t.succeeded, t.failed, t.skipped, t.waiting, t.failures)
            for name, t in summary.steps.items()
        },
        "arms": summary.arms,
        "calls": summary.calls,
        "endpoints": summary.endpoints,
        "failures": Counter((one.step, one.code, one.times) for one in summary.failures),
    }


@share(0.25, soak=0.5)
@given(case=cases(horizons=True))
def test_the_counts_are_the_executions(template: Path, case: Case) -> None:
    path = fresh(template)
    try:
        Live(case, path).run()
    except Undecided:
        reject()
    with closing(open_database(f"sqlite:///{path}")) as database, database.read() as connection:
        journey = connection.exec_driver_sql("SELECT journey FROM versions").scalars().first()
        versions = Versions()
        published = version_of(connection, str(journey), versions)
        counted = living(connection, published, versions)
        read = living(connection, published, versions, since=0)
        arms = by_arm(connection, published, versions)
    assert numbers(counted) == numbers(read)
    with closing(sqlite3.connect(path)) as rows:
        nodes = published.program.nodes
        executed = Counter[tuple[str, str]]()
        for step, status in rows.execute("SELECT step, status FROM executions"):
            executed[nodes[step].id, STATUS[status]] += 1
        took = Counter[tuple[str, str]]()
        for step, arm, *_ in rows.execute(
            "SELECT DISTINCT step, arm, bucket, enrollment FROM executions WHERE arm IS NOT NULL"
        ):
            took[nodes[step].id, arm] += 1
    for name, tally in counted.steps.items():
        for status in STATUS.values():
            assert getattr(tally, status) == executed[name, status]
        assert sum(tally.failures.values()) == tally.failed
        assert tally.waiting >= 0
    assert Counter({(one.step, one.arm): one.taken for one in arms}) == took
    assert all(one.taken == one.waiting + sum(one.outcomes.values()) for one in arms)
