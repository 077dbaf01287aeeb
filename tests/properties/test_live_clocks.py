"""Schedules and dates let the same users in at the same moments, live and simulated, however often
the worker is killed or restarted meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from engine.core.dsl.program import Program
from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.calendar import DAY, HOUR, parse_iso, utc
from engine.core.expressions.scope import UTC_ZONE
from engine.core.interpreter.clock_triggers import ClockTriggers, UserClock
from engine.core.interpreter.state import Passage, User
from engine.core.interpreter.writes import write
from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.enrollments.clock_entries import ClockEntries, ClockRows
from engine.enrollments.rows import read_user
from engine.enrollments.store import Changes
from engine.enrollments.store import write as write_changes
from engine.enrollments.users_held import UsersHeld
from engine.versions.store import Published
from tests.unit.core.interpreter.passing import journey, put

ZONES = (
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"),
    *("Africa/Cairo", "America/Havana", "Pacific/Apia", "Mars/Phobos", None),
)
STARTS = ("2026-03-27", "2026-10-23", "2026-04-23", "2028-02-27", "2026-03-06", "2026-10-30T23:30")
SCHEDULES = ("0 9 * * *", "30 2 * * *", "0 0 * * *", "15 */6 * * *", "0 12 29 2 *", "0 1,2 * * sun")

IN_ONE_BUCKET = [name for name in (f"u{n}" for n in range(3_000)) if bucket_of(name) == 7][:4]
NAMES = (*IN_ONE_BUCKET, "somebody-else")

Entry = tuple[int, str, str]
"""At which instant, who, and by which trigger (in words)."""

whens = st.integers(0, 5 * 48).map(lambda halves: halves * HOUR // 2)
"""From the beginning, within five days."""


def instant(text: str) -> int:
    at = parse_iso(text, UTC_ZONE)
    assert at is not None
    return at


@st.composite
def triggers(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        zone = draw(st.sampled_from([None, "user", "user", "Europe/Berlin", "America/New_York"]))
        who = draw(st.sampled_from([None, "user.gold", "not user.gold"]))
        written = {"schedule": draw(st.sampled_from(SCHEDULES)), "timezone": zone, "audience": who}
    else:
        date = draw(
            st.sampled_from(
                ["user.d", "user.d", "user.d if days_since(user.seen) >= 2 else none", "user.seen"]
            )
        )
        written = {
            "date": date,
            "offset": draw(st.sampled_from([None, "-P1D", "PT36H", "-PT5H"])),
            "time": draw(st.sampled_from([None, "09:00", "02:30", "00:00"])),
            "grace": draw(st.sampled_from([None, "PT1H", "P3D"])),
        }
    return {name: value for name, value in written.items() if value is not None}


@st.composite
def attributes(draw: st.DrawFn, start: int) -> dict[str, Any]:
    near = st.integers(-2, 6).map(lambda days: utc(start + days * DAY).date().isoformat())
    clock = st.sampled_from(["", "", "T02:30", "T18:00"])
    days = st.builds("{}{}".format, near, clock) | st.sampled_from(["soon", None, "2028-02-29"])
    known: dict[str, Any] = {
        "d": draw(days),
        "seen": draw(days),
        "gold": draw(st.booleans()),
        "timezone": draw(st.sampled_from(ZONES)),
    }
    return {name: known[name] for name in known if draw(st.integers(0, 3))}


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    start = instant(draw(st.sampled_from(STARTS)))
    entry = []
    for number, trigger in enumerate(draw(st.lists(triggers(), min_size=1, max_size=3))):
        entry.append({**trigger, "inputs": {"by": f"'{number}'"}})
    program = journey(
        put(),
        entry={"triggers": entry, "inputs": {"by": "text"}, "reentry": "after_exit"},
        timezone=draw(st.sampled_from(["Asia/Tokyo", "America/Havana"])),
    )
    names = NAMES[: draw(st.integers(1, 5))]
    facts = [
        (start + draw(whens), draw(st.sampled_from(names)), draw(attributes(start)))
        for _ in range(draw(st.integers(0, 5)))
    ]
    begun = [(start + draw(st.sampled_from([0, 0, DAY])), name) for name in names]
    facts += [(at, name, draw(attributes(start))) for at, name in begun]
    return {
        "program": program,
        "start": start,
        "until": start + 5 * DAY,
        "facts": sorted(facts, key=lambda one: one[0]),
        "most": draw(st.integers(1, 3)),
        "seed": draw(st.integers(0, 2**16)),
        "faults": draw(st.sampled_from([0.0, 0.0, 0.1, 0.4])),
    }


def expected(case: dict[str, Any]) -> list[Entry]:
    """What the simulation's clock says of each user."""
    program, found = case["program"], []
    shared = ClockTriggers(program.journey, "UTC", case["start"])
    for name in {fact[1] for fact in case["facts"]}:
        facts = [fact for fact in case["facts"] if fact[1] == name]
        user = User(name, bucket_of(name), None, {})
        clock = UserClock(shared)
        while True:
            enters = clock.next_at
            if facts and (enters is None or facts[0][0] <= enters):
                at, _, values = facts.pop(0)
                write(user, values)
                clock.look(candidate(user, program, at))
            elif enters is not None and enters <= case["until"]:
                brought = clock.take(candidate(user, program, enters))
                found += [(enters, name, str(inputs["by"])) for inputs in brought]
            else:
                break
    return sorted(found)


