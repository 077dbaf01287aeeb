"""Making a database, and refusing one that isn't ours or isn't of this version."""

from __future__ import annotations

import os
import secrets
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table
from sqlmodel import SQLModel

import engine.db.tables  # noqa: F401  the tables register themselves
from engine import clock
from engine.db.connect import WORKER_LOCK, Database
from engine.errors import DatabaseUnavailable, SettingsError

if TYPE_CHECKING:
    from alembic.config import Config

APPLICATION_ID = 0x4A524E59  # 'JRNY', in the header of every SQLite file we make

_REVISION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic keeps the revision, as it would make it."""


def open_database(url: str, *, create: bool = True) -> Database:
    """The database at ``url``, made silently if there is none (unless ``create`` is False).

    Raises :class:`SettingsError` (exit 78) for a file that is foreign, damaged, newer or older than
    this version, :class:`DatabaseUnavailable` (exit 5) where it can't be reached or written.
    """
    if not create:
        database = find_database(url)
    else:
        database = Database(url)
        if not _is_there(database.path):
            _make_file(database.path)
            _make(database)
            return database
        _check_ours(database)
    _check_revision(database)
    return database


def find_database(url: str) -> Database:
    """The database at ``url``, of whatever version. Raises as :func:`open_database` does."""
    database = Database(url)
    if not _is_there(database.path):
        raise DatabaseUnavailable(
            f"there is no database at {database.path}; run `journey apply` or"
            " `run-journey --live` first, or name it with --database"
        )
    _check_ours(database)
    return database


def _is_there(path: Path) -> bool:
    try:
        if not path.exists():
            return False
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no regular file"
            raise DatabaseUnavailable(f"the database {path} can't be read: it is {kind}")
        if path.stat().st_size > 0:
            return True
        used = path.with_name(f"{path.name}{WORKER_LOCK}").exists()
    except OSError as error:
        raise _unreadable(path, error) from None
    if used:
        raise SettingsError(
            f"{path} was a database and is empty now; restore it from a backup,"
            " or delete it to begin anew",
            code="settings.database",
        )
    return False


def _unreadable(path: Path, error: OSError) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"the database {path} can't be read: {error.strerror}")


def _make_file(path: Path) -> None:
    """An empty file that only its owner reads: what SQLite puts beside it is made like it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise DatabaseUnavailable(
            f"the database {path} can't be made: {error.strerror}; name another with --database"
        ) from None


def _make(database: Database) -> None:
    with database.write() as connection:
        # Two processes may start at once: the second finds the first one's tables.
        if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
            return
        SQLModel.metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        connection.exec_driver_sql(
            "INSERT INTO installation (id, key, made_at) VALUES (1, ?, ?)",
            (secrets.token_hex(16), clock.wall()),
        )
        _REVISION.create(connection)
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (newest_revision(),))


def _check_ours(database: Database) -> None:
    try:
        with database.path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise _unreadable(database.path, error) from None
    if not header.startswith(b"SQLite format 3\x00"):
        raise SettingsError(
            f"{database.path} is not a database; name another file with --database",
            code="settings.database",
        )
    if not os.access(database.path, os.W_OK):
        # SQLite would make what it puts beside the file as unwritable, and leave it there.
        raise DatabaseUnavailable(
            f"the database {database.path} can't be written; make file and folder writable"
        )
    with database.untouched() as connection:
        (found,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and found in (0, APPLICATION_ID):
        # A process that was ended while it made the database leaves a file without any table.
        _make(database)
    elif found != APPLICATION_ID:
        raise SettingsError(
            f"{database.path} is a database of another program; name another file with --database",
            code="settings.database",
        )


def _check_revision(database: Database) -> None:
    found = revision_of(database)
    if found == newest_revision():
        return
    if found in known_revisions():
        raise SettingsError(
            f"{database.path} is of an older version; run `journey migrate` (it backs up first)",
            code="settings.database",
        )
    if found is None:
        raise SettingsError(
            f"{database.path} doesn't say which version it is of; restore it from a backup",
            code="settings.database",
        )
    raise SettingsError(
        f"{database.path} is of a newer version of the engine; install that version",
        code="settings.database",
    )


def revision_of(database: Database) -> str | None:
    """The revision a database is at."""
    with database.read() as connection:
        tables = connection.exec_driver_sql(
            "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
        ).scalar_one()
        if not tables:
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def known_revisions() -> tuple[str, ...]:
    """Every revision this version knows, oldest first: the names of the migrations' files."""
    folder = Path(__file__).parent / "migrations" / "versions"
    return tuple(sorted(path.stem.partition("_")[0] for path in folder.glob("[0-9]*.py")))


def newest_revision() -> str:
    """The revision this version works with."""
    return known_revisions()[-1]


def migrate(database: Database, now: int) -> Path | None:
    """Bring a database up to date, after a backup beside it; None if there was nothing to do.

    ``database`` is as :func:`find_database` gives it. Returns the backup's path. Raises
    :class:`SettingsError` for a newer database.
    """
    if revision_of(database) == newest_revision():
        return None
    if revision_of(database) not in known_revisions():
        _check_revision(database)
    backup = database.path.with_name(f"{database.path.name}.backup-{now // 1_000_000}")
    with database.untouched() as source:
        backup.touch(mode=0o600)
        target = sqlite3.connect(backup)
        try:
            source.backup(target)
        finally:
            target.close()
    from alembic import command  # noqa: PLC0415 (a third of a second that only this command pays)

    command.upgrade(alembic_config(database.path), "head")
    return backup


def alembic_config(path: Path) -> Config:
    """Alembic's configuration for the database at ``path``."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}".replace("%", "%%"))
    return config
