from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.core.expressions.calendar import DAY, HOUR, MINUTE, SECOND, to_instant
from engine.credentials.store.tokens import tokens_to_renew
from engine.operations.retention import FAILED_CALLS_US
from engine.operations.watch import JourneysFolder
from engine.processes import duties
from engine.processes.duties import DUTIES, Cron, Every, renew_tokens
from engine.settings import Settings
from tests.house.source import DOCS
from tests.unit.processes.posted import START, Posted

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = UTC_ZONE) -> int:
    return to_instant(datetime.fromisoformat(text).replace(tzinfo=zone))


def test_every_is_at_the_same_moments_in_every_process() -> None:
    assert Every(10 * MINUTE).after(at("2026-11-22T09:07:13"), UTC_ZONE) == at("2026-11-22T09:10")
    assert Every(10 * MINUTE).after(at("2026-11-22T09:10"), BERLIN) == at("2026-11-22T09:20")


def test_a_cron_time_comes_after_the_instant_and_not_at_it() -> None:
    nightly = Cron("13 3 * * *")
    first = nightly.after(at("2026-11-22T00:00", BERLIN), BERLIN)
    assert first == at("2026-11-22T03:13", BERLIN)
    assert nightly.after(first, BERLIN) == at("2026-11-23T03:13", BERLIN)
    assert nightly.after(first - 1, BERLIN) == first


