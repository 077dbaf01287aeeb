"""Opening a database: made where there is none, refused where it isn't ours, never recreated."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from engine.cli.outcome import run
from engine.db import sqlite
from engine.db.connect import Connection, Database
from engine.db.schema import (
    APPLICATION_ID,
    alembic_config,
    find_database,
    known_revisions,
    migrate,
    newest_revision,
    open_database,
    revision_of,
)
from engine.errors import DatabaseUnavailable, EngineError, SettingsError
from tests.forked import Popen

ROOT = Path(__file__).parents[2]


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def _made(path: Path) -> Path:
    open_database(_url(path)).close()
    return path


def _refused(path: Path, kind: type[EngineError]) -> str:
    """The one line that a database which can't be used is refused with."""
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(kind) as caught:
        open_database(_url(path))
    if path.is_file():
        assert path.read_bytes() == before, "a file that isn't ours stays as it is"
    message = caught.value.message
    assert "\n" not in message
    assert str(path) in message
    return message


def _execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


# --- fresh -----------------------------------------------------------------------------------


def test_a_fresh_database_is_made_silently_with_its_folders(tmp_path: Path) -> None:
    path = _made(tmp_path / "deep" / "er" / "engine.db")
    with closing(sqlite3.connect(path)) as connection:
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        ((key,),) = connection.execute("SELECT key FROM installation").fetchall()
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    assert (mark, len(key), mode) == (APPLICATION_ID, 32, "wal")
    assert open_database(_url(path)).path == path


