"""Time itself: what a zone's clock does at night, leap days, moves to another zone, dates that
change, and a machine whose clock is set. Real workers on SQLite, and the simulation beside them.

What is expected is found by reading every zone's clock minute after minute, as a person would who
watches it; nothing of the engine's own arithmetic is used for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import Timer
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.clock import RealClock, stopwatch, wall
from engine.core.expressions.scope import UTC_ZONE
from engine.core.steps.facts import Change, Fact
from engine.enrollments.ledger import Ledger
from engine.processes.feed import FileFeed
from engine.users.events import open_events
from engine.users.row import UserRow
from tests.integration.live import House, Seen
from tests.properties.both_ways import (
    Clock,
    Live,
    Outcome,
    Simulated,
    assert_same,
    empty_database,
    fresh,
)
from tests.properties.drawn import Case

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NIGHTS = [
    ("Europe/Berlin", "2026-03-29"),  # 02:00 becomes 03:00
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),  # 02:00 becomes 01:30
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Africa/Casablanca", "2026-02-15"),  # back for Ramadan
    ("Africa/Casablanca", "2026-03-22"),
    ("Pacific/Apia", "2011-12-30"),  # a day that never was
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty database, and a folder to copy it in."""
    with empty_database(tmp_path_factory.mktemp("time")) as path:
        yield path


# --- reading a clock, minute after minute ------------------------------------------------------


@cache
def readings(zone: str, first: date, days: int) -> list[tuple[datetime, datetime]]:
    """What a zone's clock shows in each minute: UTC and local, the latter naive."""
    begins = datetime(first.year, first.month, first.day, tzinfo=UTC) - DAY
    here = ZoneInfo(zone)
    minutes = (begins + n * MINUTE for n in range((days + 2) * 1440))
    return [(at, at.astimezone(here).replace(tzinfo=None)) for at in minutes]


def shown(zone: str, first: date, days: int, shows: str) -> list[datetime]:
    """When the clock shows ``shows`` for the first time on each day that there is; where it jumps
    over it, so much later than the jump as was jumped over of it.
    """
    hour, minute = map(int, shows.split(":"))
    found: dict[date, datetime] = {}
    last: datetime | None = None
    for at, local in readings(zone, first, days):
        wanted = datetime.combine(local, time(hour, minute))
        if local == wanted or (last is not None and last < wanted < local):
            gap = timedelta(0)
            if local != wanted and last is not None:
                gap = wanted - last - MINUTE
            found.setdefault(local.date(), at + gap)
        last = local
    return sorted(found.values())


def micros(at: datetime) -> int:
    """An instant as the engine counts it."""
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def utc(text: str) -> datetime:
    """An instant, written."""
    return datetime.fromisoformat(text).astimezone(UTC)


# --- cases -------------------------------------------------------------------------------------


def loop(name: str, times: int, step: dict[str, Any]) -> list[dict[str, Any]]:
    """A step, taken so often."""
    back = {"name": "back", "when": f"visits('{name}') < {times}", "next": name}
    return [{"id": name, **step}, {"id": f"{name}_again", "type": "branch", "paths": [back]}]


def by_number(ways: Sequence[list[dict[str, Any]]]) -> dict[str, Any]:
    """A journey in which the user who brings ``n`` goes the way of this number."""
    paths = [
        {"name": f"p{n}", "when": f"inputs.n == {n}", "steps": steps}
        for n, steps in enumerate(ways)
    ]
    return journey([{"id": "way", "type": "branch", "paths": paths}], {"inputs": {"n": "number"}})


