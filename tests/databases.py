"""Which kind of database a test's installation has: SQLite, or in turn both.

A test or module that asks for the fixture ``either_database`` runs twice, and what it opens by
:func:`database_url` is a SQLite file first and then a fresh PostgreSQL database.

A new SQLite file is a copy of one that the engine made when the tests began.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from engine.db import sqlite_file
from engine.db.schema import open_database
from tests.postgresql import Server

BOTH_IN_SOAK = pytest.mark.parametrize(
    "either_database",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)],
    indirect=True,
)
"""For tests that start processes or take their time: on PostgreSQL only where there is time."""

_server: Server | None = None
_made: dict[Path, str] = {}


def database_url(folder: Path) -> str:
    """The URL of the database of ``folder``: the same one each time it is asked for in a test."""
    if _server is None:
        return f"sqlite:///{folder / 'engine.db'}"
    if folder not in _made:
        _made[folder] = _server.create()
    return _made[folder]


def on_postgresql() -> bool:
    """Whether :func:`database_url` gives PostgreSQL databases just now."""
    return _server is not None


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """A database's file as somebody opens it who isn't the engine: committed and closed at the
    end.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


@contextmanager
def copied_files(folder: Path) -> Iterator[None]:
    """Inside, whoever makes a SQLite file in this process gets a copy of one that the engine makes
    in ``folder``, with an installation's key of its own: a tenth of the time that its tables take.
    """
    made = folder / "engine.db"
    opened = open_database(f"sqlite:///{made}")
    with closing(opened), opened.untouched() as connection:
        (key,) = connection.execute("SELECT key FROM installation").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before, after = made.read_bytes().split(str(key).encode())
    make_file = sqlite_file.make_file

    def copy(path: Path) -> None:
        make_file(path)
        if not path.stat().st_size:
            path.write_bytes(before + secrets.token_hex(16).encode() + after)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_file, "make_file", copy)
        yield


@contextmanager
def databases_on(server: Server) -> Iterator[None]:
    """Inside, databases are made on this server; they are dropped at the end, and what a test left
    open is closed.
    """
    global _server  # noqa: PLW0603 (tests of one process run one after another)
    _server = server
    opened: list[Any] = []

    def note(connection: Any, _record: Any) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", note)
    try:
        yield
    finally:
        event.remove(Pool, "connect", note)
        _server = None
        for connection in opened:
            connection.close()
        for url in _made.values():
            server.drop(url)
        _made.clear()