def test_only_its_owner_reads_a_database_and_what_lies_beside_it(tmp_path: Path) -> None:
    database = open_database(_url(tmp_path / "home" / "engine.db"))
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE installation SET clock = 'real'")
    files = sorted(database.path.parent.iterdir())
    assert [path.name for path in files] == ["engine.db", "engine.db-shm", "engine.db-wal"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert database.path.parent.stat().st_mode & 0o777 == 0o700
    database.close()


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    keys = set()
    for name in ("a.db", "b.db"):
        with closing(sqlite3.connect(_made(tmp_path / name))) as connection:
            keys.add(connection.execute("SELECT key FROM installation").fetchone())
    assert len(keys) == 2


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    path.touch()
    _made(path)
    assert path.stat().st_size > 0


def test_a_database_whose_making_was_cut_short_is_made(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    assert path.stat().st_size > 0
    with closing(open_database(_url(path))) as database:
        assert revision_of(database) == newest_revision()


def test_processes_that_start_together_make_one_database(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    program = (
        "import sys; from engine.db.schema import open_database\n"
        "d = open_database(sys.argv[1])\n"
        "with d.read() as c: print(c.exec_driver_sql('SELECT key FROM installation').scalar())"
    )
    processes = [
        Popen(
            [sys.executable, "-c", program, _url(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert len({out for out, _ in said}) == 1


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    with pytest.raises(DatabaseUnavailable, match="there is no database"):
        open_database(_url(path), create=False)
    assert not path.exists()


# --- not ours --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"hello", b"\x00" * 5000, b"id,email\n1,a@example.com\n", os.urandom(4096)]
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "engine.db"
    path.write_bytes(content)
    assert "is not a database" in _refused(path, SettingsError)


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    _execute(path, "CREATE TABLE cookies (name TEXT)")
    assert "of another program" in _refused(path, SettingsError)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_an_empty_database_with_another_programs_mark_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    _execute(path, "PRAGMA application_id=7", "PRAGMA user_version=1")
    assert "of another program" in _refused(path, SettingsError)


@pytest.mark.parametrize("kept", [100, 512, 4096, 4097, 20_000])
def test_a_truncated_database_is_refused(tmp_path: Path, kept: int) -> None:
    path = _made(tmp_path / "engine.db")
    path.write_bytes(path.read_bytes()[:kept])
    assert "damaged or not a database" in _refused(path, SettingsError)


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = _made(tmp_path / "engine.db")
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    assert "restore it from a backup" in _refused(path, SettingsError)


def test_damage_found_while_working_is_named_too(tmp_path: Path) -> None:
    path = _made(tmp_path / "engine.db")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with (
        closing(Database(_url(path))) as database,
        pytest.raises(SettingsError, match="damaged"),
        database.read() as connection,
    ):
        connection.exec_driver_sql("SELECT * FROM installation").fetchall()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = _made(tmp_path / "engine.db")
    _execute(path, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer version of the engine" in _refused(path, SettingsError)
    with closing(Database(_url(path))) as database, pytest.raises(SettingsError, match="newer"):
        migrate(database, 1)


def test_an_older_database_is_refused_and_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _made(tmp_path / "engine.db")
    monkeypatch.setattr("engine.db.schema.known_revisions", lambda: (*known_revisions(), "9999"))
    assert "journey migrate" in _refused(path, SettingsError)


FIRST_ROWS = """
    INSERT INTO installation (id, key, made_at) VALUES (1, '00', 7);
    INSERT INTO versions
    (id, journey, number, hash, source, triggers_on, published_at, published_by)
    VALUES (1, 'j', 1, 'h', 'text', FALSE, 7, 'me');
    INSERT INTO runs
    (id, journey, version_id, source, state, position, total, skipped, token_base, opened_at)
    VALUES (3, 'j', 1, 's', 'open', 0, 1, 0, '{}', 7);
    INSERT INTO refusals (bucket, run_id, user_id, reason, at) VALUES (0, 3, 'u1', 'once', 8)"""


def _rows(connection: Connection, text: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(text)]


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    from alembic import command

    path = tmp_path / "engine.db"
    command.upgrade(alembic_config(path), "0001")
    _execute(path, "PRAGMA journal_mode=WAL", f"PRAGMA application_id={APPLICATION_ID}")
    _execute(path, *FIRST_ROWS.split(";"))
    assert "journey migrate" in _refused(path, SettingsError)
    with closing(find_database(_url(path))) as database:
        migrated = migrate(database, 1_000_000)
    assert migrated is not None
    assert migrated.backup is not None
    assert migrated.backup.exists()
    with closing(open_database(_url(path))) as database, database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM attributes").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM event_types").scalar() == 0
        assert _rows(connection, "SELECT journey, state, since FROM journeys") == [
            ("j", "active", 7)
        ]
        assert _rows(connection, "SELECT user_id, run_id, version_id, reason FROM refusals") == [
            ("u1", 3, 1, "once")
        ]


def test_a_database_up_to_date_is_not_migrated(tmp_path: Path) -> None:
    with closing(open_database(_url(tmp_path / "engine.db"))) as database:
        assert migrate(database, 1) is None
    assert len(list(tmp_path.glob("*backup*"))) == 0


def test_the_refusals_are_exit_78_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.cli.main import journey

    path = tmp_path / "engine.db"
    path.write_bytes(b"hello")
    assert run(journey, "journey", ["endpoints", "list", "--database", _url(path)]) == 78
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="can't be read"):
        open_database(_url(tmp_path))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseUnavailable, match=r"can't be (made|read)"):
        open_database(_url(tmp_path / "file" / "engine.db"))


# --- out of reach for now --------------------------------------------------------------------


def test_a_database_locked_for_longer_than_its_patience_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _made(tmp_path / "engine.db")
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, "PRAGMA busy_timeout=50"))
    with closing(open_database(_url(path))) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailable, match="locked by another process"):
                _write(database)
            other.execute("ROLLBACK")
        _write(database)


def test_a_write_waits_for_another_process_and_succeeds(tmp_path: Path) -> None:
    with closing(open_database(_url(tmp_path / "engine.db"))) as database:
        other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        released = threading.Timer(0.3, other.execute, ["COMMIT"])
        released.start()
        _write(database)
        released.join()
        other.close()


def test_a_lock_is_waited_for_as_often_as_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _made(tmp_path / "engine.db")
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 400)
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, "PRAGMA busy_timeout=400"))
    with closing(open_database(_url(path))) as database:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable), database.write(waits=1):
            pass
        released = threading.Timer(0.6, other.execute, ["COMMIT"])
        released.start()
        _write(database)
        released.join()
        other.close()


def test_whoever_has_little_patience_waits_no_longer_behind_one_of_his_own_process(
    tmp_path: Path,
) -> None:
    with closing(open_database(_url(tmp_path / "engine.db"))) as database:
        told: list[str] = []

        def hurry() -> None:
            for within_s in (0.05, 30):
                try:
                    with database.write(within_s=within_s):
                        told.append("written")
                except DatabaseUnavailable as error:
                    told.append(error.message.partition("engine.db ")[2])
                    behind.set()

        behind = threading.Event()
        thread = threading.Thread(target=hurry)
        with database.write():
            thread.start()
            assert behind.wait(30)
        thread.join()
        assert told == ["is locked by another process; end it or wait", "written"]


