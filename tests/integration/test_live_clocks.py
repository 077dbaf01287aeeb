"""Live on a virtual clock: schedules and dates let users in, and the contact policy holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.dsl.contact_policy import ContactPolicy
from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.calendar import DAY, from_instant, parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.endpoints.contact_policy import save as save_policy
from engine.processes.model import RunOptions
from engine.processes.run import run_live
from tests.integration.live import House, Nobody, Seen
from tests.partners import Answers, running

pytestmark = pytest.mark.usefixtures("either_database")

NEWS = b"""\
dsl: 1
journey: news
entry:
  inputs: {by: text}
  reentry: after_exit
  triggers:
    - {schedule: "0 9 * * *", timezone: user, audience: user.news, inputs: {by: "'schedule'"}}
    - {date: user.renews, offset: -P1D, time: "12:00", inputs: {by: "'date'"}}
steps:
  - {id: send, type: call_api, endpoint: messenger, path: "/{{ inputs.by }}"}
"""
NOW = parse_iso("2026-10-23T06:00Z", UTC_ZONE)
POLICY = ContactPolicy.model_validate(
    {
        "frequency_cap": [{"count": 2, "per": "P30D"}],
        "quiet_hours": {"from": "11:30", "to": "13:00", "then": "hold"},
    }
)


def _add(house: House, user: str, zone: str, attributes: str) -> None:
    with house.opened() as database, database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (bucket, id, timezone, attributes) VALUES (?, ?, ?, ?)",
            (bucket_of(user), user, zone, attributes),
        )


def _entries(house: House) -> list[str]:
    rows = house.query(
        "SELECT e.entered_at, e.user_id, x.ended_at, x.text FROM enrollments AS e"
        " JOIN executions AS x ON x.bucket = e.bucket AND x.enrollment = e.id"
        " ORDER BY e.entered_at, e.user_id"
    )
    lines = []
    for entered, user, ended, text in rows:
        began, over = (f"{from_instant(at, UTC_ZONE):%dT%H:%M}" for at in (entered, ended))
        why = (text or "").removeprefix("contact policy: ")
        lines.append(" ".join(part for part in (began, user, over, why) if part))
    return lines


def test_users_are_let_in_by_their_clocks_and_contacted_as_the_policy_says(
    tmp_path: Path,
) -> None:
    assert NOW is not None
    house = House(tmp_path)
    with running(Answers()) as messenger:
        house.endpoint("messenger", messenger.url, contact=True)
        with house.opened() as database, database.write() as connection:
            save_policy(connection, POLICY, now=NOW, actor="test")
        _add(house, "ann", "Europe/Berlin", '{"news": true}')
        _add(house, "bob", "America/New_York", '{"news": false, "renews": "2026-10-26"}')
        start = NOW
        for stay in (DAY // 3, 4 * DAY):  # another process goes on
            options = RunOptions(
                "news.yaml",
                NEWS,
                Nobody("clocks"),
                house.settings,
                "test",
                now=start,
                stay_us=NOW + stay - start,
                triggered=True,
                again=start > NOW,
            )
            run_live(options, Seen())
            start = NOW + stay
    cap = "frequency cap: 2 in P30D"
    assert _entries(house) == [
        "23T07:00 ann 23T07:00",
        "24T07:00 ann 24T07:00",
        f"25T08:00 ann 25T08:00 {cap}",  # the clock went back in Berlin
        "25T16:00 bob 25T17:00",  # held from 12:00 to 13:00 in New York
        f"26T08:00 ann 26T08:00 {cap}",
    ]
    kept = house.query("SELECT id, contacts FROM users ORDER BY id")
    assert [(user, contacts.count(",") + 1) for user, contacts in kept] == [("ann", 2), ("bob", 1)]
