"""Sessions: looked up with each request, over by time, by logging out, by what becomes of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.access import operators, sessions
from engine.access.tokens import digest
from engine.core.expressions.calendar import DAY, MINUTE
from engine.db.connect import Connection, Database
from engine.db.contents import every_row
from engine.db.schema import open_database
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

NOW = 1_700_000_000_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    with database.write() as connection:
        for name, role in (("ada", "admin"), ("bob", "admin"), ("eve", "viewer")):
            operators.add(connection, name, role, actor="root", now=NOW)
    yield database
    database.close()


def names(connection: Connection, *opened: str, now: int = NOW) -> list[str | None]:
    found = [sessions.find(connection, session, now) for session in opened]
    return [None if session is None else session.name for session in found]


def test_a_session_is_its_operators_and_no_other_text_is_one(connection: Connection) -> None:
    session = sessions.open_session(connection, 1, NOW)
    assert len(session) >= 43  # 256 bits
    assert names(connection, session, "", session[:-1], digest(session), "\ud800") == [
        "ada",
        *[None] * 4,
    ]
    assert sessions.open_session(connection, 1, NOW) != session


def test_the_database_holds_no_session(connection: Connection) -> None:
    session = sessions.open_session(connection, 1, NOW)
    for part in every_row(connection):
        assert session not in str(part.rows)


def test_a_session_without_requests_ends_and_one_with_requests_ends_a_day_later(
    database: Database,
) -> None:
    with database.write() as connection:
        session = sessions.open_session(connection, 1, NOW)
        idle = sessions.open_session(connection, 1, NOW)
        end = NOW + sessions.IDLE
        assert names(connection, session, now=end - 1) == ["ada"]
        assert names(connection, session, now=end) == [None]
    now = NOW
    while now < NOW + sessions.LONGEST:
        assert sessions.visit(database, session, now) is not None
        now += sessions.IDLE - 1
    assert sessions.visit(database, session, NOW + sessions.LONGEST) is None
    with database.write() as connection:
        assert names(connection, idle, now=end) == [None]
        assert sessions.forget_dead(connection, end) == 1
        assert sessions.forget_dead(connection, NOW + 2 * DAY) == 1


def test_a_request_is_noted_once_a_minute(database: Database) -> None:
    with database.write() as connection:
        session = sessions.open_session(connection, 1, NOW)

    def seen_after(pause: int) -> int:
        sessions.visit(database, session, NOW + pause)
        with database.read() as connection:
            found = sessions.find(connection, session, NOW)
            assert found is not None
            return found.seen_at - NOW

    assert seen_after(MINUTE - 1) == 0
    assert seen_after(MINUTE) == MINUTE
    assert seen_after(MINUTE + 5) == MINUTE


def test_logging_out_ends_a_session_and_logging_out_everywhere_all(connection: Connection) -> None:
    here, there, elsewhere = (sessions.open_session(connection, 1, NOW) for _ in range(3))
    other = sessions.open_session(connection, 2, NOW)
    sessions.close(connection, there)
    assert names(connection, here, there, elsewhere) == ["ada", None, "ada"]
    assert sessions.close_all(connection, 1, but=here) == 1
    assert names(connection, here, elsewhere, other) == ["ada", None, "bob"]
    assert operators.log_out(connection, "ada", actor="root", now=NOW) == 1
    assert names(connection, here, other) == [None, "bob"]


def test_a_rotated_session_has_another_id_and_the_same_end(connection: Connection) -> None:
    old = sessions.open_session(connection, 1, NOW)
    before = sessions.find(connection, old, NOW)
    new = sessions.rotate(connection, old, NOW + MINUTE)
    assert new is not None
    assert names(connection, old, new) == [None, "ada"]
    assert sessions.find(connection, new, NOW) == before
    assert sessions.rotate(connection, old, NOW) is None
    assert sessions.rotate(connection, new, NOW + sessions.IDLE) is None


def test_whoever_is_removed_or_becomes_something_else_is_out_at_once(
    connection: Connection,
) -> None:
    ada, bob, eve = (sessions.open_session(connection, who, NOW) for who in (1, 2, 3))
    operators.set_role(connection, "ada", "builder", actor="bob", now=NOW)
    operators.set_role(connection, "bob", "admin", actor="bob", now=NOW)  # what he is
    operators.remove(connection, "eve", actor="bob", now=NOW)
    assert names(connection, ada, bob, eve) == [None, "bob", None]


def test_another_password_ends_every_session_but_the_one_it_is_set_in(
    connection: Connection,
) -> None:
    here, there = (sessions.open_session(connection, 1, NOW) for _ in range(2))
    operators.set_password(connection, "ada", "a hash", actor="ada", now=NOW, but=here)
    assert names(connection, here, there) == ["ada", None]


def test_a_form_fits_its_session_only() -> None:
    token = sessions.csrf_token("one")
    assert sessions.csrf_fits("one", token)
    assert "one" not in token
    for session, given in (("two", token), ("one", ""), ("one", "\ud800"), ("one", token[:-1])):
        assert not sessions.csrf_fits(session, given)
