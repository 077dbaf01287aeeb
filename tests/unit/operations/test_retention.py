"""Retention, at the rows: what goes, what stays, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as count_up
from pathlib import Path
from typing import Any

import pytest

from engine.core.expressions.calendar import DAY
from engine.db.connect import Database
from engine.db.ids import IdMaker
from engine.db.schema import open_database
from engine.enrollments.store.retention import EMPTY
from engine.errors import SettingsError
from engine.operations import retention
from engine.operations.retention import Forgotten, Kept, Retention
from engine.settings import Settings

NOW = 20_000 * DAY
KEPT = Kept(passages=100 * DAY, events=200 * DAY, audit=300 * DAY)
FULL = '{"s":{"0":[1,null,200,1,null,1]},"n":[1,0],"v":{"code":"x"}}'
JOURNEY = """\
dsl: 1
journey: {name}
entry: {{reentry: {reentry}}}
steps: [{{id: a, type: wait, for: PT1H}}]
"""


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(retention, "BUCKETS", 4)  # no test has users in others
    database = open_database(f"sqlite:///{tmp_path / 'engine.db'}")
    yield database
    database.close()


def publish(
    database: Database, name: str, reentry: str, number: int = 1, *, triggers: bool = False
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO versions (journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (?, ?, '', ?, ?, 0, '')",
            (name, number, JOURNEY.format(name=name, reentry=reentry), triggers),
        )


_lots = count_up(1)


def passage(
    database: Database,
    journey: str,
    entered: int,
    ended: int | None,
    *,
    goals_until: int | None = None,
    bucket: int = 3,
) -> int:
    """A passage that took a step; entered and ended so many days ago. Its id."""
    made = IdMaker(lambda: next(_lots))(NOW - entered * DAY)
    over = ended is not None
    row: dict[str, Any] = {
        "bucket": bucket,
        "id": made,
        "user_id": f"u{made}",
        "journey": journey,
        "key": "",
        "slot": made if over else 0,
        "version_id": 1,
        "run_id": 0,
        "state": 2 if over else 0,
        "reason": 0,
        "position": 0,
        "started": 0,
        "entered_at": NOW - entered * DAY,
        "ended_at": NOW - ended * DAY if ended is not None else None,
        "outcome": "completed" if over else None,
        "data": FULL,
        "goals_until": goals_until,
    }
    with database.write() as connection:
        marks = ", ".join("?" * len(row))
        connection.exec_driver_sql(
            f"INSERT INTO enrollments ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
        )
        connection.exec_driver_sql(
            "INSERT INTO executions (bucket, enrollment, step, visit, redrive, status, attempts,"
            " started_at, ended_at) VALUES (?, ?, 0, 0, 0, 1, 0, 0, 0)",
            (bucket, made),
        )
    return made


def failed_call(database: Database, enrollment: int, days: float | None) -> None:
    """A call that failed so many days ago; None: one that is tried again."""
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO calls (bucket, enrollment, step, visit, redrive, run_id, endpoint, method,"
            " target, headers, body, key, attempts, tries, finished_at)"
            " VALUES (3, ?, 0, 0, 0, 0, 'e', 'GET', '/', '[]', '', 'k', 1, 1, ?)",
            (enrollment, None if days is None else NOW - int(days * DAY)),
        )


def sweep(database: Database, kept: Kept = KEPT, now: int = NOW) -> Forgotten:
    return Retention(database, kept, now, pause=lambda _: None).sweep()


def left(database: Database) -> dict[int, tuple[bool, int]]:
    """Id → whether it was emptied, and how many steps of it are known."""
    with database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT id, data, (SELECT count(*) FROM executions AS x"
            " WHERE x.bucket = e.bucket AND x.enrollment = e.id) FROM enrollments AS e"
        )
        return {row[0]: (row[1] == EMPTY, row[2]) for row in rows}


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        number: int = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
        return number


def test_old_passages_go_with_their_steps_and_others_stay(database: Database) -> None:
    publish(database, "j", "after_exit")
    passage(database, "j", 150, 120)
    young = passage(database, "j", 150, 80)
    live = passage(database, "j", 150, None)
    assert sweep(database) == Forgotten(passages=1)
    assert left(database) == {young: (False, 1), live: (False, 1)}
    assert count(database, "executions") == 2


def test_what_a_goal_may_still_count_for_stays(database: Database) -> None:
    publish(database, "j", "after_exit")
    open_ = passage(database, "j", 150, 120, goals_until=NOW + DAY)
    passage(database, "j", 150, 120, goals_until=NOW - 101 * DAY)
    assert sweep(database).passages == 1
    assert list(left(database)) == [open_]


@pytest.mark.parametrize(
    ("reentry", "entered", "stays"),
    [
        ("once", 5_000, True),
        ("{mode: after_exit, cooldown: P200D}", 150, True),
        ("{mode: after_exit, cooldown: P200D}", 250, False),
        ("{mode: restart, limit: {count: 2, per: P200D}}", 150, True),
        ("{mode: restart, limit: {count: 2, per: P200D}}", 250, False),
        ("after_exit", 150, False),
        ("restart", 150, False),
    ],
)
def test_a_passage_that_a_rule_may_ask_for_keeps_its_row(
    database: Database, reentry: str, entered: int, stays: bool
) -> None:
    publish(database, "j", reentry)
    made = passage(database, "j", entered, 110)
    forgotten = sweep(database)
    assert forgotten == (Forgotten(emptied=1) if stays else Forgotten(passages=1))
    assert left(database) == ({made: (True, 0)} if stays else {})
    assert sweep(database) == Forgotten(), "it is emptied once"


def test_an_emptied_row_goes_when_no_rule_asks_any_more(database: Database) -> None:
    publish(database, "j", "{mode: after_exit, cooldown: P200D}")
    passage(database, "j", 150, 110)
    assert sweep(database).emptied == 1
    assert sweep(database, now=NOW + 60 * DAY).passages == 1


def test_the_rules_are_those_of_the_versions_that_let_users_in(database: Database) -> None:
    publish(database, "j", "once", 1)
    publish(database, "j", "after_exit", 2)
    publish(database, "k", "once", 1, triggers=True)
    publish(database, "k", "after_exit", 2)
    passage(database, "j", 150, 110)
    kept = passage(database, "k", 150, 110)
    passage(database, "gone", 150, 110)
    assert sweep(database) == Forgotten(passages=2, emptied=1)
    assert list(left(database)) == [kept]


def test_a_version_that_cannot_be_read_any_more_keeps_its_rows(database: Database) -> None:
    publish(database, "j", "after_exit")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE versions SET source = 'dsl: 99'")
    passage(database, "j", 150, 110)
    assert sweep(database) == Forgotten(emptied=1)


def test_failed_calls_go_after_a_week_and_redriven_ones_stay(database: Database) -> None:
    publish(database, "j", "after_exit")
    for days in (8, 6, None):
        failed_call(database, passage(database, "j", 10, 9), days)
    assert sweep(database) == Forgotten(calls=1)
    assert count(database, "calls") == 2


def test_a_passage_with_a_call_that_may_be_redriven_stays(database: Database) -> None:
    publish(database, "j", "after_exit")
    made = passage(database, "j", 150, 120)
    failed_call(database, made, 1)
    assert sweep(database) == Forgotten()
    assert sweep(database, now=NOW + 7 * DAY) == Forgotten(passages=1, calls=1)


def _fact(database: Database, user: str, days: int, bucket: int = 3) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO facts (bucket, user_id, seq, kind, name, at, depth, data)"
            " VALUES (?, ?, ?, 0, 'e', 0, 0, '{}')",
            (bucket, user, NOW - days * DAY),
        )


def test_facts_refusals_and_audit_go_when_their_time_is_over(database: Database) -> None:
    for days in (201, 199):
        for user in ("", "a", "ü"):
            _fact(database, user, days)
            _fact(database, user, days, bucket=1)
    with database.write() as connection:
        for days in (101, 99):
            connection.exec_driver_sql(
                "INSERT INTO refusals (bucket, user_id, seq, run_id, version_id, trigger, reason,"
                " at) VALUES (0, '', ?, 0, 1, -1, 'once', ?)",
                (days, NOW - days * DAY),
            )
        for days in (301, 299):
            connection.exec_driver_sql(
                "INSERT INTO audit (at, actor, verb, kind, name, fields)"
                " VALUES (?, '', '', '', '', '')",
                (NOW - days * DAY,),
            )
        for days in (201, 199):
            connection.exec_driver_sql(
                "INSERT INTO hook_deliveries (hook_id, refused, id, at, size, code, detail)"
                " VALUES (1, TRUE, ?, ?, 0, '', '')",
                (days, NOW - days * DAY),
            )
    forgotten = sweep(database)
    assert forgotten == Forgotten(facts=6, refusals=1, changes=1, deliveries=1)
    told = "6 facts, 1 refusals, 1 audited changes, 1 webhooks' deliveries"
    assert str(forgotten) == told
    assert [count(database, table) for table in ("facts", "refusals", "audit")] == [6, 1, 1]


def test_of_what_is_kept_for_ever_nothing_goes(database: Database) -> None:
    publish(database, "j", "after_exit")
    passage(database, "j", 5_000, 4_000)
    _fact(database, "a", 5_000)
    assert sweep(database, Kept(None, None, None)) == Forgotten()


def test_many_go_page_by_page_with_a_pause_behind_each(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PAGE", 10)
    for number in range(25):
        _fact(database, f"u{number}", 300)
    pauses: list[float] = []
    assert Retention(database, KEPT, NOW, pause=pauses.append).sweep().facts == 25
    assert len(pauses) == 3
    assert min(pauses) > 0


def test_it_ends_between_two_pages(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAGE", 10)
    for number in range(25):
        _fact(database, f"u{number}", 300)
    pauses: list[float] = []
    forgotten = Retention(
        database, KEPT, NOW, stopping=lambda: len(pauses) == 2, pause=pauses.append
    ).sweep()
    assert forgotten.facts == 20
    assert sweep(database).facts == 5


@pytest.mark.parametrize(
    ("given", "span"), [("P30D", 30 * DAY), ("365d", 365 * DAY), ("forever", None)]
)
def test_settings_say_for_how_long(given: str, span: int | None) -> None:
    assert Kept.by(Settings(keep_passages=given)).passages == span


@pytest.mark.parametrize("given", ["soon", "P6D", "P1Y", "-P30D"])
def test_a_setting_that_is_no_such_time_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="JOURNEY_KEEP_EVENTS"):
        Kept.by(Settings(keep_events=given))
