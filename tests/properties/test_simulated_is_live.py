"""A simulation decides what the live engine decides: same users, same answers, same everything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.db.schema import open_database
from engine.processes import worker
from engine.users.row import UserRow
from tests.properties.both_ways import Live, Simulated, assert_same
from tests.properties.drawn import DAY, HOUR, START, Case, Entry, cases
from tests.properties.simulated_world import Faults


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


@given(case=cases(horizons=True))
def test_up_to_a_horizon_too(template: Path, case: Case) -> None:
    live = Live(case, fresh(template))
    went = live.run()
    # A retry after the horizon, which is always made, lets those sleep out who slept up to it.
    assume(live.clock.now() <= case.horizon)
    assert_same(Simulated(case).run(live.key), went)


@given(case=cases(entering=True))
def test_who_enters_again_is_decided_alike(template: Path, case: Case) -> None:
    live = Live(case, fresh(template))
    went = live.run()
    assert_same(Simulated(case).run(live.key), went)


@settings(max_examples=40)
@given(case=cases(crashing=True))
def test_a_process_that_ends_with_each_commit_changes_nothing(template: Path, case: Case) -> None:
    live = Live(case, fresh(template), stops=True)
    went = live.run()
    assert_same(Simulated(case).run(live.key), went)


@settings(max_examples=40)
@given(
    case=cases(crashing=True),
    seed=st.integers(0, 1_000),
    rate=st.sampled_from([0.05, 0.2, 0.5]),
    most=st.integers(0, 30),
)
def test_crashes_and_failing_writes_change_nothing(
    template: Path, case: Case, seed: int, rate: float, most: int
) -> None:
    live = Live(case, fresh(template), faults=(seed, Faults(rate, most)))
    went = live.run()
    assert_same(Simulated(case).run(live.key), went, told=False)


def test_a_wait_follows_a_date_that_another_passage_of_the_user_changes(template: Path) -> None:
    waits = {"date": "user.born", "missing": "continue"}
    ways = [
        {"name": "w", "when": "inputs.n == 1", "steps": [wait("rest", until=waits)]},
        {"name": "s", "when": "inputs.n == 2", "steps": [put(born="2026-10-28")]},
        {"name": "z", "when": "inputs.n == 3", "steps": [put(timezone="Asia/Tokyo")]},
    ]
    entry = {"inputs": {"n": "any"}, "key": "inputs.n", "triggers": [{"event": "come"}]}
    case = Case(
        journey={"dsl": 1, "journey": "j", "entry": entry, "steps": [branch("way", ways)]},
        users=(UserRow(2, "u0", "Europe/Berlin", {"born": "2026-12-24"}, {}),),
        endpoints=(),
        answers=(),
        zone="UTC",
        horizon=START + 400 * DAY,
        entries=tuple(Entry(START + n * HOUR + 1, {"n": n}) for n in (1, 2, 3)),
    )
    live = Live(case, fresh(template))
    went = live.run()
    assert_same(Simulated(case).run(live.key), went)


def wait(id_: str, **more: object) -> dict[str, object]:
    return {"id": id_, "type": "wait", **more}


def put(**values: object) -> dict[str, object]:
    written = {f"user.{name}": value for name, value in values.items()}
    return {"id": f"put_{'_'.join(values)}", "type": "set", "values": written}


def branch(id_: str, paths: list[dict[str, object]]) -> dict[str, object]:
    return {"id": id_, "type": "branch", "paths": paths}
