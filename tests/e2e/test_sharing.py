"""Several ``journey worker`` on one PostgreSQL: they share the users, and repeat no call but those
that were under way when one was killed, or stood still.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from engine.db.schema import open_database
from engine.enrollments.leases import Leased
from tests.e2e.sharing import PATIENCE_S, Fleet, begun, fleet, repeats, until
from tests.partners import Answers, running
from tests.postgresql import Server

CONCURRENCY = 20


@pytest.fixture
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        partner.change(delay=0.05)
        yield partner


def test_workers_come_and_go_and_no_call_is_made_twice(
    tmp_path: Path, postgresql: Server, api: Answers
) -> None:
    with fleet(tmp_path, postgresql, lease_s=6) as here:
        here.publish(api, CONCURRENCY)
        within_s = 2 * here.heartbeat_s
        first, second = here.begin(2)
        with here.arriving():
            until(lambda: here.are_even(first, second), first, second, within_s=within_s)
            third, fourth = here.begin(2)
            until(lambda: here.are_even(first, second, third, fourth), within_s=within_s)
            said = here.call("journey", "doctor").out
            assert f"process {third.pid} has 64" in said
            second.signal(signal.SIGTERM)
            assert first.ends(signal.SIGTERM) == second.ends() == 143
            until(lambda: here.are_even(third, fourth), third, fourth, within_s=within_s)
        here.all_are_served()
        assert repeats(api.log) == 0


@contextmanager
def usurper(here: Fleet) -> Iterator[Leased]:
    """Another worker, which takes everything that it can get and does nothing with it."""
    database, over = open_database(here.url), Event()
    other = Leased(database, alone=False, lease_us=60_000_000)

    def beat() -> None:
        while not over.wait(0.1):
            other.heartbeat()

    thread = Thread(target=beat)
    thread.start()
    try:
        yield other
    finally:
        over.set()
        thread.join()
        other.release()
        database.close()


def test_who_stands_still_past_its_lease_begins_nothing_writes_nothing_and_joins_again(
    tmp_path: Path, postgresql: Server, api: Answers
) -> None:
    api.change(delay=0.3)
    with fleet(tmp_path, postgresql, lease_s=3) as here:
        here.publish(api, CONCURRENCY)
        (worker,) = here.begin()
        here.hello(*(f"u{n}" for n in range(100)))
        until(lambda: len(api.log) > CONCURRENCY, worker)
        worker.signal(signal.SIGSTOP)
        with usurper(here) as other:
            until(lambda: len(other.buckets) == 256)
            time.sleep(0.5)  # whatever was on the wire has arrived
            before, executions = len(api.log), here.query("SELECT count(*) FROM executions")
            under_way = begun(api.log).keys() - here.stored()
            worker.signal(signal.SIGCONT)
            until(lambda: worker.pid in here.shares(), worker)
            assert any("another one took its users over" in line for line in worker.lines)
            assert len(api.log) == before, "nothing is begun after the lease"
            assert here.query("SELECT count(*) FROM executions") == executions
        here.all_are_served()
        assert {path for path, times in begun(api.log).items() if times > 1} == under_way
        assert repeats(api.log) == len(under_way), "each of them once"

        worker.signal(signal.SIGSTOP)  # with nothing to do it must notice, too
        with usurper(here) as other:
            until(lambda: len(other.buckets) == 256)
            worker.signal(signal.SIGCONT)
            until(lambda: worker.pid in here.shares(), worker)
        until(lambda: here.are_even(worker), worker)
        here.hello("late")
        here.all_are_served()


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_of_several_workers_one_may_stand_still_past_its_lease(
    tmp_path: Path, postgresql: Server, api: Answers, workers: int
) -> None:
    with fleet(tmp_path, postgresql, lease_s=3) as here:
        # Two leases is the promise; it is measured where nothing else runs.
        within_s = 2 * here.lease_s if workers > 2 else PATIENCE_S
        here.publish(api, CONCURRENCY)
        stopped, *others = here.begin(workers)
        until(lambda: here.are_even(stopped, *others))
        with here.arriving(many=12):
            until(lambda: len(api.log) > 5 * CONCURRENCY, stopped)
            stopped.signal(signal.SIGSTOP)
            time.sleep(0.5)  # whatever was on the wire has arrived; its lease lasts
            under_way = begun(api.log).keys() - here.stored()
            until(lambda: here.are_even(*others), *others, within_s=within_s)
            stopped.signal(signal.SIGCONT)
            until(lambda: here.are_even(stopped, *others), stopped, within_s=within_s)
        here.all_are_served()
        assert any("another one took its users over" in line for line in stopped.lines)
        for path, times in begun(api.log).items():
            assert times <= 1 + (path in under_way), path
        print(f"{workers} workers: {repeats(api.log)} repeats, {len(under_way)} under way in all")


def test_an_endpoints_limits_hold_over_all_workers(
    tmp_path: Path, postgresql: Server, api: Answers
) -> None:
    with fleet(tmp_path, postgresql, lease_s=3) as here:
        here.publish(api, 6, more=", rate_limit: {count: 60, per: 1s}")
        both = here.begin(2)
        until(lambda: here.are_even(*both))
        here.hello(*(f"u{n}" for n in range(120)))
        here.all_are_served()
        assert repeats(api.log) == 0
        assert api.counts["most_at_once"] <= 6
        at = sorted(each.at for each in api.log)
        assert all(later - at[n] >= 1_000_000 for n, later in enumerate(at[60:]))
        assert at[-1] - at[0] <= 2.5 * 1_000_000 * len(at) / 60, "nor is it kept too well"
