"""What most contracts are tried on: a database of the kind that the test asks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from engine.db.connect import Database
from engine.db.schema import open_database
from tests.databases import database_url


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """Writes, and commits at the end of the test."""
    with database.write() as connection:
        yield connection