def journey(steps: list[dict[str, Any]], entry: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A journey in which nobody is ever too old."""
    return {
        "dsl": 1,
        "journey": "j",
        "max_age": "P9999D",
        "entry": entry,
        "steps": [*steps, {"id": "end", "type": "exit", "outcome": "over"}],
        **more,
    }


def case(written: dict[str, Any], rows: Sequence[UserRow], start: datetime, **more: Any) -> Case:
    """Everything that decides; it is over after twenty years."""
    return Case(
        journey=written,
        users=tuple(rows),
        endpoints=(),
        answers=(),
        zone="UTC",
        start=micros(start),
        **{"horizon": micros(start + 7_400 * DAY), **more},
    )


def user(number: int, zone: str | None, *, n: int | None = None, **known: object) -> UserRow:
    """A user of some zone, who brings a number."""
    brought: dict[str, object] = {} if n is None else {"n": n}
    return UserRow(number + 2, f"u{number}", zone, dict(known), brought)


def taken(template: Path, one: Case, **how: Any) -> Outcome:
    """What becomes of a case, live and simulated."""
    live = Live(one, fresh(template), **how)
    went = live.run()
    assert_same(Simulated(one).run(live.key), went, told=not how)
    return went


def ends(outcome: Outcome, who: str, step: str, one: Case) -> list[datetime]:
    """When a user was over with a step, visit after visit."""
    ids = [node.id for node in Simulated(one).program.nodes]
    (passage,) = outcome.taken[who].passages
    executions: Any = passage["executions"]
    rows = [row for row in executions if ids[row[0]] == step]
    return [instant(row[-1]) for row in sorted(rows, key=lambda row: row[1])]


def instant(at: int) -> datetime:
    """An instant as people count it."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


# --- nights on which clocks are changed --------------------------------------------------------

WALLS = ["00:30", "01:45", "02:15", "02:30", "09:00"]


@pytest.mark.parametrize(("zone", "night"), NIGHTS)
def test_a_time_of_day_comes_once_a_day_over_a_night_of_change(
    template: Path, zone: str, night: str
) -> None:
    first = date.fromisoformat(night) - 3 * DAY
    start = datetime(first.year, first.month, first.day, 12, 7, tzinfo=UTC)
    ways = [loop(f"w{n}", 6, {"type": "wait", "until": {"time": t}}) for n, t in enumerate(WALLS)]
    rows = [user(n, zone, n=n) for n in range(len(WALLS))]
    one = case(by_number(ways), rows, start)
    outcome = taken(template, one)
    for n, shows in enumerate(WALLS):
        expected = [at for at in shown(zone, first, 10, shows) if at > start]
        assert ends(outcome, f"u{n}", f"w{n}", one) == expected[:6], shows


@pytest.mark.parametrize(("zone", "night"), NIGHTS)
def test_elapsed_times_and_windows_are_as_long_in_a_night_of_change_as_in_any(
    template: Path, zone: str, night: str
) -> None:
    first = date.fromisoformat(night) - 2 * DAY
    start = datetime(first.year, first.month, first.day, 1, 13, tzinfo=UTC)
    nothing = [{"event": "never"}]
    ways = [
        loop("day", 4, {"type": "wait", "for": "P1D"}),
        loop("hours", 9, {"type": "wait", "for": "PT11H"}),
        loop("days", 4, {"type": "wait_for", "any": nothing, "within": "P1D"}),
        loop("window", 9, {"type": "wait_for", "any": nothing, "within": "PT11H"}),
    ]
    names = ("day", "hours", "days", "window")
    one = case(by_number(ways), [user(n, zone, n=n) for n in range(4)], start)
    outcome = taken(template, one)
    for n, name in enumerate(names):
        span, times = (DAY, 4) if n % 2 == 0 else (11 * HOUR, 9)
        expected = [start + number * span for number in range(1, times + 1)]
        assert ends(outcome, f"u{n}", name, one) == expected, name


@pytest.mark.parametrize(("zone", "night"), NIGHTS)
def test_days_and_weekdays_are_the_calendars_over_a_night_of_change(
    template: Path, zone: str, night: str
) -> None:
    changes = date.fromisoformat(night)
    first = changes - 3 * DAY
    start = datetime(first.year, first.month, first.day, 12, 7, tzinfo=UTC)
    weekday = f"{changes:%a}".lower()
    ways = [
        loop("two", 3, {"type": "wait", "until": {"days": 2, "time": "02:15"}}),
        loop("that", 2, {"type": "wait", "until": {"weekdays": [weekday], "time": "02:15"}}),
    ]
    one = case(by_number(ways), [user(n, zone, n=n) for n in range(2)], start)
    outcome = taken(template, one)
    here, at, expected = ZoneInfo(zone), start, []
    moments = shown(zone, first, 20, "02:15")
    for _ in range(3):
        earliest = at.astimezone(here).date() + 2 * DAY
        at = next(m for m in moments if m > at and m.astimezone(here).date() >= earliest)
        expected.append(at)
    assert ends(outcome, "u0", "two", one) == expected
    those = [m for m in moments if m > start and f"{m.astimezone(here):%a}".lower() == weekday]
    assert ends(outcome, "u1", "that", one) == those[:2]


# --- leap days ---------------------------------------------------------------------------------


def test_a_year_from_a_leap_day_is_the_last_of_february(template: Path) -> None:
    start = utc("2028-02-29T09:30:00+01:00")
    every_year = loop("year", 4, {"type": "wait", "for": "P1Y"})
    four = loop("four", 2, {"type": "wait", "for": "P4Y"})
    rows = [user(n, "Europe/Berlin", n=n) for n in range(2)]
    one = case(by_number([every_year, four]), rows, start)
    outcome = taken(template, one)
    berlin = ZoneInfo("Europe/Berlin")
    anniversaries = [datetime(y, 2, 28, 9, 30, tzinfo=berlin) for y in (2029, 2030, 2031, 2032)]
    assert ends(outcome, "u0", "year", one) == anniversaries
    leap_days = [datetime(y, 2, 29, 9, 30, tzinfo=berlin) for y in (2032, 2036)]
    assert ends(outcome, "u1", "four", one) == leap_days


@pytest.mark.parametrize("year", [2027, 2028])
def test_a_birthday_on_a_leap_day_is_waited_for_and_fires_in_leap_years(
    template: Path, year: int
) -> None:
    triggers = [
        {"schedule": "0 9 29 2 *", "timezone": "user", "inputs": {"by": "'leap day'"}},
        {"schedule": "0 9 * 2,3 *", "timezone": "user", "audience": BIRTHDAY, **by("birthday")},
        {"date": "user.born", "offset": f"P{year - 2000}Y", "time": "09:00", **by("anniversary")},
    ]
    rows = [
        user(0, "America/New_York", born="2000-02-29"),
        user(1, "Asia/Kathmandu", born="2000-02-28"),
        user(2, "Asia/Kathmandu", born="2000-03-01"),
    ]
    start = datetime(year, 2, 26, 1, tzinfo=UTC)
    outcome = taken(template, clocked(triggers, rows, start, days=6))
    zones = {row.id: ZoneInfo(str(row.timezone)) for row in rows}
    days = {
        "leap day": dict.fromkeys(zones, f"{year}-02-29") if year % 4 == 0 else {},
        "birthday": {"u1": f"{year}-02-28", "u2": f"{year}-03-01"},
        "anniversary": {"u1": f"{year}-02-28", "u2": f"{year}-03-01", "u0": f"{year}-02-28"},
    }
    if year % 4 == 0:
        days["birthday"]["u0"] = days["anniversary"]["u0"] = f"{year}-02-29"
    expected = {
        (who, name, datetime.fromisoformat(f"{day}T09:00").replace(tzinfo=zones[who]))
        for name, ones in days.items()
        for who, day in ones.items()
    }
    assert sorted(entries(outcome)) == sorted(expected)


BIRTHDAY = (
    "now | string | truncate(10, true, '')"
    " | replace(now | string | truncate(4, true, ''), '') in user.born"
)


def by(name: str) -> dict[str, dict[str, str]]:
    """By what a trigger is told from others."""
    return {"inputs": {"by": f"'{name}'"}}


def clocked(
    triggers: Sequence[dict[str, Any]], rows: Sequence[UserRow], start: datetime, *, days: int
) -> Case:
    """A case in which clocks let users in, to leave at once."""
    entry = {"inputs": {"by": "text"}, "key": "inputs.by", "reentry": "after_exit"}
    written = journey([], {**entry, "triggers": [*triggers]})
    facts = {row.id: () for row in rows}
    horizon = micros(start + days * DAY)
    return case(written, rows, start, triggered=True, facts=facts, horizon=horizon)


def entries(outcome: Outcome) -> list[tuple[str, str, datetime]]:
    """Who entered, by what, when."""
    return [
        (who, str(one["key"]), instant(int(str(one["entered_at"]))))
        for who, ones in outcome.taken.items()
        for one in ones.passages
    ]


# --- schedules ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("zone", "night"), NIGHTS)
def test_schedules_fire_once_in_gaps_and_folds(template: Path, zone: str, night: str) -> None:
    first = date.fromisoformat(night) - 2 * DAY
    start = datetime(first.year, first.month, first.day, 12, tzinfo=UTC)
    walls = ("02:15", "02:30", "09:00")
    fields = {at: f"{int(at[3:])} {int(at[:2])} * * *" for at in walls}
    triggers = [
        {"schedule": fields[shows], "timezone": whose, **by(f"{shows} {whose}")}
        for shows in walls
        for whose in ("user", zone)
    ]
    triggers.append({"schedule": "15 * * * *", "timezone": "user", **by("hourly")})
    outcome = taken(template, clocked(triggers, [user(0, zone)], start, days=3))
    until = start + 3 * DAY
    expected = {
        ("u0", f"{shows} {whose}", at)
        for shows in walls
        for at in fires(zone, first, shows)
        for whose in ("user", zone)
        if start <= at <= until
    }
    expected |= {
        ("u0", "hourly", at)
        for at, local in readings(zone, first, 10)
        if local.minute == 15 and start <= at <= until
    }
    assert sorted(entries(outcome)) == sorted(expected)


def fires(zone: str, first: date, shows: str) -> list[datetime]:
    """When a schedule for a time of day fires: the first time that the clock shows it on each day
    that there is, or else right after the clock jumped over it.
    """
    hour, minute = map(int, shows.split(":"))
    found: dict[date, datetime] = {}
    last: datetime | None = None
    for at, local in readings(zone, first, 10):
        wanted = datetime.combine(local, time(hour, minute))
        if local == wanted or (last is not None and last < wanted < local):
            found.setdefault(local.date(), at)
        last = local
    return list(found.values())


# --- users who move ----------------------------------------------------------------------------

ELSEWHERE = ["Asia/Tokyo", "Pacific/Honolulu", "Pacific/Auckland", "America/New_York", None]


def moves(who: str, *zones: tuple[datetime, str | None]) -> tuple[Fact, ...]:
    """A user comes to other zones; None is one that nobody knows."""
    return tuple(Change(0, micros(at), {"timezone": zone}, {}) for at, zone in zones)


def next_shown(zone: str | None, shows: str, after: datetime) -> datetime:
    """The first moment after ``after`` at which the clock shows ``shows``."""
    first = after.date() - DAY
    return next(at for at in shown(zone or "UTC", first, 6, shows) if at > after)


@pytest.mark.parametrize("arrival", ["2026-10-24T10:20+00:00", "2026-03-28T10:20+00:00"])
def test_a_time_of_day_moves_with_a_user_who_waits_for_it(template: Path, arrival: str) -> None:
    start = utc(arrival)
    facts: dict[str, tuple[Fact, ...]] = {}
    expected: dict[str, datetime] = {}
    for number, (zone, hours) in enumerate((z, h) for z in ELSEWHERE for h in (1, 13, 21)):
        who, at = f"u{number}", start + hours * HOUR
        facts[who] = moves(who, (at, zone), (at + 5 * HOUR, "Europe/Berlin"))
        moment = next_shown("Europe/Berlin", "09:00", start)
        for now, there in ((at, zone), (at + 5 * HOUR, "Europe/Berlin")):
            if now <= moment:
                moment = next_shown(there, "09:00", start)
                if moment <= now:  # it was over there when he came
                    moment = next_shown(there, "09:00", now)
        expected[who] = moment
    rows = [user(number, "Europe/Berlin") for number in range(len(facts))]
    nine = [{"id": "nine", "type": "wait", "until": {"time": "09:00"}}]
    one = case(journey(nine, {}), rows, start, facts=facts)
    outcome = taken(template, one)
    assert {who: ends(outcome, who, "nine", one) for who in facts} == {
        who: [moment] for who, moment in expected.items()
    }


def test_what_is_no_time_of_his_own_clock_stays_when_a_user_moves(template: Path) -> None:
    start = utc("2026-10-24T10:20+00:00")
    until = {"time": "09:00", "timezone": "Europe/Berlin"}
    far = {"date": "user.far", "missing": "exit"}
    ways: list[dict[str, Any]] = [
        {"type": "wait", "for": "P1D"},
        {"type": "wait_for", "any": [{"event": "never"}], "within": "P1D"},
        {"type": "wait", "until": until},
        {"type": "wait", "until": far},
    ]
    expected = [
        start + DAY,
        start + DAY,
        next_shown("Europe/Berlin", "09:00", start),
        utc("2026-10-25T22:00+05:00"),
    ]
    written = by_number([[{"id": f"w{n}", **way}] for n, way in enumerate(ways)])
    rows = [user(n, "Europe/Berlin", n=n, far="2026-10-25T22:00+05:00") for n in range(4)]
    changes = [(start + hours * HOUR, zone) for hours, zone in enumerate(ELSEWHERE, 1)]
    facts = {row.id: moves(row.id, *changes) for row in rows}
    one = case(written, rows, start, facts=facts)
    outcome = taken(template, one)
    for n, at in enumerate(expected):
        assert ends(outcome, f"u{n}", f"w{n}", one) == [at]


def test_a_date_of_his_own_clock_moves_with_a_user(template: Path) -> None:
    start = utc("2026-10-20T10:20+00:00")
    until = {"date": "user.day", "time": "09:00", "offset": "-P1D", "missing": "exit"}
    rows = [user(n, "Europe/Berlin", day="2026-10-26") for n in range(len(ELSEWHERE))]
    facts = {
        row.id: moves(row.id, (start + 3 * DAY, zone))
        for row, zone in zip(rows, ELSEWHERE, strict=True)
    }
    steps = [{"id": "eve", "type": "wait", "until": until}]
    one = case(journey(steps, {}), rows, start, facts=facts)
    outcome = taken(template, one)
    for n, zone in enumerate(ELSEWHERE):
        expected = datetime(2026, 10, 25, 9, tzinfo=ZoneInfo(zone or "UTC"))
        assert ends(outcome, f"u{n}", "eve", one) == [expected]


def test_a_date_of_his_own_clock_lets_a_user_in_once_wherever_he_moves(template: Path) -> None:
    start = utc("2026-10-24T10:20+00:00")
    triggers = [
        {"date": "user.day", "time": "09:00", **by("naive")},
        {"date": "date(user.day)", **by("midnight")},
        {"date": "user.born", "time": "09:00", **by("aware")},
    ]
    zones = ["Asia/Kathmandu", "America/New_York", "Pacific/Apia"]
    rows = [
        user(n, zone, day="2026-10-26", born="2026-10-26T12:00+01:00")
        for n, zone in enumerate(zones)
    ]
    moved = utc("2026-10-26T15:00+00:00")
    facts = {row.id: moves(row.id, (moved, "America/Chicago")) for row in rows}
    one = replace(clocked(triggers, rows, start, days=9), facts=facts)
    names = [(who, name) for who, name, _ in entries(taken(template, one))]
    assert sorted(names) == [
        (row.id, name) for row in rows for name in ("aware", "midnight", "naive")
    ]


# --- dates that change -------------------------------------------------------------------------


def test_a_wait_follows_its_date_wherever_that_goes(template: Path) -> None:
    start = utc("2026-10-20T10:20+00:00")
    until = {"date": "user.day", "missing": {"next": "none"}, "past": {"next": "late"}}
    steps: list[dict[str, Any]] = [
        {"id": "wait", "type": "wait", "until": until},
        {"id": "came", "type": "exit", "outcome": "came"},
        {"id": "none", "type": "exit", "when": "user.day == none", "outcome": "none"},
        {"id": "late", "type": "exit", "outcome": "late"},
    ]
    at, day = start + 30 * HOUR, "2026-10-25T08:00+01:00"
    rows: list[tuple[object, str, datetime]] = [
        ("2026-10-28T07:00+01:00", "came", utc("2026-10-28T07:00+01:00")),
        ("2026-10-22T07:00+02:00", "came", utc("2026-10-22T07:00+02:00")),
        ("2026-10-25", "came", utc("2026-10-25T00:00+02:00")),  # a midnight in Berlin
        ("2026-10-26", "came", utc("2026-10-26T00:00+01:00")),  # after the change
        ("2026-10-21T11:00+02:00", "came", at),  # over, but he had come before it
        ("2026-10-19", "late", at),
        (None, "none", at),
        ("2026-10-25T08:00:00+01:00", "came", utc(day)),  # the same, written otherwise
    ]
    users = [user(n, "Europe/Berlin", day=day) for n in range(len(rows))]
    facts = {
        f"u{n}": (Change(0, micros(at), {"day": new}, {}),) for n, (new, _, _) in enumerate(rows)
    }
    one = case(journey(steps, {}), users, start, facts=facts)
    outcome = taken(template, one)
    for n, (_, way, when) in enumerate(rows):
        (passage,) = outcome.taken[f"u{n}"].passages
        assert (passage["outcome"], ends(outcome, f"u{n}", "wait", one)) == (way, [when]), n


# --- a machine whose clock is set --------------------------------------------------------------


class SetClock(Clock):
    """A machine's clock that is set: ``by`` so much when it shows ``at`` for the first time.
    ``elapsed`` is how much time truly passed, by what it showed.
    """

    def __init__(self, start: int, at: int, by: int) -> None:
        super().__init__(start)
        self._at, self._by, self._set = at, by, 0
        self.elapsed: dict[int, int] = {start: 0}
        self._start = start

    def move_to(self, instant: int) -> None:
        """On, up to the moment at which it is set."""
        if not self._set and instant >= self._at:
            self._now, self._set = self._at + self._by, self._by
        else:
            super().move_to(instant)
        self.elapsed.setdefault(self._now, self._now - self._start - self._set)


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("by_us", [-3_600_000_000, 3_600_000_000])
@pytest.mark.parametrize("at", ["08:40", "09:20"])
def test_a_clock_that_is_set_wakes_nobody_too_early_twice_or_never(
    template: Path, at: str, by_us: int, stops: bool
) -> None:
    start = utc("2026-11-10T08:10+00:00")
    nothing = [{"event": "never"}]
    ways = [
        loop("nine", 3, {"type": "wait", "until": {"time": "09:00"}}),
        loop("hours", 3, {"type": "wait", "for": "PT50M"}),
        loop("window", 3, {"type": "wait_for", "any": nothing, "within": "PT50M"}),
    ]
    rows = [user(n, "UTC", n=n) for n in range(3)]
    one = case(by_number(ways), rows, start)
    clock = SetClock(one.start, micros(utc(f"2026-11-10T{at}+00:00")), by_us)
    live = Live(one, fresh(template), clock=clock, stops=stops)
    went = live.run()
    late = at == "08:40" and by_us > 0  # it showed no 09:00
    first = "10 09:40" if late else "10 09:00"
    nines = [f"{moment:%d %H:%M}" for moment in ends(went, "u0", "nine", one)]
    assert nines == [first, "11 09:00", "12 09:00"]
    back = max(-by_us, 0)
    for who, name in (("u1", "hours"), ("u2", "window")):
        shows = [one.start, *(micros(moment) for moment in ends(went, who, name, one))]
        assert len(shows) == 4
        for began, over in pairwise(shows):
            passed = clock.elapsed[over] - clock.elapsed[began]
            assert over - began == 50 * 60_000_000 or over - began == by_us + passed
            assert passed + max(by_us, 0) >= 50 * 60_000_000
            assert passed <= 50 * 60_000_000 + back


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("by_us", [-3_600_000_000, 3_600_000_000])
def test_a_schedule_and_a_date_fire_once_though_the_clock_is_set(
    template: Path, by_us: int, stops: bool
) -> None:
    start = utc("2026-11-10T08:10+00:00")
    triggers = [
        {"schedule": "0 9 * * *", **by("nine")},
        {"schedule": "0 9 * * *", "timezone": "user", **by("his nine")},
        {"date": "user.day", "time": "09:00", **by("day")},
    ]
    one = clocked(triggers, [user(0, "UTC", day="2026-11-10")], start, days=3)
    clock = SetClock(one.start, micros(start + 70 * MINUTE), by_us)
    went = Live(one, fresh(template), clock=clock, stops=stops).run()
    nine = start + 50 * MINUTE
    expected = [("u0", name, nine + n * DAY) for name in ("nine", "his nine") for n in range(3)]
    assert sorted(entries(went)) == sorted([*expected, ("u0", "day", nine)])


class Forward(Seen):
    """Sets the machine's clock forward when somebody has been asleep for a moment."""

    ahead_us = 0

    def turned(self, ledger: Ledger) -> None:
        super().turned(ledger)
        if ledger.next_wake is not None:
            Timer(0.3, self.set_forward).start()

    def set_forward(self) -> None:
        self.ahead_us = 60_000_000

    def now(self) -> int:
        return wall() + self.ahead_us


def test_a_resting_worker_notices_that_the_clock_was_set_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, seen = House(tmp_path), Forward()
    for name in ("now", "moment"):
        monkeypatch.setattr(RealClock, name, lambda _: seen.now())
    began = stopwatch()
    steps = [{"id": "rest", "type": "wait", "for": "PT20S"}]
    ran = house.run({"steps": steps}, house.users(["id", "u1"]), seen=seen, stay_us=60_000_000)
    assert ran.summary.outcomes == {"completed": 1}
    assert stopwatch() - began < 10


# --- on both databases -------------------------------------------------------------------------


@pytest.mark.usefixtures("either_database")
def test_nights_moves_and_dates_are_the_same_on_either_database(tmp_path: Path) -> None:
    start, night = utc("2026-10-24T10:20+00:00"), date(2026, 10, 24)
    moved, day = start + 13 * HOUR, "2026-10-26"
    ways = [
        loop("fold", 3, {"type": "wait", "until": {"time": "02:30"}}),
        loop("span", 3, {"type": "wait", "for": "PT11H"}),
        loop("nine", 2, {"type": "wait", "until": {"time": "09:00"}}),
        loop("date", 1, {"type": "wait", "until": {"date": "user.day", "missing": "exit"}}),
    ]
    rows = [f"u{n},Europe/Berlin,{n},{day}" for n in range(4)]
    told = [
        {"user": "u2", "at": moved.isoformat(), "attributes": {"timezone": "Asia/Tokyo"}},
        {"user": "u3", "at": moved.isoformat(), "attributes": {"day": "2026-10-25T09:00"}},
    ]
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    house = House(tmp_path)
    with open_events(events, UTC_ZONE) as file:
        house.run(
            by_number(ways),
            house.users(["id,timezone,n,day", *rows]),
            now=micros(start),
            stay_us=micros(start + 9 * DAY) - micros(start),
            feed=FileFeed(file),
        )
    berlin = ZoneInfo("Europe/Berlin")
    in_tokyo = next_shown("Asia/Tokyo", "09:00", start)
    expected = {
        "u0": [at for at in shown("Europe/Berlin", night, 6, "02:30") if at > start][:3],
        "u1": [start + n * 11 * HOUR for n in (1, 2, 3)],
        "u2": [in_tokyo, next_shown("Asia/Tokyo", "09:00", in_tokyo)],
        "u3": [datetime(2026, 10, 25, 9, tzinfo=berlin).astimezone(UTC)],
    }
    assert moved < in_tokyo
    ended = house.query(
        "SELECT e.user_id, x.ended_at FROM executions AS x"
        " JOIN enrollments AS e ON e.bucket = x.bucket AND e.id = x.enrollment"
        " WHERE x.ended_at > ? AND x.ended_at > x.started_at ORDER BY x.ended_at",
        micros(start) + 60_000_000,
    )
    found: dict[str, list[datetime]] = {}
    for who, at in ended:
        found.setdefault(who, []).append(instant(at))
    assert found == expected
