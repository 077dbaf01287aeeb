"""Commands run in this process: a hundred of them cost what three processes do."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import connect
from typing import Any, TextIO

from engine.cli.main import main as journey
from engine.cli.run_journey import main as run_journey
from tests.e2e.installation import Finished, Installation

_MAIN = {"journey": journey, "run-journey": run_journey}


class InProcess(Installation):
    """An installation whose commands are called and not started."""

    def call(
        self,
        *command: str | Path,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run a command to its end, whatever that is."""
        name, *arguments = map(str, command)
        said = io.BytesIO(stdin), io.BytesIO(), io.BytesIO()
        streams = [io.TextIOWrapper(each, encoding="utf-8") for each in said]
        with _surroundings(self, environment or {}, *streams):
            code = _MAIN[name](arguments)
            for stream in streams[1:]:
                stream.flush()
        return Finished(code, said[1].getvalue().decode(), said[2].getvalue().decode())

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table; {} where there is no database."""
        if not self.database.exists():
            return {}
        with closing(connect(self.database)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {
                name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
                for (name,) in names.fetchall()
            }


@contextmanager
def _surroundings(
    here: Installation, environment: Mapping[str, str], *streams: TextIO
) -> Iterator[None]:
    folder, before = Path.cwd(), dict(os.environ)
    standard = sys.stdin, sys.stdout, sys.stderr
    home = {"JOURNEY_HOME": str(here.folder / "home")}
    try:
        os.chdir(here.folder)
        os.environ.update({**home, **here.environment, **environment})
        sys.stdin, sys.stdout, sys.stderr = streams
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = standard
        os.environ.clear()
        os.environ.update(before)
        os.chdir(folder)
