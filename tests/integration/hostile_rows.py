"""Hostile texts in the rows of whatever people give names to, behind whatever checks them first."""

from __future__ import annotations

from engine.clock import wall
from engine.core.dsl.load import load
from engine.core.guarded_json import text_of
from engine.db.connect import Connection, Database
from engine.errors import DefinitionError
from tests.integration.hostile_texts import HOSTILE

NAMES = tuple(dict.fromkeys(text.replace("\x00", "") for text in HOSTILE))
"""As names: no database has one with a NUL."""

SOURCE = """\
dsl: 1
journey: hostile
entry: {triggers: [{event: never}]}
steps:
  - {id: ask, type: call_api, endpoint: crm, path: /x}
  - {id: rest, type: wait, for: P1D}
"""
FIRST_VERSION, FIRST_PASSAGE = 900_000, 77_000_000


def put_doors(database: Database) -> None:
    """Webhooks, operators, API tokens; what is told of endpoints, whose names can't be hostile."""
    now = wall()
    with database.write() as connection:
        for number, name in enumerate(NAMES):
            mapping = {"user": name, "event": name, "when": name, "properties": {name: name}}
            connection.exec_driver_sql(
                "INSERT INTO hooks (name, preset, mapping, sealed, secret_version, changed_at)"
                " VALUES (?, ?, ?, '', 1, ?)",
                (name, name, text_of(mapping), now),
            )
            connection.exec_driver_sql(
                "INSERT INTO operators (name, role, created_at, created_by)"
                " VALUES (?, 'viewer', ?, ?)",
                (name, now, name),
            )
            connection.exec_driver_sql(
                "INSERT INTO api_tokens (name, kind, digest, hint, created_at, created_by,"
                " issued_at, expires_at) VALUES (?, 'journeys', ?, ?, ?, ?, ?, ?)",
                (name, f"digest {number}", name[:4], now, name, now, now + 86_400_000_000),
            )
            connection.exec_driver_sql(
                "INSERT INTO endpoints (name, settings, auth_lost, version, changed_at)"
                " VALUES (?, ?, ?, 1, ?)",
                (f"shut{number}", text_of({"base_url": "http://127.0.0.1:9/"}), name, now),
            )
            connection.exec_driver_sql(
                "INSERT INTO endpoint_states (endpoint, taken, shut_since, code, text, probe_at,"
                " paused_until, failures, change)"
                " VALUES (?, '{}', ?, ?, ?, ?, 0, '[]', 1)",
                (f"shut{number}", now, name, name, now),
            )


def put_journeys(database: Database) -> None:
    """Journeys of two versions, a user in each with a call that failed: nothing may work them."""
    with database.write() as connection:
        for number, name in enumerate(NAMES):
            _put_journey(connection, number, name)


def _readable(source: str) -> str:
    """It, if it can be published; else a text that can."""
    try:
        load(source.encode(), "hostile.yaml")
    except DefinitionError:
        return f"{SOURCE}# hostile\n"
    return source


def _put_journey(connection: Connection, number: int, name: str) -> None:
    now, version = wall(), FIRST_VERSION + 2 * number
    connection.exec_driver_sql(
        "INSERT INTO journeys (journey, state, since, change) VALUES (?, 'active', ?, 1)",
        (name, now),
    )
    for index in (0, 1):
        source = _readable(f"{SOURCE}description: {text_of(name)}\n") if index else SOURCE
        connection.exec_driver_sql(
            "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (?, ?, ?, ?, ?, FALSE, ?, ?)",
            (version + index, name, index + 1, name, source, now, name),
        )
    connection.exec_driver_sql(
        "INSERT INTO version_endpoints (endpoint, version_id, step) VALUES (?, ?, ?)",
        (name, version, name),
    )
    passage = FIRST_PASSAGE + number
    connection.exec_driver_sql(
        "INSERT INTO enrollments (bucket, id, user_id, journey, key, slot, version_id, run_id,"
        " state, reason, position, started, entered_at, ended_at, outcome, data)"
        " VALUES (0, ?, ?, ?, ?, ?, ?, 0, 2, 0, 0, 0, ?, ?, ?, '{}')",
        (passage, name, name, name, passage, version, now, now, name),
    )
    connection.exec_driver_sql(
        "INSERT INTO executions (bucket, enrollment, step, visit, redrive, status, failure, text,"
        " attempts, started_at, ended_at) VALUES (0, ?, 0, 0, 0, 2, ?, ?, 1, ?, ?)",
        (passage, name, name, now, now),
    )
    connection.exec_driver_sql(
        "INSERT INTO calls (bucket, enrollment, step, visit, redrive, run_id, endpoint, method,"
        " target, headers, body, key, attempts, tries, failure, finished_at)"
        " VALUES (0, ?, 0, 0, 0, 0, ?, ?, ?, '[]', ?, ?, 1, 1, ?, ?)",
        (passage, name, name, name, b"", name, name, now),
    )
    for kind, step, what in ((7, -1, ""), (5, -1, name), (0, 0, ""), (2, 0, name), (6, -1, name)):
        connection.exec_driver_sql(
            "INSERT INTO step_counts (bucket, run_id, version_id, step, kind, name, n, attempts)"
            " VALUES (0, 0, ?, ?, ?, ?, 1, 1)",
            (version, step, kind, what),
        )
