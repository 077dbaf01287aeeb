from __future__ import annotations

import stat
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.credentials.kek import find_kek, make_kek
from engine.credentials.key_ring import Place
from engine.credentials.open_vault import open_vault
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.errors import SettingsError
from engine.settings import Settings
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

PLACE = Place("auth_secrets", 1, "password", 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path), database_url=database_url(tmp_path))


@pytest.fixture
def database(settings: Settings) -> Database:
    return open_database(settings.database)


def test_the_first_run_makes_a_key_that_only_its_owner_reads_and_says_so(
    database: Database, settings: Settings
) -> None:
    opened = open_vault(database, settings)
    file = settings.home_path / "kek"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in opened.notice
    assert "\n" not in opened.notice
    assert file.read_text().strip() not in opened.notice


def test_the_second_run_opens_what_the_first_sealed_and_says_nothing(
    database: Database, settings: Settings
) -> None:
    first = open_vault(database, settings)
    with database.write() as connection:
        sealed = first.vault.seal(connection, "hunter2", PLACE)
    again = open_vault(database, settings)
    assert again.notice == ""
    with database.read() as connection:
        assert again.vault.open(connection, sealed, PLACE) == "hunter2"


def test_a_missing_key_with_sealed_rows_present_stops_the_start_and_makes_no_new_one(
    database: Database, settings: Settings
) -> None:
    open_vault(database, settings)
    file = settings.home_path / "kek"
    file.unlink()
    with pytest.raises(SettingsError, match="kek") as error:
        open_vault(database, settings)
    assert "\n" not in str(error.value)
    assert not file.exists()


def test_a_wrong_key_stops_the_start(database: Database, settings: Settings) -> None:
    open_vault(database, settings)
    with pytest.raises(SettingsError):
        open_vault(database, Settings(home=settings.home, kek="ab" * 32))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_may_read_is_refused(
    database: Database, settings: Settings, mode: int
) -> None:
    open_vault(database, settings)
    (settings.home_path / "kek").chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        open_vault(database, settings)


@pytest.mark.parametrize(
    "written", [bytes(range(32)).hex(), b64encode(bytes(range(32))).decode(), "00" * 32 + "\n"]
)
def test_the_key_may_come_from_a_setting_in_hex_or_base64(
    database: Database, settings: Settings, written: str
) -> None:
    given = Settings(home=settings.home, kek=written)
    assert open_vault(database, given).notice == ""
    assert not (settings.home_path / "kek").exists()
    open_vault(database, given)


@pytest.mark.parametrize("written", ["short", "zz" * 32, "ab" * 31, "é" * 32])
def test_a_setting_that_is_no_key_is_refused_without_showing_it(
    database: Database, settings: Settings, written: str
) -> None:
    with pytest.raises(SettingsError, match="32 bytes") as error:
        open_vault(database, Settings(home=settings.home, kek=written))
    assert written not in str(error.value)


def test_processes_that_start_at_once_share_one_key(database: Database, settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        vaults = [
            each.vault for each in pool.map(lambda _: open_vault(database, settings), range(8))
        ]
    with database.read() as connection:
        sealed = vaults[0].seal(connection, "hunter2", PLACE)
        assert {vault.open(connection, sealed, PLACE) for vault in vaults} == {"hunter2"}
    assert [path.name for path in settings.home_path.iterdir() if "kek" in path.name] == ["kek"]


def test_a_key_file_is_never_written_over(settings: Settings) -> None:
    first = make_kek(settings).find()
    found = find_kek(settings)
    assert found is not None
    assert make_kek(settings).find() == first == found.find()
