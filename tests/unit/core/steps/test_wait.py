"""How long a wait is: elapsed time, the user's clock over both changes of the year, dates."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.steps.base import Decision, End, Exit, Move, Wait
from engine.core.steps.facts import Change
from tests.unit.core.steps.standing import NOW, instant, refusals, step, view

HOUR = 3_600_000_000


def decided(at: int | str, written: dict[str, Any], **standing: Any) -> Decision:
    return step(type="wait", until=written).decide(view(now=at, **standing))


def until(at: int | str, written: dict[str, Any], **standing: Any) -> int | None:
    decision = decided(at, written, **standing)
    assert isinstance(decision, Wait), decision
    assert decision.reason == "timer"
    return decision.until


# --- for -------------------------------------------------------------------------------------


def test_a_wait_for_a_time_is_counted_from_the_arrival_however_often_one_asks() -> None:
    two_days = step(type="wait", for_="P2D")
    for later in (0, 1, 47 * HOUR):
        decision = two_days.decide(view(now=NOW + later, started=NOW))
        assert isinstance(decision, Wait)
        assert decision.until == NOW + 48 * HOUR
    assert two_days.decide(view(now=NOW + 48 * HOUR, started=NOW)) == Move()


def test_months_are_the_calendars_in_the_users_zone() -> None:
    decision = step(type="wait", for_="P1M").decide(
        view(now="2026-03-15T09:00+01:00", zone="Europe/Berlin")
    )
    assert isinstance(decision, Wait)
    assert decision.until == instant("2026-04-15T09:00+02:00")


def test_how_long_may_be_a_value() -> None:
    made = step(type="wait", for_="{{ inputs.days }}d")
    decision = made.decide(view(inputs={"days": 3}))
    assert isinstance(decision, Wait)
    assert decision.until == NOW + 72 * HOUR


@pytest.mark.parametrize("days", [None, "x", -1, [1], ""])
def test_a_value_that_is_no_duration_fails_the_step(days: object) -> None:
    decision = step(type="wait", for_="{{ inputs.days }}d").decide(view(inputs={"days": days}))
    assert isinstance(decision, Move)
    assert (decision.status, decision.failure) == ("failed", "step.unfillable")
    assert decision.text.startswith("for: ")


# --- the user's clock ------------------------------------------------------------------------

ZONES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
    "America/Santiago": ("2026-09-06", "2026-04-05"),
    "Africa/Cairo": ("2026-04-24", "2026-10-30"),
    "Asia/Kolkata": ("2026-03-29", "2026-10-25"),
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("change", [0, 1])
def test_nine_is_nine_over_both_changes_of_the_year(zone: str, change: int) -> None:
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    day = datetime.fromisoformat(ZONES[zone][change])
    for days in range(-2, 3):
        for hours in (0, 3, 12, 23):
            local = (day + timedelta(days=days, hours=hours)).replace(tzinfo=ZoneInfo(zone))
            at = int(local.timestamp()) * 1_000_000
            target = until(at, {"time": "09:00"}, zone=zone)
            assert target is not None
            reached = datetime.fromtimestamp(target / 1_000_000, UTC).astimezone(ZoneInfo(zone))
            assert (reached.hour, reached.minute) == (9, 0)
            assert reached.date() in (local.date(), local.date() + timedelta(days=1))
            assert reached > local


@pytest.mark.parametrize(
    ("at", "written", "target"),
    [
        # A time in the spring gap is taken later, one in the autumn fold the first time.
        ("2026-03-28T12:00+01:00", {"time": "02:30"}, "2026-03-29T03:30+02:00"),
        ("2026-10-24T12:00+02:00", {"time": "02:30"}, "2026-10-25T02:30+02:00"),
        # At the very moment the next day's is meant.
        ("2026-06-01T09:00+02:00", {"time": "09:00"}, "2026-06-02T09:00+02:00"),
        ("2026-06-01T08:59+02:00", {"time": "09:00"}, "2026-06-01T09:00+02:00"),
        # 2026-06-05 is a Friday.
        (
            "2026-06-05T10:00+02:00",
            {"time": "09:00", "weekdays": ["mon", "fri"]},
            "2026-06-08T09:00+02:00",
        ),
        ("2026-06-06T10:00+02:00", {"weekdays": ["mon"]}, "2026-06-08T10:00+02:00"),
        ("2026-03-28T10:00+01:00", {"weekdays": ["mon"]}, "2026-03-30T10:00+02:00"),
        ("2026-06-05T10:00+02:00", {"days": 2, "time": "09:00"}, "2026-06-07T09:00+02:00"),
        ("2026-06-05T10:00+02:00", {"days": 0, "time": "09:00"}, "2026-06-06T09:00+02:00"),
        (
            "2026-06-05T10:00+02:00",
            {"days": 1, "time": "09:00", "weekdays": ["mon"]},
            "2026-06-08T09:00+02:00",
        ),
        ("2026-03-28T10:00+01:00", {"days": 1}, "2026-03-29T10:00+02:00"),
        ("2026-10-24T10:00+02:00", {"days": 1}, "2026-10-25T10:00+01:00"),
        ("2026-03-28T02:30+01:00", {"days": 1}, "2026-03-29T03:30+02:00"),
        ("2024-02-28T10:00+01:00", {"days": 1}, "2024-02-29T10:00+01:00"),
        ("2026-12-31T10:00+01:00", {"time": "00:00"}, "2027-01-01T00:00+01:00"),
    ],
)
def test_a_moment_of_the_clock_is_the_users(at: str, written: dict[str, Any], target: str) -> None:
    assert until(at, written, zone="Europe/Berlin") == instant(target)


def test_a_day_that_fits_already_is_not_waited_for() -> None:
    assert decided("2026-06-05T10:00+02:00", {"weekdays": ["fri"]}, zone="Europe/Berlin") == Move()


def test_asking_again_gives_the_same_moment_and_then_lets_go() -> None:
    written = {"time": "09:00", "weekdays": ["mon"]}
    started = "2026-06-05T10:00Z"
    for now in (started, "2026-06-06T00:00Z", "2026-06-08T08:59:59Z"):
        assert until(now, written, started=started) == instant("2026-06-08T09:00Z")
    for now in ("2026-06-08T09:00Z", "2026-07-01T00:00Z"):
        assert decided(now, written, started=started) == Move()


def test_a_step_may_name_the_zone_itself() -> None:
    written = {"time": "09:00", "timezone": "Asia/Tokyo"}
    target = until("2026-06-01T12:00Z", written, zone="Europe/Berlin", fallback="no zone")
    assert target == instant("2026-06-02T09:00+09:00")


def test_the_text_says_until_when_and_that_the_zone_was_a_fallback() -> None:
    soon = decided(
        "2026-11-22T08:00Z", {"time": "09:00", "weekdays": ["mon"]}, zone="Europe/Istanbul"
    )
    assert isinstance(soon, Wait)
    assert soon.text == "until Mon 09:00 Europe/Istanbul"
    late = decided("2026-11-22T08:00Z", {"days": 30, "time": "09:00"}, fallback="UTC taken")
    assert isinstance(late, Wait)
    assert late.text == "until 2026-12-22 09:00 UTC (UTC taken)"


# --- dates -----------------------------------------------------------------------------------

AT = "2026-03-20T12:00+01:00"


def dated(due: object, at: str = AT, **keys: Any) -> Decision:
    written = {"date": "user.due", "missing": "continue", **keys}
    return decided(at, written, zone="Europe/Berlin", user={"id": "u1", "due": due})


@pytest.mark.parametrize(
    ("due", "keys", "target"),
    [
        ("2026-04-01", {}, "2026-04-01T00:00+02:00"),
        ("2026-04-01", {"time": "09:00"}, "2026-04-01T09:00+02:00"),
        ("2026-04-01T15:00:00Z", {}, "2026-04-01T15:00Z"),
        ("2026-04-01T23:00:00Z", {"time": "09:00"}, "2026-04-02T09:00+02:00"),
        # Whole days of an offset are the calendar's: the clock change moves no day.
        ("2026-04-01", {"offset": "-P7D", "time": "09:00"}, "2026-03-25T09:00+01:00"),
        ("2026-04-01", {"offset": "-P7D"}, "2026-03-25T00:00+01:00"),
        ("2026-03-25", {"offset": "P7D"}, "2026-04-01T00:00+02:00"),
        ("2026-04-01T12:00+02:00", {"offset": "-PT2H"}, "2026-04-01T10:00+02:00"),
        ("2026-05-31", {"offset": "-P1M"}, "2026-04-30T00:00+02:00"),
        # 2026-04-04 is a Saturday.
        ("2026-04-04", {"time": "09:00", "weekdays": ["mon"]}, "2026-04-06T09:00+02:00"),
        ("2026-04-04", {"weekdays": ["sat"]}, "2026-04-04T00:00+02:00"),
        ("2026-04-04T15:00", {"weekdays": ["mon", "tue"]}, "2026-04-06T15:00+02:00"),
    ],
)
def test_a_date_is_waited_for_on_the_users_clock(
    due: str, keys: dict[str, Any], target: str
) -> None:
    decision = dated(due, **keys)
    assert isinstance(decision, Wait)
    assert decision.until == instant(target)


def test_a_date_in_another_zone_is_read_there() -> None:
    decision = dated("2026-04-01", time="09:00", timezone="Asia/Tokyo")
    assert isinstance(decision, Wait)
    assert decision.until == instant("2026-04-01T09:00+09:00")


@pytest.mark.parametrize(
    ("zone", "now", "moment"),
    [
        ("Asia/Tokyo", "2026-03-23T22:00Z", "2026-03-24T09:00+09:00"),  # sooner than in Berlin
        ("Asia/Tokyo", "2026-03-24T02:00Z", "2026-03-25T09:00+09:00"),  # over when he came there
        ("America/New_York", "2026-03-24T02:00Z", "2026-03-24T09:00-04:00"),
    ],
)
def test_a_time_of_day_is_that_of_the_zone_a_user_came_to(zone: str, now: str, moment: str) -> None:
    made = step(type="wait", until={"time": "09:00"})
    here = view(started="2026-03-23T12:00+01:00", now=now, zone=zone)
    here.wakes_at = instant("2026-03-24T09:00+01:00")
    moved = made.heed(here, Change(1, here.now, {"timezone": zone}, {"timezone": "Europe/Berlin"}))
    assert isinstance(moved, Wait)
    assert moved.until == instant(moment)
    assert made.heed(here, Change(2, here.now, {"tier": "gold"}, {"tier": None})) is None


def test_who_is_due_when_he_comes_to_another_zone_goes_on() -> None:
    made = step(type="wait", until={"time": "09:00"})
    here = view(started="2026-03-23T12:00+01:00", now="2026-03-24T12:00+01:00", zone="Asia/Tokyo")
    here.wakes_at = instant("2026-03-24T09:00+01:00")
    change = Change(1, here.now, {"timezone": "Asia/Tokyo"}, {"timezone": "Europe/Berlin"})
    assert isinstance(made.heed(here, change), Move)


def test_a_wait_for_a_date_follows_it() -> None:
    written = {"date": "user.due", "missing": "exit", "past": "exit"}
    made = step(type="wait", until=written)
    later: dict[str, Any] = {"started": AT, "now": "2026-03-25T12:00+01:00"}
    moved = made.decide(view(**later, user={"due": "2026-05-01T00:00Z"}))
    assert isinstance(moved, Wait)
    assert moved.until == instant("2026-05-01T00:00Z")
    assert made.decide(view(**later, user={"due": "2026-03-24T00:00Z"})) == Move()
    gone = made.decide(view(**later, user={}))
    assert isinstance(gone, End)


@pytest.mark.parametrize("due", ["tomorrow", "2026-02-30", 5, True, ["2026-01-01"], {}, ""])
def test_what_is_no_date_fails_the_step_and_the_user_goes_on(due: object) -> None:
    decision = dated(due)
    assert isinstance(decision, Move)
    assert (decision.status, decision.failure, decision.exit) == ("failed", "step.bad_date", -1)
    assert "user.due" in decision.text


def test_a_date_at_the_end_of_the_calendar_is_no_bug() -> None:
    decision = dated("9998-12-31", offset="P30000D")
    assert isinstance(decision, (Wait, Move))


@pytest.mark.parametrize(("key", "due"), [("past", "2026-03-20T11:59+01:00"), ("missing", None)])
def test_a_date_that_is_over_or_missing_goes_the_way_the_author_says(
    key: str, due: str | None
) -> None:
    ways: list[dict[str, Any]] = [{key: "continue"}, {key: "exit"}, {key: {"next": "other"}}]
    on, ended, jumped = (dated(due, **way) for way in ways)
    assert isinstance(on, Move)
    assert (on.exit, on.status) == (-1, "succeeded")
    assert on.text
    assert isinstance(ended, End)
    assert (ended.outcome, ended.status) == ("missed:here", "succeeded")
    assert isinstance(jumped, Move)
    assert jumped.exit == 0


def test_each_jump_of_a_wait_is_an_exit_of_its_own() -> None:
    written = {"date": "user.due", "past": {"next": "a"}, "missing": {"next": "b"}}
    made = step(type="wait", until=written)
    assert made.exits() == (
        Exit("past", next="a", at=("until", "past")),
        Exit("missing", next="b", at=("until", "missing")),
    )
    missed = made.decide(view(user={}))
    assert isinstance(missed, Move)
    assert missed.exit == 1


def test_a_date_that_comes_at_the_moment_of_arrival_is_not_over() -> None:
    decision = dated("2026-03-20T12:00+01:00", past="exit")
    assert decision == Move()


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "slug", "place"),
    [
        ({}, "wait.one", ()),
        ({"for_": "P1D", "until": {"time": "09:00"}}, "wait.one", ()),
        ({"for_": "PT0S"}, "duration.zero", ("for",)),
        ({"for_": "soon"}, "duration.invalid", ("for",)),
        ({"for_": "-P1D"}, "duration.invalid", ("for",)),
        ({"for_": 5}, "duration.invalid", ("for",)),
        ({"for_": "{{ event.x }}"}, "value.invalid", ("for",)),
        ({"until": {}}, "wait.nothing", ("until",)),
        ({"until": {"date": "user.due"}}, "wait.missing", ("until",)),
        ({"until": {"date": "user.due", "missing": "exit", "days": 2}}, "wait.days", ("until",)),
        ({"until": {"time": "09:00", "past": "exit"}}, "wait.date", ("until",)),
        ({"until": {"time": "09:00", "offset": "P1D"}}, "wait.date", ("until",)),
        ({"until": {"time": "9:00"}}, "time.invalid", ("until", "time")),
        ({"until": {"time": 540}}, "time.invalid", ("until", "time")),
        ({"until": {"time": "24:00"}}, "time.invalid", ("until", "time")),
        ({"until": {"weekdays": []}}, "value.empty", ("until", "weekdays")),
        ({"until": {"weekdays": ["monday"]}}, "literal_error", ("until", "weekdays", 0)),
        ({"until": {"days": -1}}, "greater_than_equal", ("until", "days")),
        ({"until": {"days": "2"}}, "int_type", ("until", "days")),
        (
            {"until": {"time": "09:00", "timezone": "Mars/Base"}},
            "zone.unknown",
            ("until", "timezone"),
        ),
    ],
)
def test_what_cant_be_waited_for_is_refused(
    keys: dict[str, Any], slug: str, place: tuple[str | int, ...]
) -> None:
    found = refusals(type="wait", **keys)
    assert [(slug_, place_) for slug_, place_, _ in found] == [(slug, place)]
