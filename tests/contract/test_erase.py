"""Erasing a person: from every table, out of the file, by whoever owns him."""

from __future__ import annotations

import random
import sqlite3
import threading

import pytest

from engine.clock import wall
from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Database
from engine.db.tables import metadata
from engine.db.vacuum import drop_empty_pages, empty_log, rewrite
from engine.enrollments.buckets import acquire
from engine.operations.erase import HELD, Asked, ask, carry_out, erase, held, pseudonym, wait
from tests.contract.people import NOW, add_everything

OF_NOBODY = {"schedule_fires", "step_counts", "buckets", "bucket_orders"}
"""Tables with a bucket that hold nothing of a single user: numbers, who owns whom, how far orders
have been carried out."""

ONE_OF_EACH = dict.fromkeys(HELD, 1)


def counts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in (*HELD, *OF_NOBODY)
        }


def test_every_table_that_can_hold_something_of_a_user_is_emptied_of_him() -> None:
    """A new table with a bucket, a user or an enrollment belongs into HELD, or into OF_NOBODY."""
    theirs = {
        name
        for name, table in metadata.tables.items()
        if {"bucket", "user_id", "enrollment", "enrollment_id"} & set(table.columns.keys())
    }
    assert theirs - OF_NOBODY == set(HELD)


def test_everything_of_a_user_goes_and_of_nobody_else(database: Database) -> None:
    twin = next(f"v{n}" for n in range(9_999) if bucket_of(f"v{n}") == bucket_of("u"))
    with database.write() as connection:
        for number, user in enumerate(["u", twin, "w"], 1):
            add_everything(connection, user, number)
        before = held(connection, "u")
        assert erase(connection, bucket_of("u"), "u") == before == ONE_OF_EACH
        assert erase(connection, bucket_of("u"), "u") == dict.fromkeys(HELD, 0)
        assert held(connection, twin) == held(connection, "w") == ONE_OF_EACH
    of_nobody = dict.fromkeys(OF_NOBODY, 0) | {"step_counts": 3}
    assert counts(database) == dict.fromkeys(HELD, 2) | of_nobody


def test_the_audit_log_tells_of_it_by_a_keyed_hash_and_never_by_the_id(database: Database) -> None:
    with database.write() as connection:
        add_everything(connection, "ada@example.com", 1)
        carry_out(connection, "ada@example.com", '{"actor":"root"}', now=NOW)
        once, row = (row._asdict() for row in connection.exec_driver_sql("SELECT * FROM audit"))
        assert once["name"] == pseudonym(connection, "anon:ada@example.com")
        assert (once["verb"], once["fields"]) == ("erase", "")
        name = pseudonym(connection, "ada@example.com")
        assert name == pseudonym(connection, "ada@example.com") != pseudonym(connection, "bob")
        connection.exec_driver_sql("UPDATE installation SET key = ?", ("ab" * 16,))
        assert pseudonym(connection, "ada@example.com") != name
    assert (row["at"], row["actor"], row["verb"], row["kind"]) == (NOW, "root", "erase", "user")
    assert row["name"] == name
    assert "facts 1" in row["fields"]
    assert "ada" not in str(row)


def test_where_nobody_works_it_is_done_at_once(database: Database) -> None:
    with database.write() as connection:
        add_everything(connection, "u", 1)
    asked = ask(database, "u", actor="root", now=wall())
    assert wait(database, asked, now=wall(), patience_s=0) == ONE_OF_EACH
    assert not any(count for table, count in counts(database).items() if table in HELD)
    acquire(database).release()  # nobody holds it any more


