"""A PostgreSQL database: made in an empty one, refused where it isn't ours, errors in one line."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from engine.cli.main import main
from engine.db import schema
from engine.db.connect import Connection, Database
from engine.db.health import lacking
from engine.db.marks import marked
from engine.db.schema import alembic_config, find_database, migrate, open_database, revision_of
from engine.errors import DatabaseUnavailable, EngineError, SettingsError
from engine.operations.checks import Check, reading
from tests.forked import Popen
from tests.postgresql import Server, running_server

ROOT = Path(__file__).parents[2]
SECRET = "pass-word-of-the-role-7"


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    """An empty database."""
    made = postgresql.create(empty=True)
    yield made
    postgresql.drop(made)


@pytest.fixture
def database(postgresql: Server) -> Iterator[Database]:
    made = postgresql.create()
    with closing(open_database(made)) as database:
        yield database
    postgresql.drop(made)


def execute(server: Server, url: str, *statements: str) -> None:
    with closing(server.connect(url.rpartition("/")[2])) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def refused(url: str, kind: type[EngineError]) -> str:
    with (
        pytest.raises(kind) as caught,
        closing(open_database(url)) as database,
        database.write() as connection,
    ):
        connection.exec_driver_sql("UPDATE installation SET clock = 'real'")
    assert "\n" not in caught.value.message
    return caught.value.message


# --- made, and recognised --------------------------------------------------------------------


def test_an_empty_database_is_made_silently_and_found_again(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="there is no database"):
        open_database(url, create=False)
    with closing(open_database(url)) as made, made.read() as connection:
        key = connection.exec_driver_sql("SELECT key FROM installation").scalar_one()
        assert revision_of(made) == schema.newest_revision()
    with closing(open_database(url, create=False)) as found, found.read() as connection:
        assert connection.exec_driver_sql("SELECT key FROM installation").scalar_one() == key


def test_processes_that_start_together_make_one_database(url: str) -> None:
    program = (
        "import sys; from engine.db.schema import open_database\n"
        "d = open_database(sys.argv[1])\n"
        "with d.read() as c: print(c.exec_driver_sql('SELECT key FROM installation').scalar())"
    )
    processes = [
        Popen(
            [sys.executable, "-c", program, url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert len({out for out, _ in said}) == 1


def test_a_database_of_another_program_is_refused_and_left_alone(
    postgresql: Server, url: str
) -> None:
    execute(postgresql, url, "CREATE TABLE cookies (name text)")
    assert "of another program" in refused(url, SettingsError)
    execute(postgresql, url, "CREATE TABLE alembic_version (version_num text)")
    assert "of another program" in refused(url, SettingsError)


def test_a_database_of_another_encoding_is_refused(postgresql: Server) -> None:
    with closing(postgresql.connect()) as connection:
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    assert "ENCODING 'UTF8'" in refused(postgresql.url("latin"), SettingsError)


def test_newer_and_older_databases_are_refused(postgresql: Server, database: Database) -> None:
    for version, said in (("9999", "newer version"), ("0001", "pg_dump")):
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (version,))
        url = postgresql.url(database.name.rpartition("/")[2])
        assert said in refused(url, SettingsError)
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    assert "doesn't say" in refused(url, SettingsError)


def test_a_database_without_its_installation_is_refused(
    postgresql: Server, database: Database
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM installation")
    url = postgresql.url(database.name.rpartition("/")[2])
    assert "lacks the row of its table installation" in refused(url, SettingsError)


_COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, collation_name, column_default
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT tablename, indexname, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
"""


def _shape(database: Database) -> set[tuple[Any, ...]]:
    with database.read() as connection:
        return {tuple(row) for row in connection.exec_driver_sql(_COLUMNS)}


def test_a_made_and_a_migrated_database_are_the_same(database: Database, url: str) -> None:
    from alembic import command

    with closing(Database(url)) as migrated:
        with migrated.write(alone=False) as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
            connection.exec_driver_sql(
                "INSERT INTO installation (id, key, made_at) VALUES (1, 'k', 1)"
            )
        found = find_database(url)
        assert migrate(found, 1) == schema.Migrated(None)
        assert migrate(found, 1) is None
        found.close()
        assert _shape(migrated) == _shape(database)


# --- reading and writing ---------------------------------------------------------------------


def test_a_read_is_of_one_moment(database: Database) -> None:
    with database.read() as reading:
        before = reading.exec_driver_sql("SELECT clock FROM installation").scalar()
        with database.write() as writing:
            writing.exec_driver_sql("UPDATE installation SET clock = 'real'")
        assert reading.exec_driver_sql("SELECT clock FROM installation").scalar() == before
    with database.read() as reading:
        assert reading.exec_driver_sql("SELECT clock FROM installation").scalar() == "real"


