from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.db.connect import Database
from engine.db.schema import open_database
from engine.errors import DatabaseUnavailable, NotFound, OperatorError
from engine.operations.backup import BackupDamaged, back_up, keep_newest, name_of, verify
from engine.settings import Settings


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'home' / 'engine.db'}")
    with database.write() as connection:
        for n in range(500):
            connection.exec_driver_sql(
                "INSERT INTO users (bucket, id, attributes) VALUES (?, ?, ?)",
                (n % 256, f"u{n}", '{"name": "ada"}' * 20),
            )
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "kek").write_text("key")
    return Settings(home=str(tmp_path / "home"))


def test_a_backup_is_a_database_of_that_moment(
    tmp_path: Path, database: Database, settings: Settings
) -> None:
    made = back_up(database, settings, tmp_path / "out" / "copy.db")
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM users")
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in made.path.parent.iterdir()} == {"copy.db", "copy.db.sha256"}
    assert verify(made.path) == made
    copy = open_database(f"sqlite:///{shutil.copy(made.path, tmp_path / 'restored.db')}")
    with copy.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar_one() == 500
    copy.close()


def test_a_backup_is_made_while_somebody_writes(
    tmp_path: Path, database: Database, settings: Settings
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM users")
        made = back_up(database, settings, tmp_path / "copy.db")
    with Database(f"sqlite:///{made.path}").read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar_one() == 500


def test_sha256sum_verifies_it_too(tmp_path: Path, database: Database, settings: Settings) -> None:
    made = back_up(database, settings, tmp_path / "copy.db")
    command = ["sha256sum", "-c", f"{made.path.name}.sha256"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_flipped_bit_is_found(tmp_path: Path, database: Database, settings: Settings) -> None:
    path = back_up(database, settings, tmp_path / "copy.db").path
    content = bytearray(path.read_bytes())
    at = content.index(b"ada")
    content[at] ^= 1  # inside of a value: SQLite itself sees nothing wrong
    path.write_bytes(content)
    with pytest.raises(BackupDamaged, match="isn't what was written"):
        verify(path)


def test_a_backup_that_is_cut_off_or_without_its_checksum_is_found(
    tmp_path: Path, database: Database, settings: Settings
) -> None:
    path = back_up(database, settings, tmp_path / "copy.db").path
    content = path.read_bytes()
    path.write_bytes(content[:-4096])
    with pytest.raises(BackupDamaged):
        verify(path)
    path.write_bytes(content)
    (tmp_path / "copy.db.sha256").unlink()
    with pytest.raises(NotFound, match=r"copy\.db\.sha256 can't be read"):
        verify(path)
    with pytest.raises(NotFound, match="there is no backup"):
        verify(tmp_path / "none.db")


@pytest.mark.parametrize("place", ["home/copy.db", "home/backups/copy.db", "keys/copy.db"])
def test_a_backup_never_lies_with_the_key(
    tmp_path: Path, database: Database, settings: Settings, place: str
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "kek").write_text("a copy of the key")
    with pytest.raises(OperatorError, match="in one folder with the key"):
        back_up(database, settings, tmp_path / place)
    assert not (tmp_path / place).exists()


def test_a_link_leads_nobody_to_the_key(
    tmp_path: Path, database: Database, settings: Settings
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "home")
    with pytest.raises(OperatorError, match="in one folder with the key"):
        back_up(database, settings, tmp_path / "link" / "copy.db")


def test_nothing_is_overwritten_and_a_failure_leaves_nothing(
    tmp_path: Path, database: Database, settings: Settings
) -> None:
    path = tmp_path / "out" / "copy.db"
    back_up(database, settings, path)
    with pytest.raises(OperatorError, match="exists already"):
        back_up(database, settings, path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailable, match="can't be written"):
        back_up(database, settings, tmp_path / "file" / "copy.db")
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_the_newest_are_kept_and_others_files_left_alone(tmp_path: Path) -> None:
    names = [name_of(day * 86_400_000_000) for day in range(5)]
    for name in (*names, f"{names[0]}.sha256", "mine.db"):
        (tmp_path / name).write_text("")
    assert [path.name for path in keep_newest(tmp_path, 2)] == names[:3]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*names[3:], "mine.db"]
