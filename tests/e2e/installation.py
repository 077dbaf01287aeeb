"""A fresh installation in a folder, driven through its commands as a person would."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


@dataclass
class Installation:
    """A folder with a home of its own; ``environment`` is added to the process's."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

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
        return subprocess.Popen(
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
            out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"exit {process.returncode}\n{out[-2000:]}\n{err}"
        assert "Traceback" not in err, err
        return Finished(process.returncode, out, err)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows straight from the database."""
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
