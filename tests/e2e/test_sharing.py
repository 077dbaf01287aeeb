"""Several ``journey worker`` on one PostgreSQL: they share the users, and repeat no call."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.sharing import Fleet, fleet, repeats, until
from tests.partners import Answers, running
from tests.postgresql import Server

LEASE_S = 6


@pytest.fixture
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        partner.change(delay=0.05)
        yield partner


@pytest.fixture
def here(tmp_path: Path, postgresql: Server, api: Answers) -> Iterator[Fleet]:
    with fleet(tmp_path, postgresql, LEASE_S) as made:
        made.publish(api)
        yield made


def test_workers_come_and_go_and_no_call_is_made_twice(here: Fleet, api: Answers) -> None:
    within_s = 2 * here.heartbeat_s + 1.5
    first, second = here.begin(2)
    with here.arriving(each_s=0.05):
        until(lambda: here.are_even(first, second), first, second, within_s=within_s)
        third, fourth = here.begin(2)
        until(lambda: here.are_even(first, second, third, fourth), within_s=within_s)
        said = here.run("journey", "doctor").out
        assert f"process {third.pid} has 64" in said
        assert second.ends(signal.SIGTERM) == 143
        assert first.ends(signal.SIGTERM) == 143
        until(lambda: here.are_even(third, fourth), third, fourth, within_s=within_s)
    here.all_are_served()
    assert repeats(api.log) == 0
