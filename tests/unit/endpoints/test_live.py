from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.steps.terms import DEFAULT_TERMS
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.endpoints import store
from engine.endpoints.live import LiveEndpoints
from engine.endpoints.model import Endpoint
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    yield database
    database.close()


def save(database: Database, **fields: object) -> None:
    endpoint = Endpoint.model_validate({"name": "crm", "base_url": "https://a.example"} | fields)
    with database.write() as connection:
        store.save(connection, endpoint, now=1, actor="ada")


def test_an_edit_holds_for_the_next_read(database: Database) -> None:
    live = LiveEndpoints()
    save(database)
    with database.read() as connection:
        assert live.terms(connection) == {"crm": DEFAULT_TERMS}
    save(database, timeout="1s", concurrency=3, delivery="at_most_once")
    with database.read() as connection:
        assert live.terms(connection)["crm"].timeout_us == 1_000_000
    assert live.concurrency("crm") == 3
    assert live.at_most_once("crm")


def test_an_unknown_endpoint_has_the_defaults() -> None:
    live = LiveEndpoints()
    assert (live.concurrency("crm"), live.pause("crm"), live.at_most_once("crm")) == (100, 0, False)


def test_a_rate_is_kept_over_edits_of_other_settings(database: Database) -> None:
    now = 0.0
    live = LiveEndpoints(lambda: now)
    save(database, rate_limit={"count": 2, "per": "10s"})
    with database.read() as connection:
        live.terms(connection)
    assert [live.pause("crm") for _ in range(2)] == [0.0, 0.0]
    save(database, rate_limit={"count": 2, "per": "10s"}, concurrency=5)
    with database.read() as connection:
        live.terms(connection)
    assert 10.0 <= live.pause("crm") <= 10.5
    now = 11.0
    assert live.pause("crm") == 0.0
    save(database)
    with database.read() as connection:
        live.terms(connection)
    assert [live.pause("crm") for _ in range(9)] == [0.0] * 9
