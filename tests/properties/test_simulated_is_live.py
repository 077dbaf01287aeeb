"""A simulation decides what the live engine decides: same users, same answers, same everything.

Each case is a journey, its users and what endpoints answer, drawn by ``drawn.py`` and taken both
ways by ``both_ways.py``. Hypothesis prints a blob with each failure that repeats and shrinks it;
``scripts/test --soak`` runs thousands.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from engine.core.interpreter.state import State
from engine.core.message import Answer
from engine.core.steps.facts import Event
from engine.endpoints.model import Endpoint
from engine.enrollments import loaded_ahead
from engine.processes import supply, worker
from engine.users.row import UserRow
from tests.examples import share
from tests.properties.both_ways import (
    Live,
    Simulated,
    Taken,
    Undecided,
    assert_same,
    empty_database,
    fresh,
)
from tests.properties.drawn import DAY, ENDPOINTS, HOUR, START, Case, Entry, cases
from tests.properties.simulated_world import Faults


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty database, and a folder to copy it in."""
    with empty_database(tmp_path_factory.mktemp("live")) as path:
        yield path


def compare(
    template: Path, case: Case, *, told: bool = True, in_turn: bool = True, **how: Any
) -> None:
    """Take a case both ways. Not ``in_turn``: but those in which somebody enters twice at a moment,
    whose passages come one after another by their journeys and keys only in one and the same turn.
    """
    if Simulated(case).is_long():
        reject()
    live = Live(case, fresh(template), **how)
    try:
        went = live.run()
    except Undecided:
        reject()
    if live.clock.now() > case.horizon:
        # A retry after it, which is always made, lets those sleep out who sleep up to then.
        reject()
    simulated = Simulated(case).run(live.key)
    if not in_turn and any(_entered_at_once(taken) for taken in simulated.taken.values()):
        reject()
    assert_same(simulated, went, told=told)


def _entered_at_once(taken: Taken) -> bool:
    moments = [passage["entered_at"] for passage in taken.passages]
    return len({*moments}) < len(moments)


@share(0.3, soak=1)
@given(case=cases(slow=True))
def test_a_simulation_decides_as_a_live_run_does(template: Path, case: Case) -> None:
    compare(template, case)


@share(0.1, soak=0.2)
@given(case=cases(horizons=True))
def test_up_to_a_horizon_too(template: Path, case: Case) -> None:
    compare(template, case)


@share(0.15, soak=0.5)
@given(case=cases(entering=True))
def test_who_enters_again_is_decided_alike(template: Path, case: Case) -> None:
    compare(template, case)


@share(0.1, soak=0.2)
@given(case=cases(crashing=True))
def test_a_process_that_ends_with_each_commit_changes_nothing(template: Path, case: Case) -> None:
    compare(template, case, stops=True)


