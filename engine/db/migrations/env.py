"""How alembic runs here: one connection, one transaction, SQLite's way of altering tables."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import engine.db.tables  # noqa: F401

config = context.config
url = config.get_main_option("sqlalchemy.url")
assert url is not None  # noqa: S101
with create_engine(url).connect() as connection:
    context.configure(
        connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()
