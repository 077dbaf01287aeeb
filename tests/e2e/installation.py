"""A fresh installation in a folder, driven through its commands as a person would."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.databases import database_url, on_postgresql
from tests.forked import Popen

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its NDJSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of ``--json``."""
        last = self.lines[-1]
        assert last["type"] == "summary", self.out + self.err
        return last


class Running:
    """A command under way."""

    def __init__(self, process: subprocess.Popen[str], patience_s: float) -> None:
        self.process = process
        self._patience_s = patience_s
        self._said = ("", "")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self._said = self.process.communicate()

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self.process.poll() is not None

    def finish(self, *, code: int | None = 0) -> Finished:
        """Wait for its end, which must be exit ``code`` (None: any)."""
        self._reader.join(self._patience_s)
        assert not self._reader.is_alive(), "the command doesn't end"
        out, err = self._said
        if code is not None:
            assert self.process.returncode == code, f"exit {self.process.returncode}\n{err}"
            assert "Traceback" not in err, err
        return Finished(self.process.returncode, out, err)


@dataclass
class Installation:
    """A folder with a home of its own; ``environment`` is added to the process's.

    ``said`` gathers what commands print, on both outputs; ``patience_s`` is how long they may take.
    ``anew``: each command begins as an interpreter, as a shell starts it, which takes a second.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    patience_s: float = 300.0
    anew: bool = False

    def __post_init__(self) -> None:
        if on_postgresql():
            self.environment["JOURNEY_DATABASE_URL"] = database_url(self.folder)

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.folder / "home" / "engine.db"

    def write(self, name: str, text: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return (subprocess.Popen if self.anew else Popen)(
            [BIN / command[0], *command[1:]],
            cwd=self.folder,
            env=os.environ | {"JOURNEY_HOME": str(self.folder / "home")} | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str | Path, code: int = 0) -> Finished:
        """Run a command to its end, which must be exit ``code``."""
        with self.start(*command) as process:
            out, err = process.communicate(timeout=self.patience_s)
        self.said += (out, err)
        assert process.returncode == code, f"exit {process.returncode}\n{out[-2000:]}\n{err}"
        assert "Traceback" not in err, err
        return Finished(process.returncode, out, err)

    @contextmanager
    def running(self, *command: str | Path) -> Iterator[Running]:
        """Run a command beside the test; what it prints is read all the while."""
        process = self.start(*command)
        reading = Running(process, self.patience_s)
        try:
            yield reading
        finally:
            process.kill()
            ended = reading.finish(code=None)
            self.said += (ended.out, ended.err)

    def execute(self, sql: str, *values: object) -> None:
        """Change the database behind the engine's back; ``?`` stand for ``values``."""
        with self._connection() as connection:
            connection.execute(self._marked(sql), values)
            connection.commit()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows straight from the database."""
        with self._connection() as connection:
            rows = connection.execute(self._marked(sql), ()).fetchall()
            return [tuple(row) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        url = self.environment.get("JOURNEY_DATABASE_URL")
        with closing(sqlite3.connect(self.database) if url is None else psycopg.connect(url)) as it:
            yield it

    def _marked(self, sql: str) -> str:
        if "JOURNEY_DATABASE_URL" not in self.environment:
            return sql
        return sql.replace("%", "%%").replace("?", "%s")
