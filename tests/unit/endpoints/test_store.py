from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from engine.db.schema import open_database
from engine.endpoints import store
from engine.endpoints.model import Endpoint
from engine.errors import NotFound
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = open_database(database_url(tmp_path))
    with database.write() as connection:
        yield connection
    database.close()


def save(connection: Connection, **fields: object) -> tuple[str, ...]:
    endpoint = Endpoint.model_validate({"name": "crm", "base_url": "https://a.example"} | fields)
    return store.save(connection, endpoint, now=7, actor="ada")


def add_profile(connection: Connection, name: str) -> int:
    added = connection.exec_driver_sql(
        "INSERT INTO auth_profiles (name, title, kind, settings, origins, version, inline,"
        " changed_at) VALUES (?, '', 'bearer', '{}', '[]', 1, FALSE, 0) RETURNING id",
        (name,),
    )
    return int(added.scalar_one())


def audit(connection: Connection) -> list[tuple[str, str, str]]:
    rows = connection.exec_driver_sql("SELECT actor, verb, fields FROM audit ORDER BY id")
    return [(row[0], row[1], row[2]) for row in rows]


def test_a_saved_endpoint_reads_back_and_its_change_raises_the_version(
    connection: Connection,
) -> None:
    assert save(connection) == ("created",)
    assert store.load(connection, "crm").version == 1
    assert save(connection, timeout="5s", concurrency=7) == ("timeout", "concurrency")
    stored = store.load(connection, "crm")
    assert stored.version == 2
    assert stored.endpoint.concurrency == 7
    assert audit(connection) == [
        ("ada", "create", "base_url, auth"),
        ("ada", "update", "timeout, concurrency"),
    ]


def test_saving_the_same_changes_nothing_and_leaves_no_audit_row(connection: Connection) -> None:
    fields = {"retry": {"when": ["5xx", "429", "timeout"]}, "success": {"when": "response.body.ok"}}
    save(connection, **fields)
    assert save(connection, **fields) == ()
    assert store.load(connection, "crm").version == 1
    assert len(audit(connection)) == 1


def test_a_profile_is_assigned_and_taken_away(connection: Connection) -> None:
    profile = add_profile(connection, "crm-token")
    save(connection)
    assert save(connection, auth="crm-token") == ("auth",)
    assert store.load(connection, "crm").profile_id == profile
    assert [s.endpoint.name for s in store.using_profile(connection, "crm-token")] == ["crm"]
    assert save(connection, auth="none") == ("auth",)
    assert store.load(connection, "crm").profile_id is None


def test_a_profile_that_does_not_exist_is_named_with_the_nearest(connection: Connection) -> None:
    add_profile(connection, "crm-token")
    with pytest.raises(NotFound, match="did you mean `crm-token`"):
        save(connection, auth="crm-tokn")


def test_a_lost_profile_is_remembered_until_another_is_assigned(connection: Connection) -> None:
    add_profile(connection, "crm-token")
    save(connection, auth="crm-token")
    assert store.lose_profile(connection, "crm-token", now=8, actor="ann") == ("crm",)
    assert store.load(connection, "crm").auth_lost == "crm-token"
    assert save(connection, timeout="5s") == ("timeout",)
    assert save(connection, timeout="5s") == ()
    assert store.load(connection, "crm").auth_lost == "crm-token"
    assert save(connection, timeout="5s", auth="none") == ("auth",)
    assert store.load(connection, "crm").auth_lost is None


def test_an_unknown_endpoint_is_named_with_the_nearest(connection: Connection) -> None:
    save(connection)
    with pytest.raises(NotFound, match="did you mean `crm`"):
        store.load(connection, "crn")
    with pytest.raises(NotFound):
        store.delete(connection, "crn", now=1, actor="ada")


def test_an_id_is_never_used_twice(connection: Connection) -> None:
    save(connection)
    first = store.load(connection, "crm").id
    store.delete(connection, "crm", now=1, actor="ada")
    save(connection)
    assert store.load(connection, "crm").id > first


def test_use_is_by_the_newest_version_and_by_versions_with_users_inside(
    connection: Connection,
) -> None:
    save(connection)
    for number, inside in ((1, 0), (2, 3), (3, 0)):
        connection.exec_driver_sql(
            "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (?, 'welcome', ?, '', '', FALSE, 0, '')",
            (number, number),
        )
        connection.exec_driver_sql(
            "INSERT INTO version_endpoints (endpoint, version_id, step) VALUES ('crm', ?, 'b'),"
            " ('crm', ?, 'a')",
            (number, number),
        )
        for user in range(inside + 1):
            ended = user == inside
            connection.exec_driver_sql(
                "INSERT INTO enrollments (bucket, id, user_id, journey, key, slot, version_id,"
                " run_id, state, reason, position, started, entered_at, ended_at, outcome, data)"
                " VALUES (0, ?, ?, 'welcome', '', ?, ?, 1, ?, 0, 0, 0, 0, ?, ?, '{}')",
                (
                    number * 10 + user,
                    f"u{user}",
                    number * 10 + user if ended else 0,
                    number,
                    2 if ended else 1,
                    1 if ended else None,
                    "completed" if ended else None,
                ),
            )
    uses = store.step_uses(connection, "crm")
    assert [(use.version, use.newest, use.users_inside) for use in uses] == [
        (2, False, 3),
        (3, True, 0),
    ]
    assert uses[0].steps == ("a", "b")
