"""Workers killed at any moment, a hundred times: nobody is lost, nobody comes twice, and no call is
made again but those that were under way when something was killed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lossy import lossy
from tests.e2e.sharing import LONG, Fleet, begun, fleet, lots, repeats, until
from tests.partners import Answers, running
from tests.postgresql import Server

CONCURRENCY = 20
COMING = 16
"""Users who come before each kill."""
ROUNDS = [pytest.param(3, 1, id="ci"), pytest.param(100, 2, id="full", marks=pytest.mark.soak)]


@pytest.fixture
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        partner.change(delay=0.02)
        yield partner


def come(here: Fleet, number: int) -> None:
    """More users say hello; the half of those before reply late, the half of these at once."""
    users = [f"{number}-{n}" for n in range(COMING)]
    here.hello(*users)
    late = [f"{number - 1}-{n}" for n in range(1, COMING, 2)] if number else []
    here.tell("reply", *late, *users[::2])


def at_work(here: Fleet, api: Answers, for_s: float) -> None:
    """Return when calls have been made for so long."""
    seen = len(api.log)
    until(lambda: len(api.log) > seen, *here.workers)
    time.sleep(for_s)


@pytest.mark.parametrize(("rounds", "seed"), ROUNDS)
def test_only_what_was_under_way_when_a_worker_was_killed_is_repeated(
    tmp_path: Path, api: Answers, rounds: int, seed: int
) -> None:
    by_lot, under_way = lots(seed), list[set[str]]()
    with fleet(tmp_path, None) as here:
        here.publish(api, CONCURRENCY, journey=LONG)
        for number in range(rounds):
            come(here, number)
            worker = here.start_one()
            at_work(here, api, by_lot.uniform(0, 0.5))
            worker.gone()
            here.workers.remove(worker)
            time.sleep(0.05)  # what it wrote has arrived
            under_way.append(begun(api.log).keys() - here.stored())
        come(here, rounds)
        here.tell("reply", *here.sent)
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
        for number in range(rounds):
            come(here, number)
            at_work(here, api, by_lot.uniform(0, 0.5))
            if by_lot.random() < 0.3:
                postgresql.restart()
                restarts += 1
                time.sleep(by_lot.uniform(0, 0.5))
            killed = by_lot.choice(here.workers)
            killed.gone()
            here.workers.remove(killed)
            under_way += len(begun(api.log).keys() - here.stored())
            here.start_one()
        come(here, rounds)
        here.tell("reply", *here.sent)
        here.all_are_served()
        again = repeats(api.log)
        print(
            f"{rounds} kills, {restarts} restarts, {way.lost} answers lost: {len(here.sent)} users,"
            f" {again} repeats of {len(begun(api.log))}; {under_way} under way"
        )
        assert way.lost > 0
        assert again <= under_way
