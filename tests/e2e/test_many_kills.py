"""Workers killed at any moment, a hundred times: nobody is lost, nobody comes twice, and no call is
made again but those that were under way when something was killed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lossy import lossy
from tests.e2e.sharing import LONG, begun, fleet, lots, repeats, until
from tests.partners import Answers, running
from tests.postgresql import Server

CONCURRENCY = 20
ROUNDS = [pytest.param(3, 1, id="ci"), pytest.param(100, 2, id="full", marks=pytest.mark.soak)]


@pytest.fixture
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        partner.change(delay=0.02)
        yield partner


@pytest.mark.parametrize(("rounds", "seed"), ROUNDS)
def test_only_what_was_under_way_when_a_worker_was_killed_is_repeated(
    tmp_path: Path, api: Answers, rounds: int, seed: int
) -> None:
    by_lot, under_way = lots(seed), list[set[str]]()
    with fleet(tmp_path, None) as here:
        here.publish(api, CONCURRENCY, journey=LONG)
        with here.arriving(replying=True):
            for _ in range(rounds):
                seen, more = len(api.log), by_lot.randint(1, 60)
                worker = here.start_one()
                until(lambda: len(api.log) > seen + more, worker)  # noqa: B023 (at once)
                time.sleep(by_lot.uniform(0, 0.02))
                worker.gone()
                here.workers.remove(worker)
                time.sleep(0.05)  # what it wrote has arrived
                under_way.append(begun(api.log).keys() - here.stored())
        here.begin()
        here.all_are_served()
        made = begun(api.log)
        for path, times in made.items():
            assert times - 1 <= sum(path in those for those in under_way), path
        print(f"{rounds} kills, {len(here.sent)} users, {repeats(api.log)} repeats of {len(made)}")
        assert repeats(api.log) <= sum(map(len, under_way))


@pytest.mark.parametrize(("rounds", "seed"), ROUNDS)
def test_workers_servers_and_answers_of_commits_may_be_lost_and_nobody_is(
    tmp_path: Path, postgresql: Server, api: Answers, rounds: int, seed: int
) -> None:
    by_lot, under_way, restarts = lots(seed), 0, 0
    with (
        lossy(postgresql.port, one_in=40, seed=seed) as way,
        fleet(tmp_path, postgresql, lease_s=3, port=way.port) as here,
    ):
        here.publish(api, CONCURRENCY, journey=LONG)
        here.begin(2)
        with here.arriving(replying=True):
            for _ in range(rounds):
                seen, more = len(api.log), by_lot.randint(1, 60)
                until(lambda: len(api.log) > seen + more, *here.workers)  # noqa: B023 (at once)
                if by_lot.random() < 0.3:
                    postgresql.restart()
                    restarts += 1
                    time.sleep(by_lot.uniform(0, 0.5))
                killed = by_lot.choice(here.workers)
                killed.gone()
                here.workers.remove(killed)
                under_way += len(begun(api.log).keys() - here.stored())
                here.start_one()
        here.all_are_served()
        again = repeats(api.log)
        print(
            f"{rounds} kills, {restarts} restarts, {way.lost} answers lost: {len(here.sent)} users,"
            f" {again} repeats of {len(begun(api.log))}; {under_way} under way"
        )
        assert way.lost > 0
        assert again <= under_way