@share(0.15, soak=0.3)
@given(
    case=cases(crashing=True),
    seed=st.integers(0, 1_000),
    rate=st.sampled_from([0.05, 0.2, 0.5]),
    most=st.integers(0, 30),
    at_once=st.sampled_from([1, 2, 100]),
)
def test_crashes_and_failing_writes_change_nothing(
    template: Path, case: Case, seed: int, rate: float, most: int, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ANSWERS_PER_TURN", "SLEEPERS_PER_TURN"):
            patch.setattr(worker, name, at_once)
        for name in ("ARRIVALS_PER_TURN", "LIGHT_ARRIVALS_PER_TURN"):
            patch.setattr(supply, name, at_once)
        compare(template, case, told=False, faults=(seed, Faults(rate, most)))


@share(0.2, soak=0.7)
@given(case=cases(slow=True, events=True))
def test_what_happens_to_users_is_decided_alike(template: Path, case: Case) -> None:
    compare(template, case)


@share(0.3, soak=1)
@given(case=cases(slow=True, events=True, triggered=True))
def test_whom_events_let_in_is_decided_alike(template: Path, case: Case) -> None:
    compare(template, case)


@share(0.1, soak=0.5)
@given(case=cases(slow=True, events=True, triggered=True))
def test_who_was_loaded_long_before_his_time_is_decided_alike(template: Path, case: Case) -> None:
    with pytest.MonkeyPatch.context() as patch:
        spans = {"SOON_US": 400 * DAY, "SPAN_US": 401 * DAY, "VAIN_US": 1, "VAIN_EACH_US": 0}
        for name, value in {**spans, "PORTION": 3}.items():
            patch.setattr(loaded_ahead, name, value)
        patch.setattr(worker, "SLEEPERS_PER_TURN", 1)  # two are a crowd
        compare(template, case, in_turn=False)


@share(0.1, soak=0.2)
@given(case=cases(slow=True, events=True, triggered=True, clocked=True))
def test_whom_clocks_let_in_is_decided_alike(template: Path, case: Case) -> None:
    compare(template, case)


@share(0.1, soak=0.2)
@given(
    case=st.one_of(
        cases(horizons=True, events=True), cases(horizons=True, events=True, triggered=True)
    )
)
def test_events_up_to_a_horizon_are_decided_alike(template: Path, case: Case) -> None:
    compare(template, case)


@share(0.1, soak=0.2)
@given(case=cases(crashing=True, events=True))
def test_events_are_heard_once_by_processes_that_end_with_each_commit(
    template: Path, case: Case
) -> None:
    compare(template, case, stops=True)


@share(0.15, soak=0.3)
@given(
    case=cases(crashing=True, events=True),
    seed=st.integers(0, 1_000),
    rate=st.sampled_from([0.05, 0.2, 0.5]),
    most=st.integers(0, 30),
)
def test_events_are_heard_once_whatever_crashes_and_fails(
    template: Path, case: Case, seed: int, rate: float, most: int
) -> None:
    compare(template, case, told=False, faults=(seed, Faults(rate, most)))


@share(0.05, soak=0.1)
@given(case=cases(crashing=True, events=True, triggered=True))
def test_events_let_in_once_though_processes_end_with_each_commit(
    template: Path, case: Case
) -> None:
    compare(template, case, stops=True)


@share(0.05, soak=0.1)
@given(
    case=st.one_of(
        cases(crashing=True, events=True, triggered=True),
        cases(crashing=True, events=True, triggered=True, clocked=True),
    ),
    seed=st.integers(0, 1_000),
    rate=st.sampled_from([0.05, 0.2, 0.5]),
    most=st.integers(0, 30),
)
def test_events_and_clocks_let_in_once_whatever_crashes_and_fails(
    template: Path, case: Case, seed: int, rate: float, most: int
) -> None:
    compare(template, case, told=False, faults=(seed, Faults(rate, most)))


@share(0.3, soak=1)
@given(
    case=st.one_of(
        cases(slow=True),
        cases(entering=True),
        cases(slow=True, events=True),
        cases(slow=True, events=True, triggered=True),
    )
)
def test_whatever_the_case_everybody_ends_and_twice_is_the_same(case: Case) -> None:
    if Simulated(case).is_long():
        reject()
    once = Simulated(case).run(_no_key)
    assert once == Simulated(case).run(_no_key)
    assert once.summary.finished == once.summary.entered
    for taken in once.taken.values():
        assert all(passage["state"] is State.ENDED for passage in taken.passages)


def _no_key(user: str, passage: int, step: str, visit: int) -> str:
    return "key"


def test_a_wait_follows_a_date_that_another_passage_of_the_user_changes(template: Path) -> None:
    waits = {"date": "user.born", "missing": "continue"}
    ways: list[dict[str, object]] = [
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
    compare(template, case)


def wait(id_: str, **more: object) -> dict[str, object]:
    return {"id": id_, "type": "wait", **more}


def put(**values: object) -> dict[str, object]:
    written = {f"user.{name}": value for name, value in values.items()}
    return {"id": f"put_{'_'.join(values)}", "type": "set", "values": written}


def branch(id_: str, paths: list[dict[str, object]]) -> dict[str, object]:
    return {"id": id_, "type": "branch", "paths": paths}


def test_a_call_of_on_exit_is_made_once_where_a_sleeper_is_restarted(template: Path) -> None:
    sleeps: dict[str, Any] = {
        "dsl": 1,
        "journey": "j",
        "entry": {"inputs": {}, "triggers": [{"event": "come"}], "reentry": "restart"},
        "steps": [{"id": "sleep", "type": "wait", "for": "PT10M"}],
        "on_exit": [{"id": "leave", "type": "call_api", "endpoint": "crm"}],
    }
    urls = {name: f"https://{name}.example" for name in ENDPOINTS}
    case = Case(
        journey=sleeps,
        users=(UserRow(2, "u0", None, {}, {}),),
        endpoints=tuple(Endpoint(name=name, base_url=url) for name, url in urls.items()),
        answers=(Answer(200, elapsed_us=1),),
        zone="UTC",
        horizon=START + DAY,
        entries=(Entry(START + 7, {}), Entry(START + HOUR // 9, {})),
    )
    compare(template, case)


def test_a_schedules_audience_and_a_date_count_what_happened_before(template: Path) -> None:
    counts = {"n": "event_count('visit')"}
    entry = {
        "inputs": {"n": "any"},
        "key": "inputs.n",
        "reentry": "after_exit",
        "triggers": [
            {"schedule": "0 9 * * *", "audience": "has_event('visit', 'P2D')", "inputs": counts},
            {"date": "user.born", "inputs": {"n": "'born' ~ event_count('visit')"}},
        ],
    }
    visits = tuple(Event(0, START + n * DAY, "visit", {}, f"v{n}") for n in (1, 2, 5))
    case = Case(
        journey={"dsl": 1, "journey": "j", "entry": entry, "steps": [put(seen=True)]},
        users=tuple(
            UserRow(2 + n, f"u{n}", None, {"born": "2026-10-30T12:00:00Z"}, {}) for n in range(2)
        ),
        endpoints=(),
        answers=(),
        zone="UTC",
        horizon=START + 8 * DAY,
        facts={"u0": visits, "u1": ()},
        triggered=True,
    )
    live = Live(case, fresh(template))
    went = live.run()
    assert_same(Simulated(case).run(live.key), went)
    keys = {who: [one["key"] for one in taken.passages] for who, taken in went.taken.items()}
    assert keys == {"u0": ["1", "2", "2", "born2", "3", "3"], "u1": ["born0"]}
