"""Making a database, and refusing one that isn't ours or isn't of this version."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table
from sqlalchemy.exc import DBAPIError

from engine import clock
from engine.db import postgresql_schema, sqlite_file
from engine.db.connect import Database
from engine.db.sqlite_file import APPLICATION_ID
from engine.errors import DatabaseUnavailable, EngineError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config

    from engine.db.connect import Connection

__all__ = ["APPLICATION_ID", "find_database", "migrate", "open_database", "revision_of"]

_REVISION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic keeps the revision, as it would make it."""


def open_database(url: str, *, create: bool = True) -> Database:
    """The database at ``url``, made silently if there is none (unless ``create`` is False).

    Raises :class:`SettingsError` (exit 78) for one that is foreign, damaged, newer or older than
    this version, :class:`DatabaseUnavailable` (exit 5) where it can't be reached or written.
    """
    with _closed_if_refused(Database(url)) as database:
        if not database_exists(database):
            if not create:
                raise _missing(database)
            if database.is_file:
                sqlite_file.make_file(database.path)
                _make(database)
                return database  # opening and closing the file once more would end SQLite's locks
            _make(database)
        _require_ours(database)
        _check_revision(database)
        _require_key(database)
        return database


def find_database(url: str) -> Database:
    """The database at ``url``, of whatever version. Raises as :func:`open_database` does."""
    with _closed_if_refused(Database(url)) as database:
        if not database_exists(database):
            raise _missing(database)
        _require_ours(database)
        return database


@contextmanager
def _closed_if_refused(database: Database) -> Iterator[Database]:
    try:
        yield database
    except EngineError:
        database.close()
        raise


def _missing(database: Database) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"there is no database at {database.name}; run `journey apply` or"
        " `run-journey --live` first, or name it with --database"
    )


def database_exists(database: Database) -> bool:
    """Whether there is a file with something in it, or a schema with a table in it, whosever."""
    if database.is_file:
        return sqlite_file.is_there(database.path)
    return postgresql_schema.is_there(database)


def _require_ours(database: Database) -> None:
    if not database.is_file:
        postgresql_schema.require_ours(database)
    elif not sqlite_file.require_ours(database):
        _make(database)


def _make(database: Database) -> None:
    """Make the tables; of two processes that start at once, the second finds the first one's."""
    if not database.is_file:
        with postgresql_schema.faster_one_wins(), database.write(alone=False) as connection:
            _REVISION.create(connection, checkfirst=False)  # where the slower one waits
            postgresql_schema.require_encoding(connection, database)
            _fill(connection)
        return
    with database.write() as connection:
        if not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
            _REVISION.create(connection, checkfirst=False)
            _fill(connection)


def _fill(connection: Connection) -> None:
    # A fifth of a second that only whoever makes a database pays.
    from engine.db.tables import metadata  # noqa: PLC0415

    metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(
        "INSERT INTO installation (id, key, made_at) VALUES (1, ?, ?)",
        (secrets.token_hex(16), clock.wall()),
    )
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (newest_revision(),))


def _check_revision(database: Database) -> None:
    found = revision_of(database)
    if found == newest_revision():
        return
    if found in known_revisions():
        backup = "it backs up first" if database.is_file else "back up first, with pg_dump"
        raise SettingsError(
            f"{database.name} is of an older version; run `journey migrate` ({backup})",
            code="settings.database",
        )
    if found is None:
        raise SettingsError(
            f"{database.name} doesn't say which version it is of; restore it from a backup",
            code="settings.database",
        )
    raise SettingsError(
        f"{database.name} is of a newer version of the engine; install that version",
        code="settings.database",
    )


def _require_key(database: Database) -> None:
    """Without the one row of ``installation`` no call has a key, and writers have no turn."""
    with database.read() as connection:
        try:
            there = connection.exec_driver_sql("SELECT 1 FROM installation").first()
        except DBAPIError:  # what it lacks besides, `journey doctor` says
            return
        if there is None:
            raise SettingsError(
                f"{database.name} lacks the row of its table installation;"
                " restore it from a backup",
                code="settings.database",
            )


def revision_of(database: Database) -> str | None:
    """The revision a database is at."""
    with database.read() as connection:
        if database.is_file:
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars()
            tables: set[str] = set(names)
        else:
            tables = postgresql_schema.tables(connection)
        if "alembic_version" not in tables:
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def known_revisions() -> tuple[str, ...]:
    """Every revision this version knows, oldest first: the names of the migrations' files."""
    folder = Path(__file__).parent / "migrations" / "versions"
    return tuple(sorted(path.stem.partition("_")[0] for path in folder.glob("[0-9]*.py")))


def newest_revision() -> str:
    """The revision this version works with."""
    return known_revisions()[-1]


@dataclass(frozen=True, slots=True)
class Migrated:
    """A database that was brought up to date. ``backup`` is the file as it was before; None for
    PostgreSQL, whose backups are its operator's.
    """

    backup: Path | None


def migrate(database: Database, now: int) -> Migrated | None:
    """Bring a database up to date, a file after a backup beside it; None if there was nothing to
    do.

    ``database`` is as :func:`find_database` gives it. Raises :class:`SettingsError` for a newer
    database.
    """
    if revision_of(database) == newest_revision():
        return None
    if revision_of(database) not in known_revisions():
        _check_revision(database)
    from alembic import command  # noqa: PLC0415 (a third of a second that only this command pays)

    if not database.is_file:
        with database.write() as connection:  # everything or nothing; a second one waits
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return Migrated(None)
    backup = database.path.with_name(f"{database.path.name}.backup-{now // 1_000_000}")
    sqlite_file.copy(database, backup)
    command.upgrade(alembic_config(database.path), "head")
    return Migrated(backup)


def alembic_config(path: Path | None = None) -> Config:
    """Alembic's configuration for the SQLite file at ``path``; without one, for the connection that
    the caller puts into its attributes.
    """
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if path is not None:
        config.set_main_option("sqlalchemy.url", f"sqlite:///{path}".replace("%", "%%"))
    return config