def candidate(user: User, program: Program, now: int) -> Passage:
    return Passage(0, user, program, "", now, {}, position=program.first)


class Killed(Exception):
    pass


class Live:
    """A worker's turns over one database, killed and restarted as it comes."""

    def __init__(self, database: Database, case: dict[str, Any]) -> None:
        self._database = database
        self._case = case
        self._lots = random.Random(case["seed"])
        self._published = (Published(7, "j", 1, case["program"]),)
        self._buckets = {bucket_of(fact[1]) for fact in case["facts"]}
        self._now = case["start"]
        self.entered: list[Entry] = []
        self._changed: User | None = None
        self._begin()

    def _begin(self) -> None:
        self._held = UsersHeld()
        self._kept: list[User] = []
        self._entries = ClockEntries(self._held, "UTC", self._buckets)

    def all(self) -> list[Entry]:
        facts = list(self._case["facts"])
        for _ in range(5_000):
            self._follow()
            enters = self._entries.next_at
            if facts and (enters is None or facts[0][0] <= max(enters, self._now)):
                self._now = max(self._now, facts[0][0])
                if self._turn(partial(self._tell, *facts[0][1:])):
                    facts.pop(0)
            elif enters is not None and enters <= self._case["until"]:
                self._now = max(self._now, enters)
                self._turn(self._take)
            else:
                return sorted(self.entered)
        raise AssertionError("it never ends")

    def _follow(self) -> None:
        # A schedule that never fired has no row: since when it fires is the version's own.
        self._entries._since[7] = self._case["start"]
        with self._database.read() as connection:
            self._entries.follow(connection, self._published, self._now)

    def _turn(self, does: Any) -> bool:
        entered = len(self.entered)
        fault = self._lots.random() < self._case["faults"]
        kind = self._lots.choice(["before", "after", "retry"]) if fault else ""
        with suppress(Killed):
            with self._database.write() as connection:
                rows = does(connection)
                rows.write(connection)
                if kind in ("before", "retry"):
                    raise Killed
            if kind == "after":
                self._begin()
            else:
                self._entries.committed()
            return True
        if kind == "retry":  # the same rows again, in another transaction
            with self._database.write() as connection:
                self._store(connection)
                rows.write(connection)
            self._entries.committed()
            return True
        del self.entered[entered:]
        self._begin()
        return False

    def _tell(self, name: str, values: dict[str, Any], connection: Connection) -> ClockRows:
        bucket, rows = bucket_of(name), ClockRows()
        row = connection.exec_driver_sql(
            "SELECT bucket, id, timezone, attributes, contacts FROM users"
            " WHERE bucket = ? AND id = ?",
            (bucket, name),
        ).one_or_none()
        new = partial(User, name, bucket, None, {})
        user = self._held.keep(name, new if row is None else partial(read_user, *row))
        self._kept.append(user)
        before = write(user, values)
        self._changed = user
        if row is None or before:
            self._entries.changed(connection, user, self._now, rows)
        self._store(connection)
        return rows

    def _store(self, connection: Connection) -> None:
        if self._changed is not None:
            changes = Changes(0)
            changes.users[self._changed.id] = self._changed
            write_changes(connection, changes)

    def _take(self, connection: Connection) -> ClockRows:
        self._changed = None
        entering = self._entries.take(connection, self._now, self._case["most"])
        assert len(entering.candidates) <= self._case["most"]
        for one in entering.candidates:
            self.entered.append((self._now, one.user.id, str(one.inputs["by"])))
            assert one.trigger == int(str(one.inputs["by"]))
        return entering.rows


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("clocks") / "engine.db"
    database = open_database(f"sqlite:///{path}")
    event.listen(database.engine, "connect", _never_wait_for_the_disk)
    database.engine.dispose()
    yield database
    database.close()


def _never_wait_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
def test_clocks_let_in_the_same_live_and_simulated(database: Database, case: Any) -> None:
    with database.write() as connection:
        for table in ("users", "schedule_fires", "date_fires"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    assert Live(database, case).all() == expected(case)
