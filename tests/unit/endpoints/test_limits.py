from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from engine.endpoints.limits import Grant, Permits, Rate, Taken, Used, forget, grant, settle

SECOND = 1_000_000
START = 1_790_000_000 * SECOND


def most_in_any_span(uses: list[int], per: int) -> int:
    """The most uses that lie in any span of this length."""
    uses.sort()
    most = first = 0
    for last, at in enumerate(uses):
        while uses[first] <= at - per:
            first += 1
        most = max(most, last - first + 1)
    return most


@given(
    count=st.integers(1, 12),
    per=st.sampled_from([50_000, SECOND, 60 * SECOND]),
    seed=st.integers(0, 2**32),
)
def test_however_many_processes_take_no_span_holds_more_than_the_limit(
    count: int, per: int, seed: int
) -> None:
    chance = random.Random(seed)
    rate, taken, now = Rate(count, per), Taken(), START
    processes = [Permits(rate) for _ in range(3)]
    uses: list[int] = []
    for _ in range(300):
        now += chance.randrange(per // 20)
        mine = chance.choice(processes)
        if chance.random() < 0.4:
            for used in mine.settled():
                settle(taken, rate, used)
            forget(taken, rate, now)
            grants, _ = grant(taken, rate, now, chance.randrange(1, count + 2))
            mine.add(grants)
        if mine.take(now) == 0:
            uses.append(now)
    assert most_in_any_span(uses, per) <= count


def test_the_whole_limit_is_there_at_once_and_the_rest_when_it_is_over() -> None:
    rate, taken = Rate(100, SECOND), Taken()
    grants, again = grant(taken, rate, START, 500)
    assert [(one.start, one.count) for one in grants] == [(START, 100)]
    assert START < again < START + SECOND
    permits = Permits(rate)
    permits.add(grants)
    assert [permits.take(START) for _ in range(101)] == [0] * 100 + [None]
    for used in permits.settled():
        settle(taken, rate, used)
    ready = START + rate.life
    forget(taken, rate, ready - 100_000)
    soon, _ = grant(taken, rate, ready - 100_000, 500)
    assert [one.count for one in soon] == [100]
    assert ready <= soon[0].start <= ready + SECOND // 100, "granted before it is free"


def test_permits_that_nobody_used_are_given_back() -> None:
    rate, taken = Rate(10, SECOND), Taken()
    (given_out,), _ = grant(taken, rate, START, 10)
    permits = Permits(rate)
    permits.add([given_out])
    assert permits.take(START) == 0
    later = given_out.end + 1
    assert permits.take(later) is None
    assert permits.left == 0
    (used,) = permits.settled()
    assert (used.count, used.at) == (1, START)
    settle(taken, rate, used)
    grants, _ = grant(taken, rate, later, 10)
    assert sum(one.count for one in grants) == 9


def test_permits_of_the_future_wait_for_their_time() -> None:
    permits = Permits(Rate(1, SECOND))
    permits.add([Grant(START + 500, START + 900, 1)])
    assert permits.take(START) == 500
    assert permits.take(START + 500) == 0


def test_permits_that_a_clock_put_back_has_moved_an_hour_off_are_given_back() -> None:
    permits = Permits(Rate(2, SECOND))
    permits.add([Grant(START, START + 900, 2)])
    assert permits.take(START) == 0
    assert permits.take(START - 3_600 * SECOND) is None
    assert permits.left == 0
    assert [used.count for used in permits.settled()] == [1]


def test_a_clock_that_goes_back_costs_one_span_at_most() -> None:
    rate, taken = Rate(5, SECOND), Taken()
    grant(taken, rate, START, 5)
    before = START - 3_600 * SECOND
    forget(taken, rate, before)
    _, again = grant(taken, rate, before, 1)
    assert again < before + 3 * SECOND
    forget(taken, rate, before + 3 * SECOND)
    assert grant(taken, rate, before + 3 * SECOND, 5)[0][0].count == 5


def test_a_limit_of_a_day_keeps_few_entries() -> None:
    day = 86_400 * SECOND
    rate, taken = Rate(100_000, day), Taken()
    for minute in range(0, 1_440, 2):
        now = START + minute * 60 * SECOND
        forget(taken, rate, now)
        grant(taken, rate, now, 10)
    assert len(taken) < 120


def test_what_came_of_permits_is_told_once_and_again_if_nobody_heard() -> None:
    rate = Rate(1, SECOND)
    permits = Permits(rate)
    permits.add([Grant(START, START + 10, 1)])
    permits.take(START)
    permits.take(START + 1)
    told = permits.settled()
    assert [used.count for used in told] == [1]
    assert permits.settled() == []
    permits.unsettle(told)
    assert permits.settled() == told


def test_a_grant_of_another_limit_is_let_be() -> None:
    taken: Taken = {START: 1}
    settle(taken, Rate(5, SECOND), Used(Grant(START, START, 3), 1, START))
    assert taken == {START: 1}