def test_reading_and_then_writing_loses_no_update(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (bucket, id, attributes) VALUES (1, 'n', '0')"
        )

    def work() -> None:
        for _ in range(25):
            with database.write() as connection:
                n = connection.exec_driver_sql("SELECT attributes FROM users").scalar_one()
                connection.exec_driver_sql("UPDATE users SET attributes = ?", (str(int(n) + 1),))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT attributes FROM users").scalar_one() == "100"


def test_who_settles_row_by_row_is_not_held_up_by_other_writers(database: Database) -> None:
    with database.write() as alone, database.write(alone=False) as other:
        alone.exec_driver_sql("INSERT INTO users (bucket, id, attributes) VALUES (1, 'a', '{}')")
        other.exec_driver_sql("INSERT INTO users (bucket, id, attributes) VALUES (1, 'b', '{}')")


def test_an_error_that_is_none_of_the_databases_passes_unchanged(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:  # noqa: PT012
        connection.exec_driver_sql("UPDATE installation SET clock = 'real'")
        raise ZeroDivisionError
    with database.read() as connection:
        clock = connection.exec_driver_sql("SELECT clock FROM installation").scalar()
    assert clock is None, "and the transaction is rolled back"


def test_texts_are_ordered_by_code_point_and_sums_are_whole_numbers(database: Database) -> None:
    names = ["a", "B", "ä", "Z", "b"]
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO attributes (name, type, changed_at) VALUES (?, 'text', 5)",
            [(name,) for name in names],
        )
        found = connection.exec_driver_sql("SELECT name FROM attributes ORDER BY name").scalars()
        assert list(found) == sorted(names)
        total = connection.exec_driver_sql("SELECT sum(changed_at) FROM attributes").scalar_one()
        assert (total, type(total)) == (25, int)


# --- marks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("SELECT ?, ?", "SELECT %s, %s"),
        ("SELECT ?2, ?1, ?2", "SELECT %(2)s, %(1)s, %(2)s"),
        ("SELECT '?', '%', 'it''s ?', ?", "SELECT '?', '%%', 'it''s ?', %s"),
        ('SELECT "a?" -- why?\n, ? /* ? */', 'SELECT "a?" -- why?\n, %s /* ? */'),
        ("x LIKE '%a' AND y % 2 = ?", "x LIKE '%%a' AND y %% 2 = %s"),
    ],
)
def test_marks_are_translated_and_nothing_else(written: str, sent: str) -> None:
    assert marked(written).text == sent


def test_numbered_and_plain_marks_are_not_mixed() -> None:
    with pytest.raises(ValueError, match=r"\?1"):
        marked("SELECT ?, ?1")


def test_statements_with_marks_are_run(database: Database) -> None:
    with database.read() as connection:
        row = connection.exec_driver_sql(
            "SELECT ?1::int + ?1::int, '?%', ?2::text", (2, "it's % ?")
        ).one()
        assert tuple(row) == (4, "?%", "it's % ?")
        assert connection.exec_driver_sql("SELECT 5 % 3, '%'").one() == (2, "%")
        assert connection.execute(text("SELECT 1 + :n"), {"n": 1}).scalar() == 2


# --- out of reach ----------------------------------------------------------------------------


def test_a_database_out_of_reach_is_named_without_its_password(postgresql: Server) -> None:
    here = f"127.0.0.1:{postgresql.port}"
    cases = {
        f"postgresql://ann:{SECRET}@127.0.0.1:1/db": (DatabaseUnavailable, "can't be reached"),
        f"postgresql://ann:{SECRET}@no.such.host.invalid/db": (DatabaseUnavailable, "can't be"),
        f"postgresql://ann:{SECRET}@{here}/postgres": (SettingsError, 'role "ann"'),
        f"postgresql://postgres:{SECRET}@{here}/none": (SettingsError, 'database "none"'),
        f"postgresql://ann:{SECRET}@{here}": (SettingsError, "names no database"),
        f"postgresql://{here}/db?password={SECRET}&user=ann": (SettingsError, 'role "ann"'),
        f"postgresql://{here}/db?no_such_option={SECRET}": (
            SettingsError,
            "invalid connection option",
        ),
    }
    for url, (kind, said) in cases.items():
        message = refused(url, kind)
        assert said in message
        assert SECRET not in message


