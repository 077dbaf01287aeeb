"""A simulation decides what the live engine decides: same users, same answers, same everything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from engine.db.schema import open_database
from engine.processes import worker
from tests.properties.both_ways import Live, Simulated, assert_same
from tests.properties.drawn import Case, cases


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty database, and a folder to copy it in."""
    path = tmp_path_factory.mktemp("live") / "template.db"
    database = open_database(f"sqlite:///{path}")
    with database.untouched() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "rest", lambda seconds: None)
        yield path


def fresh(template: Path) -> Path:
    """A database for one example."""
    path = template.with_name("engine.db")
    for old in path.parent.glob("engine.db*"):
        old.unlink()
    shutil.copy(template, path)
    return path


@given(case=cases(slow=True))
def test_a_simulation_decides_as_a_live_run_does(template: Path, case: Case) -> None:
    live = Live(case, fresh(template))
    went = live.run()
    assert_same(Simulated(case).run(live.key), went)