def test_who_asks_waits_for_the_worker_that_owns_the_user(database: Database) -> None:
    with database.write() as connection:
        add_everything(connection, "u", 1)
    buckets = acquire(database)
    asked = ask(database, "u", actor="root", now=wall())
    assert wait(database, asked, now=wall(), patience_s=0) is None
    assert counts(database)["users"] == 1

    def work() -> None:
        """A worker's turn: it takes the row of the inbox, and does what it says."""
        with database.write() as connection:
            user, data = connection.exec_driver_sql(
                "SELECT user_id, data FROM inbox WHERE kind = 3"
            ).one()
            carry_out(connection, user, data, now=wall())

    turn = threading.Timer(0.05, work)
    turn.start()
    assert wait(database, asked, now=wall(), patience_s=30) == ONE_OF_EACH
    turn.join()
    buckets.release()


def test_an_earlier_erasure_of_the_same_user_is_no_answer(database: Database) -> None:
    with database.write() as connection:
        add_everything(connection, "u", 1)
        carry_out(connection, "u", "{}", now=NOW)
        add_everything(connection, "u", 2)
    asked = ask(database, "u", actor="root", now=wall())
    assert wait(database, asked, now=wall(), patience_s=0) == ONE_OF_EACH


def test_a_wish_that_nobody_waits_for_stays_until_somebody_works(database: Database) -> None:
    with database.write() as connection:
        add_everything(connection, "u", 1)
    buckets = acquire(database)
    asked = ask(database, "u", actor="root", now=wall())
    assert wait(database, asked, now=wall(), patience_s=0) is None
    buckets.release()
    later = ask(database, "u", actor="root", now=wall())
    assert wait(database, later, now=wall(), patience_s=0) == ONE_OF_EACH
    assert counts(database)["inbox"] == 0
    assert isinstance(asked, Asked)


# --- the bytes -------------------------------------------------------------------------------


def _bytes(database: Database) -> bytes:
    folder = database.path.parent
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def _erase(database: Database, user: str) -> None:
    with database.write() as connection:
        erase(connection, bucket_of(user), user)


def test_the_id_is_nowhere_in_the_files_once_the_log_is_emptied(database: Database) -> None:
    user = "ada.lovelace.1815@example.com"
    with database.write() as connection:
        add_everything(connection, "somebody", 1)
        add_everything(connection, user, 2)
    assert _bytes(database).count(user.encode()) > 10
    _erase(database, user)
    assert user.encode() in _bytes(database)  # in the log
    assert empty_log(database)
    assert user.encode() not in _bytes(database)


def test_pages_that_are_empty_behind_erased_users_are_no_part_of_the_file(
    database: Database,
) -> None:
    users = [f"user-{n:06d}@example.com" for n in range(300)]
    with database.write() as connection:
        for number, user in enumerate(users, 1):
            add_everything(connection, user, number)
    gone = users[:100]
    for user in gone:
        _erase(database, user)
    assert empty_log(database)
    assert any(user.encode() in _bytes(database) for user in gone)
    drop_empty_pages(database)
    assert empty_log(database)
    left = _bytes(database)
    assert not [user for user in gone if user.encode() in left]


def test_what_pages_that_were_moved_around_keep_is_gone_with_the_file_written_anew(
    database: Database,
) -> None:
    lots = random.Random(1)
    users = [f"user-{n:06d}@example.com" for n in range(600)]
    with database.write() as connection:
        for number, user in enumerate(users, 1):
            add_everything(connection, user, number)
    for _ in range(10):
        with database.write() as connection:
            for user in lots.sample(users, 300):
                connection.exec_driver_sql(
                    "UPDATE users SET attributes = ? WHERE bucket = ? AND id = ?",
                    (user * lots.randrange(40), bucket_of(user), user),
                )
    gone = users[::3]
    for user in gone:
        _erase(database, user)
    rewrite(database)
    assert empty_log(database)
    left = _bytes(database)
    assert not [user for user in gone if user.encode() in left]
    assert all(user.encode() in left for user in users[1::3])


def test_the_log_isnt_emptied_while_somebody_reads_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.db.sqlite.BUSY_TIMEOUT_MS", 10)
    reader = sqlite3.connect(database.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM users").fetchone()
    with database.write() as connection:
        add_everything(connection, "u", 1)
    assert not empty_log(database)
    reader.close()
    assert empty_log(database)