def test_a_missing_driver_is_one_line_and_exit_78(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    code = main(["endpoints", "list", "--database", "postgresql://ann@127.0.0.1:1/db"])
    said = capsys.readouterr().err
    assert code == 78
    assert "pip install 'journey-engine[postgres]'" in said
    assert len(said.splitlines()) == 1


def test_a_read_only_database_is_unavailable(postgresql: Server, database: Database) -> None:
    name = database.name.rpartition("/")[2]
    execute(
        postgresql, "/postgres", f"ALTER DATABASE {name} SET default_transaction_read_only = on"
    )
    assert "read-only" in refused(postgresql.url(name), DatabaseUnavailable)


def test_a_role_that_may_not_write_is_told_so(postgresql: Server, database: Database) -> None:
    name = database.name.rpartition("/")[2]
    execute(postgresql, name, "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
    execute(postgresql, name, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    url = postgresql.url(name).replace("postgres@", "reader@")
    assert "permission denied" in refused(url, SettingsError)


def test_a_lock_that_lasts_is_waited_for_and_then_named(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE installation SET clock = 'real'")
        with (  # noqa: PT012
            pytest.raises(DatabaseUnavailable, match="locked by another"),
            database.write(alone=False) as other,
        ):
            other.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            other.exec_driver_sql("UPDATE installation SET clock = 'virtual'")
        with pytest.raises(DatabaseUnavailable, match="locked"), database.write(within_s=0.05):
            pass


def test_who_finds_every_connection_in_use_is_told_so_and_the_next_one_gets_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("CONNECTIONS_KEPT", 1), ("MOST_CONNECTIONS", 2)):
        monkeypatch.setattr(f"engine.db.postgresql.{name}", value)
    monkeypatch.setattr("engine.db.postgresql.CONNECTION_WAIT_S", 0.05)
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(Database(url)) as small:
        with small.read(), small.write():
            for way in (small.read, small.write):
                with pytest.raises(DatabaseUnavailable, match="in use: look") as caught, way():
                    pass
                assert "\n" not in caught.value.message
        with small.write() as connection:
            connection.exec_driver_sql("SELECT 1")


def test_a_connection_that_is_ended_is_unavailable_and_the_next_one_works(
    postgresql: Server, database: Database
) -> None:
    with (  # noqa: PT012
        pytest.raises(DatabaseUnavailable, match="look whether the change was made"),
        database.write() as connection,
    ):
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        execute(postgresql, "/postgres", f"SELECT pg_terminate_backend({pid})")
        connection.exec_driver_sql("UPDATE installation SET clock = 'real'")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE installation SET clock = 'real'")


def test_a_restarted_server_is_found_again() -> None:
    with running_server() as server, closing(open_database(server.create())) as database:
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE installation SET clock = 'real'")
        server.stop()
        with pytest.raises(DatabaseUnavailable, match="can't be reached"), database.read():
            pass
        server.start()
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1


# --- the commands ----------------------------------------------------------------------------


def test_commands_work_on_it(
    database: Database,
    postgresql: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOURNEY_DATABASE_URL", postgresql.url(database.name.rpartition("/")[2]))
    (tmp_path / "e.yaml").write_text(
        "endpoints:\n  crm: {base_url: https://crm.example.com, auth: {kind: bearer,"
        " token: {seal_from_env: TOKEN}}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("TOKEN", SECRET)
    for command, said in {
        ("migrate",): "is up to date",
        ("apply", "e.yaml"): "2 created",
        ("endpoints", "list"): "crm.example.com",
        ("doctor",): "is sound",
        ("doctor", "--leaks"): "looked for",
        ("audit",): "create",
        ("config",): "JOURNEY_DATABASE_URL",
    }.items():
        code = main(list(command))
        out, err = capsys.readouterr()
        assert code == 0, (command, out, err)
        assert said in out + err, (command, out, err)
        assert SECRET not in out + err


def test_each_check_reads_by_itself_since_a_server_reads_nothing_behind_an_error(
    database: Database,
) -> None:
    def checks(connection: Connection, table: str) -> Iterator[Check]:
        yield Check("it", "ok", str(connection.exec_driver_sql(f"SELECT 1 FROM {table}").all()))

    found = [
        *reading("gone", database, checks, "no_such"),
        *reading("there", database, checks, "users"),
    ]
    assert [(each.name, each.state) for each in found] == [("gone", "wrong"), ("it", "ok")]


def test_what_a_database_lacks_is_named(database: Database) -> None:
    assert lacking(database) == ()
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE duties")
        connection.exec_driver_sql("ALTER TABLE endpoint_states DROP COLUMN change")
    assert set(lacking(database)) == {"duties", "endpoint_states.change"}
