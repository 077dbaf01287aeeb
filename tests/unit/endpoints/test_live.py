from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.core.steps.terms import DEFAULT_TERMS
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.endpoints import states, store
from engine.endpoints.gate import Parked, Refused
from engine.endpoints.limits import Rank
from engine.endpoints.live import LiveEndpoints, share_of
from engine.endpoints.model import Endpoint
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND


@dataclass(eq=False)
class ACall:
    due_at: int = NOW
    tries: int = 0
    first_at: int | None = None


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> int:
        return self.at

    def moment(self) -> int:
        return self.at


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    yield database
    database.close()


def save(database: Database, **fields: object) -> None:
    endpoint = Endpoint.model_validate({"name": "crm", "base_url": "https://a.example"} | fields)
    with database.write() as connection:
        store.save(connection, endpoint, now=1, actor="ada")


def read(live: LiveEndpoints, database: Database) -> None:
    with database.read() as connection:
        live.terms(connection)


def on_a_loop(
    live: LiveEndpoints, *, until: Callable[[], bool], step: Callable[[], object]
) -> None:
    """Do something, again whenever the endpoint changed, until it has come to what is wanted."""

    async def scenario() -> None:
        changed = asyncio.Event()
        live.changed = lambda _: changed.set()
        async with asyncio.timeout(10):
            step()
            while not until():
                await changed.wait()
                changed.clear()
                step()

    asyncio.run(scenario())


def failed(failure: str) -> Result:
    return Result(Answer(failure=failure), failure, "no", 0, 1, NOW)


def test_an_edit_holds_for_the_next_read(database: Database) -> None:
    live = LiveEndpoints()
    save(database)
    with database.read() as connection:
        assert live.terms(connection) == {"crm": DEFAULT_TERMS}
    save(database, timeout="1s", concurrency=3, delivery="at_most_once")
    with database.read() as connection:
        assert live.terms(connection)["crm"].timeout_us == SECOND
    assert live.concurrency("crm") == 3
    assert live.at_most_once("crm")


def test_an_unknown_endpoint_has_the_defaults(database: Database) -> None:
    live = LiveEndpoints(database)
    assert (live.concurrency("crm"), live.at_most_once("crm")) == (100, False)
    assert live.admit("crm", ACall(), lambda: 1) == 0.0


def test_a_rate_is_kept_over_edits_of_other_settings(database: Database) -> None:
    clock, granted = Clock(), list[float]()
    live = LiveEndpoints(database, clock)
    save(database, rate_limit={"count": 2, "per": "10s"})
    read(live, database)

    def take() -> None:
        while (wait := live.admit("crm", ACall(), lambda: 5)) == 0.0:
            granted.append(0.0)
        waits.append(wait)

    waits: list[object] = []
    on_a_loop(live, until=lambda: len(granted) == 2 and waits[-1] != float("inf"), step=take)
    save(database, rate_limit={"count": 2, "per": "10s"}, concurrency=5)
    read(live, database)
    clock.at += 9 * SECOND
    on_a_loop(live, until=lambda: waits[-1] != float("inf"), step=take)
    assert len(granted) == 2
    clock.at += 2 * SECOND
    on_a_loop(live, until=lambda: len(granted) == 4, step=take)
    save(database)
    read(live, database)
    assert [live.admit("crm", ACall(), lambda: 1) for _ in range(9)] == [0.0] * 9


def test_a_rate_goes_on_within_two_spans_after_the_clock_was_put_back(database: Database) -> None:
    clock, granted, waits = Clock(), list[float](), list[object]()
    live = LiveEndpoints(database, clock)
    save(database, rate_limit={"count": 2, "per": "10s"})
    read(live, database)

    def take() -> None:
        while (wait := live.admit("crm", ACall(), lambda: 5)) == 0.0:
            granted.append(0.0)
        waits.append(wait)

    def parked() -> bool:
        return waits[-1] != float("inf")

    on_a_loop(live, until=lambda: len(granted) == 2 and parked(), step=take)
    clock.at -= 3_600 * SECOND
    on_a_loop(live, until=parked, step=take)
    assert len(granted) == 2
    clock.at += 20 * SECOND
    on_a_loop(live, until=lambda: len(granted) == 4, step=take)


def test_another_process_sees_what_this_one_has_seen(database: Database) -> None:
    save(database, circuit_breaker={"failures": 1, "per": "1m"})
    clock = Clock()
    here, there = LiveEndpoints(database, clock), LiveEndpoints(database, clock)
    read(here, database)
    read(there, database)
    call = ACall()
    assert there.admit("crm", call, lambda: 1) == 0.0

    def fails() -> None:
        if not here._traffic:
            here.answered("crm", call, failed("call.timed_out"))

    def stored() -> bool:
        with database.read() as connection:
            return states.gate_of(connection, "crm").gate.since == NOW

    on_a_loop(here, until=stored, step=fails)
    assert isinstance(here.admit("crm", call, lambda: 1), Refused)
    read(there, database)
    assert isinstance(there.admit("crm", call, lambda: 1), Refused)


def test_one_process_probes_and_the_others_wait(database: Database) -> None:
    save(database, on_auth_failure="hold")
    clock = Clock()
    both = [LiveEndpoints(database, clock), LiveEndpoints(database, clock)]
    for live in both:
        read(live, database)
    first = both[0]
    on_a_loop(
        first,
        until=lambda: not first._traffic["crm"].reporting,
        step=lambda: (
            None
            if first._traffic
            else first.answered("crm", ACall(), failed("credential.unavailable"))
        ),
    )
    for live in both:
        read(live, database)
        verdict = live.admit("crm", ACall(), lambda: 1)
        assert isinstance(verdict, Parked)
        assert verdict.seconds == 2.0
    clock.at += 2 * SECOND
    verdicts: dict[LiveEndpoints, object] = {}
    calls = {live: ACall() for live in both}
    for live in both:

        def ask(live: LiveEndpoints = live) -> None:
            verdicts[live] = live.admit("crm", calls[live], lambda: 1)

        on_a_loop(live, until=lambda live=live: verdicts[live] != float("inf"), step=ask)  # type: ignore[misc]
    assert verdicts[both[0]] == 0.0
    assert isinstance(verdicts[both[1]], Parked)
    on_a_loop(
        first,
        until=lambda: not first._traffic["crm"].reporting,
        step=lambda: (
            first._traffic["crm"].probe
            and first.answered(  # type: ignore[func-returns-value]
                "crm", calls[first], Result(Answer(status=200), None, "", 1, 1, NOW)
            )
        ),
    )
    assert first.admit("crm", ACall(), lambda: 1) == 0.0
    read(both[1], database)
    assert both[1].admit("crm", ACall(), lambda: 1) == 0.0


@pytest.mark.parametrize(("concurrency", "workers"), [(100, 1), (100, 3), (7, 4), (4, 4)])
def test_workers_have_the_concurrency_together(concurrency: int, workers: int) -> None:
    shares = [share_of(concurrency, Rank(number, workers)) for number in range(workers)]
    assert sum(shares) == concurrency
    assert max(shares) - min(shares) <= 1


def test_each_worker_may_have_one_call_in_flight() -> None:
    assert [share_of(1, Rank(number, 3)) for number in range(3)] == [1, 1, 1]
