"""Live runs that live on events: what happens to users moves them, as in a simulation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from engine.core.expressions.calendar import utc
from engine.core.expressions.durations import DAY
from engine.core.expressions.scope import UTC_ZONE
from engine.processes.feed import FileFeed
from engine.processes.model import RunOptions
from engine.processes.run import run_live
from engine.users.events import open_events
from tests.databases import BOTH_IN_SOAK
from tests.integration.live import House, Nobody, Seen
from tests.journeys.test_win_back import ORDERS, Story, as_events, computed, histories
from tests.journeys.walking import SAMPLES
from tests.partners import Answers, running

pytestmark = pytest.mark.usefixtures("either_database")

pytestmark = pytest.mark.skipif(not ORDERS.exists(), reason="the data isn't here")


def _stories(house: House) -> dict[str, Story]:
    stories: dict[str, Story] = {}
    for user, entered_at, ended_at, outcome, data in house.query(
        "SELECT user_id, entered_at, ended_at, outcome, data FROM enrollments"
        " ORDER BY entered_at, id"
    ):
        began, ended = utc(entered_at).date(), utc(ended_at).date()
        stories.setdefault(user, []).append((began, ended, outcome, '"g":' in data))
    return stories


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_real_histories_give_everybody_the_outcomes_and_dates_that_plain_python_computes(
    tmp_path: Path,
) -> None:
    expected = {customer: computed(orders) for customer, orders in histories().items()}
    house = House(tmp_path)
    source = (SAMPLES / "win-back.yaml").read_bytes()
    with (
        running(Answers()) as messenger,
        running(Answers(b'{"code": "C-1"}')) as loyalty,
        open_events(as_events(tmp_path), UTC_ZONE) as orders,
    ):
        house.endpoint("messenger", messenger.url)
        house.endpoint("loyalty", loyalty.url)
        options = RunOptions(
            "win-back.yaml",
            source,
            Nobody(orders.digest),
            house.settings,
            "test",
            now=orders.first_at,
            stay_us=1000 * DAY,
            feed=FileFeed(orders),
            triggered=True,
        )
        run_live(options, Seen())
        assert _stories(house) == expected
        outcomes = Counter(one[2] for story in expected.values() for one in story)
        silent = sum(n for outcome, n in outcomes.items() if outcome != "regular")
        assert Counter(request.path for request in messenger.log) == {
            "/messages": silent + silent - outcomes["came_back"]
        }
        assert house.query("SELECT state FROM runs") == [("finished",)]
