from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.db import commits as module
from engine.db.commits import Commits, commits


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(connect(tmp_path / "engine.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
    return tmp_path / "engine.db"


@contextmanager
def looking(path: Path) -> Iterator[Commits]:
    with closing(connect(path)) as connection, closing(commits(path, connection)) as looks:
        yield looks


@pytest.fixture(params=["shared memory", "a statement"])
def looks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, path: Path) -> object:
    if request.param == "a statement":
        monkeypatch.setattr(module, "_DESCRIPTORS", "/nowhere")
    elif sys.platform != "linux":
        pytest.skip("only Linux shows a process its descriptors")
    with looking(path) as looks:
        assert type(looks).__name__ == (
            "_AskedCommits" if request.param == "a statement" else "_SharedCommits"
        )
        yield looks


def test_every_commit_of_another_connection_makes_another_mark(looks: Commits, path: Path) -> None:
    marks = [looks.mark()]
    with closing(connect(path)) as writer:
        for number in range(6):
            if number % 2:  # the log begins anew with the next commit
                writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            before = looks.mark()
            writer.execute("INSERT INTO t VALUES (?)", (number,))
            marks.append(looks.mark())
            assert marks[-1] != before
    assert len(set(marks)) == 7


def test_a_commit_of_another_process_makes_another_mark_and_reading_none(
    looks: Commits, path: Path
) -> None:
    before = looks.mark()
    with closing(connect(path)) as reader:
        reader.execute("SELECT * FROM t").fetchall()
    assert looks.mark() == before
    in_another_process(path, "INSERT INTO t VALUES (1)")
    assert looks.mark() != before


def test_looking_takes_no_lock_from_whoever_writes_in_this_process(path: Path) -> None:
    with closing(connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with looking(path) as looks:
            looks.mark()
        assert "locked" in in_another_process(path, "BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.execute("COMMIT")
    assert in_another_process(path, "BEGIN IMMEDIATE") == ""


def test_a_closed_one_refuses_to_look(path: Path) -> None:
    with looking(path) as looks:
        pass
    with pytest.raises((ValueError, sqlite3.Error)):
        looks.mark()


def in_another_process(path: Path, statement: str) -> str:
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)"
    code += "; c.execute(sys.argv[2])"
    command = [sys.executable, "-I", "-S", "-c", code, str(path), statement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2]
