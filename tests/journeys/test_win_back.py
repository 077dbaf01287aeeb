"""Win-back over real purchase histories: what the engine does, plain Python computes as well."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from engine.cli.run_journey import main
from engine.core.dsl.program import compile_journey
from engine.core.expressions.calendar import utc
from engine.core.expressions.scope import UTC_ZONE
from engine.core.interpreter.advance import World
from engine.core.interpreter.scripted import JSON
from engine.core.interpreter.simulate import simulate
from engine.core.interpreter.state import Passage
from engine.core.message import Answer
from engine.core.steps.base import Call
from engine.users.events import open_events
from tests.journeys.walking import ROOT, SAMPLES, load

ORDERS = ROOT / "tests" / "data" / "cdnow_200.csv"
DAYS = Callable[[int], timedelta]
Story = list[tuple[date, date, str, bool]]
"""A customer's passages: from, to, outcome, and whether he ordered again within 180 days."""

pytestmark = pytest.mark.skipif(not ORDERS.exists(), reason="the data isn't here")


def histories() -> dict[str, list[date]]:
    found: dict[str, list[date]] = {}
    with ORDERS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["customer_id"], []).append(date.fromisoformat(row["date"]))
    return found


def computed(orders: list[date]) -> Story:
    """What should become of a customer, without an engine."""
    story: Story = []
    waiting = sorted(orders)
    while waiting:
        began = waiting.pop(0)
        days = (waiting[0] - began).days if waiting else 10**6
        again = days <= 180
        if days <= 60:
            outcome = "regular"
        elif days <= 60 + 14:
            outcome = "came_back"
        elif days <= 60 + 14 + 30:
            outcome = "came_back_by_coupon"
        else:
            days, outcome = 60 + 14 + 30, "lapsed"
        story.append((began, began + timedelta(days), outcome, again))
    return story


def as_events(folder: Path) -> Path:
    """The orders as a file that ``--events`` takes, in a time order of its own."""
    with ORDERS.open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["date"], row["dollars"]))
    lines = [f"{r['customer_id']},order_placed,{r['date']},{r['dollars']}\n" for r in rows]
    events = folder / "orders.csv"
    events.write_text("user,event,at,total\n" + "".join(lines))
    return events


def replayed(events: Path) -> dict[str, Story]:
    def answer(call: Call, number: int) -> Answer:
        return Answer(status=201, headers=JSON, body=b'{"code": "C-1"}')

    passages: dict[int, Passage] = {}
    with open_events(events, UTC_ZONE) as orders:
        for happened in simulate(
            compile_journey(load("win-back").journey),
            orders.rows(),
            World({}),
            answer,
            orders.first_at or 0,
            facts=orders.of,
            triggered=True,
        ):
            assert happened.what != "refused"
            passages[happened.passage.id] = happened.passage
    stories: dict[str, Story] = {}
    for passage in passages.values():
        assert passage.ended_at is not None
        began, ended = utc(passage.entered_at).date(), utc(passage.ended_at).date()
        outcome = passage.outcome or ""
        stories.setdefault(passage.user.id, []).append((began, ended, outcome, 0 in passage.goals))
    return stories


def test_every_customer_has_the_outcomes_and_dates_that_plain_python_computes(
    tmp_path: Path,
) -> None:
    expected = {customer: computed(orders) for customer, orders in histories().items()}
    assert len(expected) == 200
    assert replayed(as_events(tmp_path)) == expected
    outcomes = {outcome for story in expected.values() for _, _, outcome, _ in story}
    assert outcomes == {"regular", "came_back", "came_back_by_coupon", "lapsed"}


def test_the_command_counts_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = as_events(tmp_path)
    code = main(["-q", str(SAMPLES / "win-back.yaml"), "--events", str(events)])
    assert code == 0
    out = capsys.readouterr().out
    passages = [one for orders in histories().values() for one in computed(orders)]
    again = sum(one[3] for one in passages)
    assert "win-back · simulated · 200 users · from Wed 1 Jan 1997 00:00 UTC" in out
    assert f"entered   {len(passages):,}   finished {len(passages):,}   waiting 0" in out
    assert f"goal      ordered_again {again:,} of {len(passages):,}" in out


def test_up_to_a_horizon_the_others_stand_where_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = as_events(tmp_path)
    main(["-q", str(SAMPLES / "win-back.yaml"), "--events", str(events), "--for", "P90D"])
    out = capsys.readouterr().out
    end = date(1997, 1, 1) + timedelta(90)
    begun = [one for orders in histories().values() for one in computed(orders) if one[0] <= end]
    ended = sum(one[1] <= end for one in begun)
    assert f"entered   {len(begun):,}   finished {ended:,}   waiting {len(begun) - ended:,}" in out
