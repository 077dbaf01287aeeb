"""What is over of tokens, links, sessions and failed logins is forgotten, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.access import issuing, operators, sessions
from engine.access.forgetting import ENDED_TOKENS_US, forget
from engine.access.store import failed_logins
from engine.core.expressions.calendar import DAY, HOUR
from engine.db.schema import open_database
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

NOW = 1_700_000_000_000_000


def test_what_is_over_goes_and_the_rest_stays(tmp_path: Path) -> None:
    database = open_database(database_url(tmp_path))
    with database.write() as connection:
        for name, expires_at in (("over", NOW + DAY), ("live", None)):
            issuing.create(connection, name, "user_data", actor="a", now=NOW, expires_at=expires_at)
        for name in ("ada", "bob"):
            operators.add(connection, name, "admin", actor="a", now=NOW)
        operators.make_link(connection, "ada", actor="a", now=NOW)
        operators.make_link(connection, "bob", actor="a", now=NOW, life=10 * DAY)
        sessions.open_session(connection, 1, NOW)
        failed_logins.put(connection, "k", NOW + HOUR)
    assert forget(database, NOW) == ""
    told = "1 sessions, 1 login links, 1 throttled addresses and names"
    assert forget(database, NOW + 2 * DAY) == told
    assert forget(database, NOW + DAY + ENDED_TOKENS_US) == "1 login links"
    assert forget(database, NOW + DAY + ENDED_TOKENS_US + 1) == "1 API tokens"
    with database.read() as connection:
        left = issuing.listed(connection, NOW + 365 * DAY, ended=True)
    assert [(each.name, each.state) for each in left] == [("live", "live")]
    database.close()
