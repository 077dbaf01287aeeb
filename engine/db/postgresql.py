"""A PostgreSQL database: how it is named, how it is opened, and what its errors mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, String, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.compiler import compiles

from engine.db.marks import marked
from engine.errors import DatabaseUnavailable, SettingsError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine

DRIVER = "postgresql+psycopg"
LOCK_TIMEOUT_MS = 60_000
"""How long another one's lock is waited for: as long as on SQLite."""
CONNECTIONS_KEPT, MOST_CONNECTIONS = 8, 64
"""How many connections a process keeps open, and has at most: one for each thread that may wait for
a lock. That are forty of the API, eight of the console, the worker's, credentials' and duties'."""
CONNECTION_WAIT_S = 30.0
"""How long one is waited for once they are all in use."""
_CONNECTING = {
    "connect_timeout": "10",
    "application_name": "journey",
    "client_encoding": "utf8",
    # A server that went away without a word is noticed.
    "keepalives_idle": "30",
    "tcp_user_timeout": "30000",
}


def name_of(url: URL) -> str:
    """A URL as messages show it: whatever may hold a password left out."""
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{url.host or ''}{port}/{url.database or ''}"


def open_engine(url: URL) -> Engine:
    """The engine of a database. Nothing is opened yet. Raises :class:`SettingsError` where the
    driver isn't installed or the URL names no database.
    """
    if not url.database:
        raise SettingsError(
            "the database URL names no database; write postgresql://user@host/database",
            code="settings.database",
        )
    # What the URL says itself wins.
    given = {key: value for key, value in _CONNECTING.items() if key not in url.query}
    try:
        engine = create_engine(
            url.set(drivername=DRIVER),
            hide_parameters=True,
            **_pool(),
            pool_pre_ping=True,  # after the server's restart nobody is given a dead connection
            connect_args=given,
        )
    except ImportError:
        raise SettingsError(
            "PostgreSQL needs its driver: pip install 'journey-engine[postgres]'",
            code="settings.database",
        ) from None
    except ArgumentError:
        raise SettingsError(
            "the database URL can't be used; write postgresql://user@host/database",
            code="settings.database",
        ) from None

    _prepare_connections(engine)
    event.listen(engine, "before_cursor_execute", _with_marks, retval=True)
    return engine


def _prepare_connections(engine: Engine) -> None:
    from psycopg.adapt import Loader  # noqa: PLC0415 (the driver is optional)

    class Number(Loader):
        """What a sum of whole numbers comes as: a whole number here as on SQLite."""

        def load(self, data: bytes | bytearray | memoryview) -> int | float:
            text = bytes(data)
            return int(text) if text.lstrip(b"-").isdigit() else float(text)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.adapters.register_loader("numeric", Number)
        connection.autocommit = True
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (str(LOCK_TIMEOUT_MS),))
        connection.autocommit = False


def _pool() -> dict[str, Any]:
    more = MOST_CONNECTIONS - CONNECTIONS_KEPT
    return {
        "pool_size": CONNECTIONS_KEPT,
        "max_overflow": more,
        "pool_timeout": CONNECTION_WAIT_S,
    }


def wait_for_locks(connection: Connection, seconds: float) -> None:
    """Wait no longer than this for another one's lock, until the end of the transaction."""
    connection.exec_driver_sql(
        "SELECT set_config('lock_timeout', ?, true)", (f"{max(1, round(seconds * 1000))}",)
    )


def _with_marks(
    _connection: Any, _cursor: Any, statement: str, values: Any, context: Any, many: bool
) -> tuple[str, Any]:
    if context is not None and context.compiled is not None:
        return statement, values  # SQLAlchemy's own
    found = marked(statement)
    if many:
        return found.text, [found.values(each) for each in values]
    return found.text, found.values(values)


@compiles(String, "postgresql")
def _in_order_of_code_points(kind: String, compiler: Any, **said: Any) -> str:
    """Columns of text are ordered and compared as on SQLite, whatever the database's language: so
    lists come in one order everywhere, and no index is damaged when a C library sorts anew.
    """
    text: str = compiler.visit_string(kind, **said)
    return f'{text} COLLATE "C"' if isinstance(said.get("type_expression"), Column) else text


_BY_STATE = {
    "25006": "can't be written, it is read-only; name the primary server",
    "25P03": "ended the connection: a transaction was left standing; try again",
    "40001": "was changed by another process at the same moment; try again",
    "40P01": "had two changes wait for one another; try again",
    "53100": "can't grow, its disk is full; free some space",
    "53200": "has no memory left; try again later",
    "53300": "has no connection left; raise its max_connections, or end some",
    "55P03": "is locked by another process; end it or wait",
    "57014": "ended the statement; try again",
    "58030": "can't be read or written, its disk reports an error",
}
_DAMAGED = frozenset({"XX001", "XX002"})
_REFUSED = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|role \".*\" does not exist|invalid connection option"
    r"|database \".*\" does not exist|permission denied for database"
)
_SAID = re.compile(r"(?:FATAL|ERROR):\s*(.*)|failed: (.*)|(.+)", re.DOTALL)


def meaning(name: str, error: Exception) -> Exception:
    """What an error of the driver says to an operator; the error itself where it is a bug's."""
    original = error.orig if isinstance(error, DBAPIError) else error
    state: str | None = getattr(original, "sqlstate", None)
    if state in _BY_STATE:
        return DatabaseUnavailable(f"the database {name} {_BY_STATE[state]}")
    if state in _DAMAGED:
        return SettingsError(
            f"{name} is damaged; restore it from a backup", code="settings.database"
        )
    if state == "42501":
        return SettingsError(
            f"{name}: {_first_line(original)}; grant it to the role, or make the role the owner",
            code="settings.database",
        )
    said = _first_line(original)
    if state is None and (
        type(original).__name__ == "OperationalError" or "invalid connection option" in said
    ):
        return _out_of_reach(name, said)
    if state is not None and state[:2] in ("08", "57"):
        return DatabaseUnavailable(
            f"the database {name} ended the connection: {_first_line(original)};"
            " look whether the change was made, and try again"
        )
    return error


def _out_of_reach(name: str, said: str) -> Exception:
    """A connection that couldn't be had, or was lost: the driver knows no code for it."""
    if _REFUSED.search(said):
        return SettingsError(
            f"{name} can't be opened: {said}; correct the database URL", code="settings.database"
        )
    return DatabaseUnavailable(f"the database {name} can't be reached: {said}")


def _first_line(error: object) -> str:
    found = _SAID.search(str(error))
    said = next((text for text in found.groups() if text), "") if found else ""
    return said.strip().partition("\n")[0].strip().rstrip(".?") or "no reason given"