def test_monday_is_monday() -> None:
    fire = Cron("0 9 * * 1").after(at("2026-11-18T00:00"), UTC_ZONE)
    assert datetime.fromtimestamp(fire // SECOND, UTC).strftime("%a %H:%M") == "Mon 09:00"


def test_what_is_in_the_autumn_fold_comes_once_and_in_the_spring_gap_too() -> None:
    nightly = Cron("30 2 * * *")
    for night in ("2026-10-25T00:00", "2026-03-29T00:00"):
        first = nightly.after(at(night, BERLIN), BERLIN)
        assert nightly.after(first, BERLIN) - first > 20 * HOUR


def test_the_page_tells_of_every_duty_what_the_table_says() -> None:
    page = (DOCS / "duties.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    told = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    table = [[f"`{each.name}`", str(each.when), each.what] for each in DUTIES]
    assert [row for row in told if row[0] in {row[0] for row in table}] == table


def test_names_are_used_once_and_patience_is_no_longer_than_a_day() -> None:
    assert len({each.name for each in DUTIES}) == len(DUTIES)
    assert all(MINUTE <= each.patience <= DAY for each in DUTIES)


def test_without_the_setting_there_is_no_backup(tmp_path: Path) -> None:
    (backup,) = (each for each in DUTIES if each.name == "backup")
    assert not backup.wanted(Posted(tmp_path).post)
    (tmp_path / "b").mkdir()
    assert backup.wanted(Posted(tmp_path / "b", settings=Settings(backups="x")).post)


def test_the_nightly_backup_keeps_the_newest(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    settings = Settings(backups=str(folder), backups_kept="2", home=str(tmp_path / "home"))
    posted = Posted(tmp_path, settings=settings)
    for _ in range(4):
        posted.now += DAY
        duties.back_up_nightly(posted.post)
    assert sorted(path.name for path in folder.iterdir()) == [
        "engine-20241007T003000Z.db",
        "engine-20241007T003000Z.db.sha256",
        "engine-20241008T003000Z.db",
        "engine-20241008T003000Z.db.sha256",
    ]


def test_secrets_that_end_soon_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    posted = Posted(tmp_path)
    with posted.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO auth_profiles (name, title, kind, settings, origins, version, inline,"
            " changed_at) VALUES ('crm', '', 'bearer', ?, '[]', 1, FALSE, 0)",
            ('{"token": {"sealed": true}, "secret_expires": "2020-01-01"}',),
        )
    with caplog.at_level(logging.WARNING):
        said = duties.warn_of_endings(posted.post)
    assert said == "crm: its secret expired on 2020-01-01"
    assert said in caplog.text


def _token(posted: Posted, soft: int, hard: int, state: str = "active") -> None:
    """A profile of an endpoint that a journey names, with a token of that life."""
    profile = (1, "crm", "", "oauth2", "{}", "[]", 3, False, 0)
    version = (1, "j", 1, "", "", True, 0, "")
    token = (1, 3, 1, 0, "x", 1, soft, hard, 0, 0, 0, 0, 1)
    rows: dict[str, tuple[object, ...]] = {
        "auth_profiles (id, name, title, kind, settings, origins, version, inline, changed_at)"
        "": profile,
        "endpoints (name, settings, profile_id, version, changed_at)": ("a", "{}", 1, 1, 0),
        "versions (id, journey, number, hash, source, triggers_on, published_at, published_by)"
        "": version,
        "version_endpoints (endpoint, version_id, step)": ("a", 1, "s"),
        "journeys (journey, state, since, change)": ("j", state, 0, 1),
        "token_states (profile_id, profile_version, fence, lease_until, sealed_token, sealed_fence,"
        " soft_expiry, hard_expiry, failures, next_try_at, forced_count, next_forced_at, requests)"
        "": token,
    }
    with posted.database.write() as connection:
        for table, row in rows.items():
            marks = ", ".join("?" * len(row))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", row)


@pytest.mark.parametrize(
    ("soft", "margin", "state", "due"),
    [
        (START - 1, MINUTE, "active", True),
        (START - DAY, MINUTE, "active", True),
        (START + 1, MINUTE, "active", False),
        (START - 1, 20 * SECOND, "active", False),
        (START - 1, MINUTE, "archived", False),
    ],
    ids=["near its end", "over", "young", "of a short life", "of an archived journey"],
)
def test_tokens_are_renewed_that_near_their_end_and_are_used(
    tmp_path: Path, soft: int, margin: int, state: str, due: bool
) -> None:
    posted = Posted(tmp_path)
    _token(posted, soft, soft + margin, state)
    with posted.database.read() as connection:
        found = [(each.profile_id, each.version) for each in tokens_to_renew(connection, START)]
    assert found == ([(1, 3)] if due else [])


def test_where_no_token_is_due_no_secret_is_opened(tmp_path: Path) -> None:
    assert renew_tokens(Posted(tmp_path).post) == ""


def test_a_large_log_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    posted = Posted(tmp_path)
    monkeypatch.setattr(duties, "_LARGE_LOG", 1)
    with posted.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE big (x)")
    assert "cut" in duties.checkpoint(posted.post)
    assert (tmp_path / "engine.db-wal").stat().st_size == 0


def test_empty_pages_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    posted = Posted(tmp_path)
    monkeypatch.setattr(duties, "_FEW_PAGES", 10)
    with posted.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE big (x)")
        connection.exec_driver_sql("INSERT INTO big VALUES (zeroblob(20000000))")
    assert duties.vacuum(posted.post) == ""
    with posted.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE big")
    assert duties.vacuum(posted.post) == "20 MB given back"
    assert duties.vacuum(posted.post) == ""


def test_retention_asks_the_settings(tmp_path: Path) -> None:
    posted = Posted(tmp_path, now=START)
    with posted.database.write() as connection:
        for age in (FAILED_CALLS_US, 800 * DAY):
            connection.exec_driver_sql(
                "INSERT INTO audit (at, actor, verb, kind, name, fields) VALUES (?, '', '', '', '',"
                " '')",
                (START - age,),
            )
    assert duties.forget(posted.post) == "1 audited changes"


def test_what_changes_in_the_folder_of_journeys_is_published_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "journeys"
    folder.mkdir()
    text = "dsl: 1\njourney: hello\nsteps:\n  - {id: a, type: wait, for: PT1H}\n"
    (folder / "hello.yaml").write_text(text)
    posted = Posted(tmp_path)
    post = replace(posted.post, journeys=JourneysFolder(folder))
    said = duties.publish_folder(post)
    assert "journey hello version 1" in said
    assert posted.said == [said]
    (folder / "hello.yaml").write_text("dsl: 1\njourney: hello\n")
    assert "it isn't published" in duties.publish_folder(post)
    assert duties.publish_folder(post) == ""