def _write(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE installation SET clock = 'real'")


def test_reading_and_then_writing_never_fails_as_locked(tmp_path: Path) -> None:
    """What plain BEGIN can't do: four writers that read first."""
    path = _made(tmp_path / "engine.db")
    _execute(path, "INSERT INTO users VALUES (1, 'n', NULL, '0', NULL)")
    failed: list[Exception] = []

    def work() -> None:
        with closing(open_database(_url(path))) as own:
            for _ in range(25):
                try:
                    with own.write() as connection:
                        n = connection.exec_driver_sql("SELECT attributes FROM users").scalar_one()
                        connection.exec_driver_sql(
                            "UPDATE users SET attributes = ?", (str(int(n) + 1),)
                        )
                except Exception as error:
                    failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT attributes FROM users").fetchone() == ("100",)


def test_a_full_disk_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    with closing(open_database(_url(tmp_path / "engine.db"))) as database:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO users VALUES (1, 'kept', NULL, '{}', NULL)")
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 3}")
        rows = [(f"u{n}", "x" * 4000) for n in range(100)]
        with pytest.raises(DatabaseUnavailable, match="disk is full"), database.write() as writing:
            writing.exec_driver_sql("INSERT INTO users VALUES (2, ?, NULL, ?, NULL)", rows)
        with database.write() as connection:
            users = connection.exec_driver_sql("SELECT id FROM users").fetchall()
            connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        assert users == [("kept",)]
        _write(database)


def test_a_file_that_may_not_grow_is_unavailable(tmp_path: Path) -> None:
    """The operating system's limit, in a process of its own."""
    path = _made(tmp_path / "engine.db")
    program = (
        "import resource, signal, sys\n"
        "from engine.db.schema import open_database\n"
        "from engine.errors import DatabaseUnavailable\n"
        "database = open_database(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "try:\n"
        "    with database.write() as connection:\n"
        "        for n in range(1000):\n"
        "            connection.exec_driver_sql(\n"
        '                "INSERT INTO users VALUES (1, ?, NULL, ?, NULL)",\n'
        "                (str(n), 'x' * 4000))\n"
        "except DatabaseUnavailable as error:\n"
        "    print(error.message)\n"
    )
    with Popen(
        [sys.executable, "-c", program, _url(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "the database" in out
    with closing(open_database(_url(path))) as database, database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar_one() == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_or_folder_is_unavailable(tmp_path: Path) -> None:
    path = _made(tmp_path / "home" / "engine.db")
    path.chmod(0o400)
    with pytest.raises(DatabaseUnavailable), closing(open_database(_url(path))) as database:
        _write(database)
    path.parent.chmod(0o500)
    with pytest.raises(DatabaseUnavailable):
        open_database(_url(path.with_name("other.db")))
    path.parent.chmod(0o700)


def test_what_says_it_may_not_be_written_is_unavailable(tmp_path: Path) -> None:
    with closing(open_database(_url(tmp_path / "engine.db"))) as database:
        with database.read() as connection:
            connection.exec_driver_sql("PRAGMA query_only=1")
        with pytest.raises(DatabaseUnavailable, match="can't be written"):
            _write(database)


def test_an_error_that_is_none_of_the_databases_passes_unchanged(tmp_path: Path) -> None:
    with closing(open_database(_url(tmp_path / "engine.db"))) as database:
        with pytest.raises(ZeroDivisionError), database.write() as connection:  # noqa: PT012
            connection.exec_driver_sql("UPDATE installation SET clock = 'real'")
            raise ZeroDivisionError
        with database.read() as connection:
            clock = connection.exec_driver_sql("SELECT clock FROM installation").scalar()
        assert clock is None, "and the transaction is rolled back"


_LOCKS = """
import sys
from contextlib import closing
from sqlite3 import connect

with closing(connect(sys.argv[1], isolation_level=None)) as connection:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("SELECT count(*) FROM installation").fetchone()
"""


def test_a_file_that_is_opened_once_more_keeps_the_locks_of_who_has_it_open(tmp_path: Path) -> None:
    """Whoever believes to be the last one takes the log away, under the eyes of the other."""
    path = tmp_path / "engine.db"
    open_database(_url(path)).close()
    with closing(open_database(_url(path))) as first:
        with first.read() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM installation").fetchone()
        with closing(open_database(_url(path))):
            pass
        subprocess.run([sys.executable, "-c", _LOCKS, path], check=True)
        assert path.with_name("engine.db-wal").exists()
