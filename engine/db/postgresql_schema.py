"""The schema of a PostgreSQL database: whether it is there, whether it is ours.

Ours is the first schema of the search path: ``public`` unless the URL or the role says otherwise.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from engine.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.db.connect import Connection, Database

_TABLES = """
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
  AND c.relkind IN ('r', 'p', 'f')
  AND NOT EXISTS (  -- what an extension brings is nobody's
    SELECT 1 FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
"""
_MARKS = frozenset({"alembic_version", "installation", "audit", "data_keys", "token_states"})
"""Tables that every version has; no other program has all of them."""
_MADE_MEANWHILE = frozenset({"23505", "42P07", "42710"})


def tables(connection: Connection) -> set[str]:
    """The tables of the schema that aren't an extension's."""
    return set(connection.exec_driver_sql(_TABLES).scalars())


def is_there(database: Database) -> bool:
    """Whether the schema has a table, whosever."""
    with database.read() as connection:
        return bool(tables(connection))


def require_ours(database: Database) -> None:
    """Raise SettingsError for a schema with another program's tables."""
    with database.read() as connection:
        found = tables(connection)
    if not found >= _MARKS:
        raise SettingsError(
            f"{database.name} is a database of another program; name an empty one with --database",
            code="settings.database",
        )


def require_encoding(connection: Connection, database: Database) -> None:
    """Raise SettingsError for a database that can't hold every text."""
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise SettingsError(
            f"{database.name} has the encoding {encoding}; name a database made with"
            " ENCODING 'UTF8'",
            code="settings.database",
        )


@contextmanager
def faster_one_wins() -> Iterator[None]:
    """What is made inside may have been made by another process meanwhile: then it stands."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _MADE_MEANWHILE:
            raise
