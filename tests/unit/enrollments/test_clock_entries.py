"""Who enters by the clock, live: over restarts, downtime, edits and many users."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from engine.core.expressions.assignment import BUCKETS, bucket_of
from engine.core.expressions.calendar import from_instant, parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.core.interpreter.state import User
from engine.core.interpreter.writes import write
from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.enrollments.clock_entries import ClockEntries, ClockRows
from engine.enrollments.rows import read_user
from engine.enrollments.store import Changes
from engine.enrollments.store import write as write_changes
from engine.enrollments.users_held import UsersHeld
from engine.operations.archive import archive
from engine.versions.publish import publish
from engine.versions.store import Published
from tests.contract.people import add_version
from tests.databases import database_url
from tests.unit.core.interpreter.passing import journey, put

pytestmark = pytest.mark.usefixtures("either_database")

OURS = {bucket_of(name) for name in ("ann", "bob", "cyd", "leap", *(f"u{n}" for n in range(16)))}
SUNDAY = "2026-11-22T00:00"
DAILY = {"schedule": "0 9 * * *"}
MINE = {"schedule": "0 9 * * *", "timezone": "user"}
RENEWS = {"date": "user.renews", "time": "09:00"}


def at(text: str) -> int:
    instant = parse_iso(text, UTC_ZONE)
    assert instant is not None
    return instant


def version(number: int, *triggers: dict[str, Any], **more: Any) -> Published:
    program = journey(put(), entry={"triggers": list(triggers), "reentry": "after_exit"}, **more)
    return Published(number, "j", number, program)


class Worker:
    """A worker that does what its clocks say, on a clock that is told what time it is. It has all
    ``buckets`` that users of these tests are in: it opens a few of them in a turn.
    """

    def __init__(
        self,
        database: Database,
        *versions: Published,
        now: str = SUNDAY,
        buckets: Iterable[int] = OURS,
    ) -> None:
        self._buckets = buckets
        self._database = database
        self._versions = versions
        self.now = at(now)
        self.turns = 0
        self.most = 100
        self.restart()

    def restart(self, *versions: Published, now: str = "") -> None:
        """Another process takes over, at another time, maybe with other versions."""
        self.held = UsersHeld()
        self.entries = ClockEntries(self.held, "UTC", self._buckets)
        if now:
            self.now = at(now)
        self.follow(*versions or self._versions)

    def follow(self, *versions: Published) -> None:
        self._versions = versions
        with self._database.read() as connection:
            self.entries.follow(connection, versions, self.now)

    def users(self, *names: str, **values: Any) -> None:
        """They are new, or have these attributes now."""
        with self._database.write() as connection:
            rows, changes = ClockRows(), Changes(0)
            for name in names:
                row = self._row(connection, name)
                new = partial(User, name, bucket_of(name), None, {})
                user = self.held.keep(name, new if row is None else partial(read_user, *row))
                write(user, values)
                changes.users[name] = user
                self.entries.changed(connection, user, self.now, rows)
            write_changes(connection, changes)
            rows.write(connection)
        self.entries.committed()

    def turn(self) -> list[str]:
        """One turn: who enters, by which trigger."""
        self.turns += 1
        with self._database.write() as connection:
            entering = self.entries.take(connection, self.now, self.most)
            entering.rows.write(connection)
        self.entries.committed()
        return [f"{one.user.id} {one.trigger}" for one in entering.candidates]

    def until(self, moment: str) -> list[str]:
        """Everybody who enters up to a moment: when, who, by which trigger."""
        found = []
        while (due := self.entries.next_at) is not None and due <= at(moment):
            self.now = max(self.now, due)
            when = f"{from_instant(self.now, UTC_ZONE):%dT%H:%M}"
            found += [f"{when} {one}" for one in self.turn()]
        self.now = at(moment)
        return found

    def _row(self, connection: Connection, name: str) -> Any:
        return connection.exec_driver_sql(
            "SELECT bucket, id, timezone, attributes, contacts FROM users"
            " WHERE bucket = ? AND id = ?",
            (bucket_of(name), name),
        ).one_or_none()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    yield database
    database.close()


def test_of_the_fires_missed_in_a_downtime_the_last_is_made_up_for(database: Database) -> None:
    worker = Worker(database, version(1, DAILY))
    worker.users("ann")
    assert worker.until("2026-11-22T12:00") == ["22T09:00 ann 0"]
    worker.restart(now="2026-11-25T15:00")
    assert worker.until("2026-11-25T16:00") == ["25T15:00 ann 0"]
    assert worker.until("2026-11-26T12:00") == ["26T09:00 ann 0"]
    worker.restart(now="2026-11-28T08:59")
    assert worker.until("2026-11-28T08:59") == ["28T08:59 ann 0"]


def test_a_fire_a_day_late_is_over(database: Database) -> None:
    weekly = version(1, {"schedule": "0 9 * * mon"})
    worker = Worker(database, weekly)
    worker.users("ann")
    assert worker.until("2026-11-22T12:00") == []
    worker.restart(now="2026-11-24T09:00")
    assert worker.until("2026-11-30T10:00") == ["30T09:00 ann 0"]


def test_a_restart_repeats_nobody_and_forgets_nobody(database: Database) -> None:
    names = [f"u{n}" for n in range(16)]
    worker = Worker(database, version(1, DAILY))
    worker.users(*names)
    worker.until("2026-11-22T08:59")
    worker.now, worker.most = at("2026-11-22T09:00"), 3
    seen: list[str] = []
    while (due := worker.entries.next_at) is not None and due <= worker.now:
        entered = worker.turn()
        seen += entered
        if entered:
            worker.restart()
    assert sorted(seen) == sorted(f"{name} 0" for name in names)


def test_what_was_taken_and_not_committed_is_taken_again(database: Database) -> None:
    worker = Worker(database, version(1, DAILY, RENEWS))
    worker.users("ann", renews="2026-11-22")
    worker.until("2026-11-22T08:59")
    worker.now = at("2026-11-22T09:00")
    for _ in range(3):  # the database fails between loading and writing
        with database.engine.connect() as connection:
            taken = worker.entries.take(connection, worker.now, 10).candidates
            connection.rollback()
    assert {one.user.id for one in taken} <= {"ann"}
    assert worker.until("2026-11-22T12:00") == ["22T09:00 ann 0", "22T09:00 ann 1"]


@cache
def of_one_bucket(count: int) -> list[str]:
    found = (name for name in (f"u{n}" for n in itertools.count()) if bucket_of(name) == 3)
    return list(itertools.islice(found, count))


def test_a_page_is_a_thousand_users(database: Database) -> None:
    names = of_one_bucket(1_500)
    buckets = {bucket_of(names[0])}
    worker = Worker(database, version(1, {**DAILY, "audience": "user.gold"}), buckets=buckets)
    worker.users(*names)
    worker.users(names[0], names[-1], gold=True)
    worker.until("2026-11-22T08:59")
    worker.now, worker.turns = at("2026-11-22T09:00"), 0
    assert sorted(worker.until("2026-11-22T10:00")) == sorted(
        f"22T09:00 {name} 0" for name in (names[0], names[-1])
    )
    assert worker.turns > 1


def test_nothing_is_read_while_nothing_is_due(database: Database) -> None:
    worker = Worker(database, version(1, DAILY, RENEWS))
    worker.users("ann", renews="2026-12-24")
    worker.until("2026-11-22T12:00")
    worker.turns = 0
    assert worker.until("2026-11-23T00:00") == []
    assert worker.turns <= 2  # the daily look at dates


def test_an_edit_elsewhere_in_the_journey_repeats_no_fire(database: Database) -> None:
    first = version(1, DAILY, RENEWS)
    worker = Worker(database, first)
    worker.users("ann", renews="2026-11-22")
    assert worker.until("2026-11-22T09:00") == ["22T09:00 ann 0", "22T09:00 ann 1"]
    edited = version(2, {"event": "ordered"}, RENEWS, {**DAILY, "audience": "true"})
    worker.follow(edited)
    assert worker.until("2026-11-22T12:00") == []
    worker.restart(edited, now="2026-11-22T15:00")
    assert worker.until("2026-11-23T12:00") == ["23T09:00 ann 2"]


def test_a_half_read_fire_is_read_to_its_end_by_the_next_version(database: Database) -> None:
    names = [f"u{n}" for n in range(10)]
    worker = Worker(database, version(1, DAILY))
    worker.users(*names)
    worker.until("2026-11-22T08:59")
    worker.now, worker.most = at("2026-11-22T09:00"), 4
    seen = worker.turn()
    assert len(seen) == 4
    worker.most = 100
    worker.follow(version(2, DAILY))
    seen += [line.removeprefix("22T09:00 ") for line in worker.until("2026-11-22T12:00")]
    assert sorted(seen) == sorted(f"{name} 0" for name in names)


def test_a_fire_that_came_while_the_journey_was_archived_is_not_made_up_for(
    database: Database,
) -> None:
    worker = Worker(database, version(1, DAILY))
    worker.users("ann")
    assert worker.until("2026-11-22T12:00") == ["22T09:00 ann 0"]
    with database.write() as connection:
        publish(connection, "j", b"", {}, now=at(SUNDAY), actor="test")
        archive(connection, "j", at=worker.now, now=worker.now, actor="test")
    worker.follow()
    worker.now = at("2026-11-23T15:00")
    worker.follow(version(2, DAILY))
    assert worker.until("2026-11-24T12:00") == ["24T09:00 ann 0"]


def publish_in(
    database: Database, number: int, zone: str, moment: str, trigger: dict[str, Any] = DAILY
) -> Published:
    """Version ``number`` of the journey, published at a moment, in this time zone."""
    one = version(number, trigger, timezone=zone)
    source = {"dsl": 1, "journey": "j", "timezone": zone, "steps": [put()]}
    text = json.dumps(source | {"entry": {"triggers": [trigger]}})
    with database.write() as connection:
        assert add_version(connection, "j", text, number=number, at=at(moment)) == number
    return one


def test_on_the_clock_of_another_zone_a_schedule_begins_anew(database: Database) -> None:
    first = publish_in(database, 1, "Europe/Berlin", SUNDAY)
    worker = Worker(database, first)
    worker.users("ann")
    assert worker.until("2026-11-23T05:00") == ["22T08:00 ann 0"]
    worker.follow(publish_in(database, 2, "Asia/Tokyo", "2026-11-23T05:00"))
    assert worker.until("2026-11-23T06:00") == []  # it fired at midnight, before it was so
    worker.restart(now="2026-11-23T07:00")
    assert worker.until("2026-11-23T08:30") == []
    worker.follow(publish_in(database, 3, "Europe/Berlin", "2026-11-23T08:30"))
    assert worker.until("2026-11-23T09:00") == []  # half an hour late to be this one's
    fourth = publish_in(database, 4, "America/New_York", "2026-11-23T12:00")
    worker.restart(fourth, now="2026-11-23T15:00")  # it fired an hour ago, and was so by then
    assert worker.until("2026-11-24T15:00") == ["23T15:00 ann 0", "24T14:00 ann 0"]
    fifth = publish_in(database, 5, "America/New_York", "2026-11-25T14:30")
    worker.restart(fifth, now="2026-11-25T15:00")  # it was so before
    assert worker.until("2026-11-25T15:00") == ["25T15:00 ann 0"]


def test_another_zone_of_the_journey_is_none_of_whoever_has_his_own(database: Database) -> None:
    worker = Worker(database, publish_in(database, 1, "Europe/Berlin", SUNDAY, MINE))
    worker.users("ann", timezone="America/New_York")
    worker.users("bob")
    assert worker.until("2026-11-22T15:00") == ["22T08:00 bob 0", "22T14:00 ann 0"]
    second = publish_in(database, 2, "Asia/Tokyo", "2026-11-23T14:30", MINE)
    worker.restart(second, now="2026-11-23T15:00")  # it was down when it was nine for both
    assert worker.until("2026-11-24T01:00") == ["23T15:00 ann 0", "24T00:00 bob 0"]


def test_two_schedules_that_fire_together_are_two(database: Database) -> None:
    gold = {**DAILY, "audience": "user.gold"}
    other = {**DAILY, "audience": "not user.gold"}
    worker = Worker(database, version(1, gold, other))
    worker.users("ann", gold=True)
    worker.users("bob")
    assert sorted(worker.until("2026-11-22T12:00")) == ["22T09:00 ann 0", "22T09:00 bob 1"]


def test_each_zone_has_its_own_fire(database: Database) -> None:
    worker = Worker(database, version(1, MINE, timezone="Asia/Tokyo"), buckets=range(BUCKETS))
    worker.users("ann", timezone="America/New_York")
    worker.users("bob", timezone="Europe/Berlin")
    worker.users("cyd", timezone="Nowhere/Town")
    assert worker.until("2026-11-22T23:00") == [
        *("22T00:00 cyd 0", "22T08:00 bob 0", "22T14:00 ann 0"),
    ]


def test_whoever_brings_a_new_zone_waits_for_its_next_fire(database: Database) -> None:
    worker = Worker(database, version(1, MINE))
    worker.users("ann", timezone="Europe/Berlin")
    assert worker.until("2026-11-22T12:00") == ["22T08:00 ann 0"]
    worker.users("bob", timezone="Asia/Tokyo")
    worker.restart(now="2026-11-22T13:00")
    assert worker.until("2026-11-23T08:00") == ["23T00:00 bob 0", "23T08:00 ann 0"]


def test_a_date_missed_in_a_downtime_counts_as_long_as_its_grace(database: Database) -> None:
    worker = Worker(database, version(1, RENEWS))
    worker.users("ann", "bob", renews="2026-11-23")
    worker.until("2026-11-22T12:00")
    worker.restart(now="2026-11-24T09:00")
    assert sorted(worker.until("2026-11-24T09:00")) == ["24T09:00 ann 0", "24T09:00 bob 0"]
    worker.users("ann", renews="2026-11-26")
    worker.restart(now="2026-11-27T09:01")
    assert worker.until("2026-11-30T00:00") == []


def test_a_date_beyond_the_look_ahead_comes_in_its_time(database: Database) -> None:
    worker = Worker(database, version(1, RENEWS))
    worker.users("ann", renews="2026-11-28")  # looked at again and again until it is near
    worker.users("leap", renews="2028-02-29")
    assert worker.until("2026-11-30T00:00") == ["28T09:00 ann 0"]
    worker.now = at("2028-02-25")
    assert worker.until("2028-03-01T00:00") == ["29T09:00 leap 0"]


def test_a_date_changed_while_nobody_worked_is_what_it_is_now(database: Database) -> None:
    worker = Worker(database, version(1, RENEWS))
    worker.users("ann", renews="2026-11-23")
    worker.until("2026-11-22T12:00")
    with database.write() as connection:
        connection.exec_driver_sql('UPDATE users SET attributes = \'{"renews": "2026-11-25"}\'')
    worker.restart()
    assert worker.until("2026-11-24T00:00") == []
    assert worker.until("2026-11-26T00:00") == ["25T09:00 ann 0"]


def test_buckets_given_up_are_left_alone(database: Database) -> None:
    worker = Worker(database, version(1, DAILY, RENEWS))
    worker.users("ann", "bob", renews="2026-11-23")
    worker.until("2026-11-22T08:59")
    worker.entries.hold([bucket_of("bob")])
    assert worker.until("2026-11-22T10:00") == ["22T09:00 bob 0"]
    worker.entries.hold([bucket_of("bob"), bucket_of("ann")])
    assert worker.until("2026-11-22T10:00") == ["22T10:00 ann 0"]


def test_rows_written_again_say_what_was_said_last(database: Database) -> None:
    rows, ones = ClockRows(), (3, "ann", "j", 1)
    with database.engine.connect() as connection:  # a transaction that fails
        rows.stands(ones, 10)
        rows.date(ones, 10, 100)
        rows.write(connection)
        rows.stands(ones, 20)
        rows.date(ones, 20, 200)
        rows.write(connection)
        connection.rollback()
    with database.write() as connection:
        rows.write(connection)
        found = connection.exec_driver_sql("SELECT value, due_at, done_at FROM date_fires")
        assert [tuple(row) for row in found] == [(20, 200, None)]
        rows.date(ones, 20, 200, 250)
        rows.date(ones, 20, 300)
        rows.stands(ones, None)
        rows.write(connection)
        found = connection.exec_driver_sql("SELECT value, due_at, done_at FROM date_fires")
        assert [tuple(row) for row in found] == [(20, 200, 250)]


def test_what_can_never_come_again_is_forgotten(database: Database) -> None:
    worker = Worker(database, version(1, RENEWS))
    worker.users("ann", renews="2026-11-22")
    assert worker.until("2026-11-23T00:00") == ["22T09:00 ann 0"]
    worker.now = at("2028-01-01")
    worker.until("2028-01-02T00:00")
    with database.read() as connection:
        assert not list(connection.exec_driver_sql("SELECT * FROM date_fires"))


def test_a_virtual_clock_begins_when_it_is_looked_at(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (1, 'j', 1, '', '', TRUE, ?, '')",
            (at("2026-11-22T08:00"),),
        )
    worker = Worker(database, version(1, DAILY), now="2026-11-22T10:00")
    worker.users("ann")
    assert worker.until("2026-11-22T11:00") == ["22T10:00 ann 0"]  # published before, missed
    with database.write() as connection:
        for table in ("schedule_fires", "date_fires"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("UPDATE installation SET clock = 'virtual'")
    worker.restart(now="1999-11-22T10:00")
    assert worker.until("1999-11-23T10:00") == ["23T09:00 ann 0"]
