"""How alembic runs here: one connection, one transaction, SQLite's way of altering tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context
from sqlalchemy import create_engine

from engine.db.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def migrate(connection: Connection) -> None:
    """Run the migrations in a transaction of ``connection``."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None  # noqa: S101
    with create_engine(url).connect() as opened:
        migrate(opened)
