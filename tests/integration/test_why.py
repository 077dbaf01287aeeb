"""``journey why`` over passages that a live run took, and over rows as events write them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.cli.show.story import story_lines
from engine.cli.show.terminal import Paint
from engine.core.expressions.assignment import fraction
from engine.core.expressions.durations import DAY
from engine.enrollments.told import Why
from engine.enrollments.why import why
from engine.versions.store import Versions
from tests.integration.live import House, call
from tests.partners import Answers, running

NOW = 1_790_000_000_000_000  # Mon 21 Sep 2026 14:13:20 UTC
JOURNEY: dict[str, Any] = {
    "entry": {"inputs": {"total": "number"}},
    "steps": [
        call("score", "crm", outputs={"vars.score": "response.body.n"}),
        {
            "id": "value",
            "type": "branch",
            "paths": [
                {"name": "low", "when": "vars.score < 50", "next": "last"},
                {"name": "high", "when": "user.tier == 'gold'"},
            ],
        },
        {
            "id": "variant",
            "type": "split",
            "arms": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}],
        },
        {"id": "morning", "type": "wait", "until": {"days": 1, "time": "09:00"}},
        call("coupon", "loyalty") | {"when": "user.tier == 'gold'"},
        {"id": "gift", "type": "set", "values": {"vars.x": 1}, "when": "user.vip"},
        {"id": "rest", "type": "wait", "for": "P2D"},
        {"id": "last", "type": "set", "values": {"vars.done": True}},
    ],
}
ADA = ["id,timezone,tier,total", "ada,Europe/Istanbul,gold,129.9"]


def told(house: House, user: str, **keys: Any) -> Why:
    with house.opened() as database, database.read() as connection:
        return why(connection, user, "j", Versions(), **keys)


def shown(found: Why) -> str:
    return "\n".join(story_lines(found, Paint()))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Ada, two days into the journey, at its last wait."""
    with running(Answers(b'{"n":81}')) as crm, running(Answers()) as loyalty:
        loyalty.change(statuses=[404])
        made = House(tmp_path_factory.mktemp("why"))
        made.endpoint("crm", crm.url)
        made.endpoint("loyalty", loyalty.url)
        users = made.users(ADA)
        made.run(JOURNEY, users, now=NOW)
        made.run(JOURNEY, users, now=NOW + 2 * DAY)
    return made


def test_the_path_is_told_with_what_each_decision_saw(house: House) -> None:
    found = told(house, "ada")
    (passage,) = found.passages
    assert found.zone == "Europe/Istanbul"
    assert (passage.entered_by.kind, passage.run) == ("run", int(passage.entered_by.name))
    assert passage.inputs == {"total": 129.9}
    by_step = {step.step: step for step in passage.steps}
    assert list(by_step) == ["score", "value", "variant", "morning", "coupon", "gift"]
    assert by_step["value"].text == "high"
    assert by_step["value"].seen == {"vars.score": 81, "user.tier": "gold"}
    lot = round(fraction("j/variant", "ada"), 6)
    assert by_step["variant"].seen == {"lot": lot, "salt": "j/variant"}
    waited = by_step["morning"].seen
    assert waited is not None
    assert waited["zone"] == "Europe/Istanbul"
    until = waited["until"]
    assert isinstance(until, int)
    assert by_step["morning"].started_at < until <= by_step["morning"].ended_at
    assert by_step["gift"].seen == {"user.vip": None}
    coupon = by_step["coupon"]
    assert (coupon.endpoint, coupon.failure, coupon.goes) == (
        "loyalty",
        "call.client_error",
        "goes on",
    )
    assert (coupon.http_status, coupon.attempts, coupon.kept) == (404, 1, "/coupon/ada")


def test_what_is_waited_for_now_is_told_with_its_moment(house: House) -> None:
    (passage,) = told(house, "ada").passages
    standing = passage.standing
    assert standing is not None
    assert (standing.step, standing.what) == ("rest", "")
    assert standing.until == standing.since + 2 * DAY
    assert passage.outcome is None


def test_a_person_reads_it_as_a_timeline(house: House) -> None:
    lines = shown(told(house, "ada")).splitlines()
    assert lines[0].startswith("j · user ada · version 1 · passage ")
    assert lines[0].endswith("entered Mon 21 Sep 2026 17:13 Europe/Istanbul")
    whole = "\n".join(lines)
    for part in (
        "● entered     by run ",
        "total 129.9",
        "✓ score       POST crm/score/{{ user.id }}  200",
        "◇ value       → high",
        "saw       vars.score 81  user.tier gold",
        "◇ variant     → ",
        "salt j/variant",
        "⏸ morning     waited 2d 0h, until Tue 22 Sep 2026 09:00 Europe/Istanbul",
        "✗ coupon      POST loyalty/coupon/ada  call.client_error: answered 404; goes on",
        "○ gift        skipped (when: user.vip)",
        "saw       user.vip null",
        "now       ⏸ rest        waits since ",
    ):
        assert part in whole, f"{part!r} is not in\n{whole}"
    assert lines[-1].endswith("Europe/Istanbul")
