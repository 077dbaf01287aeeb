"""The stored contact policy: kept current, and refused where it can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.dsl.contact_policy import ContactPolicy
from engine.core.interpreter.contact import PolicyInForce
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.endpoints.contact_policy import LivePolicy, load, save
from engine.endpoints.live import LiveEndpoints
from engine.errors import SettingsError
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

POLICY = ContactPolicy.model_validate(
    {
        "suppress": "user.gone",
        "quiet_hours": {"from": "22:00", "to": "08:00", "then": "skip"},
        "frequency_cap": [{"count": 3, "per": "P7D"}],
        "holdout": {"percent": 2.5},
    }
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    yield database
    database.close()


def keep(database: Database, policy: ContactPolicy | None) -> tuple[str, tuple[str, ...]]:
    with database.write() as connection:
        return save(connection, policy, now=1, actor="ada")


def test_what_is_stored_is_what_was_said(database: Database) -> None:
    assert keep(database, None) == ("unchanged", ())
    assert keep(database, POLICY)[0] == "created"
    with database.read() as connection:
        stored = load(connection)
    assert stored.policy is not None
    assert stored.policy.model_dump(mode="json") == POLICY.model_dump(mode="json")
    assert keep(database, POLICY) == ("unchanged", ())


def test_a_change_is_in_force_at_the_next_look(database: Database) -> None:
    in_force = PolicyInForce()
    live = LivePolicy(in_force)
    endpoints = LiveEndpoints(policy=in_force)
    seen = []
    for policy in (POLICY, POLICY.model_copy(update={"holdout": None}), None, POLICY):
        keep(database, policy)
        with database.read() as connection:
            live.look(connection)
            endpoints.terms(connection)
        kept = in_force.policy
        seen.append(None if kept is None else kept.model_dump(exclude_defaults=True).keys())
    every = ["suppress", "quiet_hours", "frequency_cap", "holdout"]
    assert [None if one is None else list(one) for one in seen] == [every, every[:3], None, every]


def test_a_policy_that_cant_be_read_says_what_to_do(database: Database) -> None:
    keep(database, POLICY)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE contact_policy SET policy = '{\"new\": 1}'")
    with database.read() as connection, pytest.raises(SettingsError, match="apply its file again"):
        load(connection)
