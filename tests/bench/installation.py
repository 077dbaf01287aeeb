"""An installation of a bench's own: its commands, its workers, its database.

Everything runs in processes of its own, so that what they take can be told apart.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from engine.db.connect import Database
from engine.db.schema import open_database
from tests.bench import spending
from tests.bench.spending import BIN, Spent, spend
from tests.postgresql import running_server

_WAIT_S = 60
_READY = {"worker": "published journeys: ", "up": "duties: ", "api": "HTTP API: "}
"""What a process says of itself when it works."""

DATABASES = ("sqlite", "postgresql")
_LIKE_AT_WORK = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
}

Place = Callable[[], "Installation"]


class Installation:
    """A fresh installation in ``folder``. ``database`` is the URL of one, else a file is made."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._logs: dict[str, Path] = {}
        self.url = database or f"sqlite:///{folder / 'home' / 'engine.db'}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name[:8] != "JOURNEY_"},
            "JOURNEY_HOME": str(folder / "home"),
            "JOURNEY_DATABASE_URL": self.url,
            "JOURNEY_EGRESS_ALLOW": "127.0.0.0/8,[::1]",
            "JOURNEY_PORT": "0",
            "JOURNEY_LEASE": "6",  # workers share the users at each third of it
        }

    def file(self, name: str, text: str) -> str:
        """A file of that text in the folder; its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def ask(self, *words: str) -> Spent:
        """Run ``journey`` to its end; what it took."""
        return spend([str(BIN / "journey"), *words], self.folder, self.environment)

    def endpoints(self, **urls: str) -> None:
        """Endpoints of these names, at these addresses."""
        text = "".join(f"  {name}: {{base_url: {url}}}\n" for name, url in urls.items())
        self.ask("apply", self.file("endpoints.yaml", f"endpoints:\n{text}"))

    def publish(self, **texts: str) -> None:
        """Publish journeys."""
        for name, text in texts.items():
            self.ask("publish", self.file(f"{name}.yaml", text))

    def live(self, journey: str, users: str, *words: str) -> Spent:
        """Take the users of a file through a journey's text: ``run-journey --live``."""
        path = self.file("journey.yaml", journey)
        command = [str(BIN / "run-journey"), path, "--live", "--quiet", "--users", users, *words]
        return spend(command, self.folder, self.environment)

    @contextmanager
    def process(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """``journey`` running beside: there when it says so, ended by SIGTERM."""
        log = self.folder / f"{words[0]}-{len(self._logs)}.log"
        self._logs[words[0]] = log
        with log.open("wb") as output:
            command = [str(BIN / "journey"), *words]
            process = spending.Popen(
                command, env=self.environment, cwd=self.folder, stderr=output, text=True
            )
        try:
            until(lambda: _READY[words[0]] in log.read_text(), process)
            yield process
        finally:
            process.terminate()
            process.wait(_WAIT_S)

    def said(self, command: str) -> str:
        """What the last :meth:`process` of that command said of itself."""
        return self._logs[command].read_text()

    @contextmanager
    def opened(self) -> Iterator[Database]:
        """Its database, for looking or writing from here."""
        with closing(open_database(self.url)) as database:
            yield database

    def count(self, statement: str) -> int:
        """The one number that a statement gives, 0 for none."""
        with self.opened() as database, database.read() as connection:
            return int(connection.exec_driver_sql(statement).scalar() or 0)

    def numbers(self, statement: str) -> list[float]:
        """The numbers of a statement, one a row."""
        with self.opened() as database, database.read() as connection:
            return [float(one) for one in connection.exec_driver_sql(statement).scalars()]


def until(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is so; a process that ends meanwhile is an error."""
    deadline = time.monotonic() + _WAIT_S
    while not true():
        if process is not None and process.poll() is not None:
            raise SystemExit(f"a process of the bench ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise SystemExit("the bench waited in vain")
        time.sleep(0.05)


@contextmanager
def installations(
    kind: str = "sqlite", *, in_memory: bool = False, **settings: str
) -> Iterator[Place]:
    """What makes fresh installations, on a database of that kind; all go with the block.

    PostgreSQL is a server of the bench's own, with what is durable switched on; its files are on
    the disk, or in memory. ``settings`` are the server's.
    """
    with tempfile.TemporaryDirectory(prefix="journey-bench-") as name:
        count = iter(range(1_000_000))

        def folder() -> Path:
            return Path(name) / str(next(count))

        if kind == "sqlite":
            yield lambda: Installation(folder())
            return
        with running_server({**_LIKE_AT_WORK, **settings}, in_memory=in_memory) as server:
            yield lambda: Installation(folder(), server.create())


def users_file(path: Path, users: int) -> str:
    """A CSV file of users with an address and a tier; its path."""
    with path.open("w") as file:
        file.write("id,email,tier\n")
        file.writelines(
            f"u{n},u{n}@example.com,{'gold' if n % 3 else 'base'}\n" for n in range(users)
        )
    return str(path)
