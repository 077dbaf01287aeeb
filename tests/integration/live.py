"""A live run in this process: an installation in a folder, real servers, a real database."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.clock import wall
from engine.core.dsl.check import load_and_check
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.endpoints import store as endpoints
from engine.endpoints.model import Endpoint
from engine.enrollments import reports
from engine.enrollments.ledger import Ledger
from engine.enrollments.summary import Summary
from engine.processes.model import RunOpened, RunOptions, RunResult
from engine.processes.run import run_live
from engine.settings import Settings
from engine.users.files import open_users
from engine.users.row import UserRow
from engine.versions.store import Versions
from tests.databases import database_url

FAST = {"delay": "PT0.01S", "max_delay": "PT0.05S"}
"""Retries that a test can wait for."""


@dataclass
class Seen:
    """What a run told while it ran; ``turn`` is called at each committed turn."""

    opened_runs: list[RunOpened] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    pauses: list[str] = field(default_factory=list)
    turns: int = 0
    resumed_times: int = 0
    most_held: int = 0

    def opened(self, run: RunOpened) -> None:
        self.opened_runs.append(run)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def turned(self, ledger: Ledger) -> None:
        self.turns += 1

    def paused(self, reason: str) -> None:
        self.pauses.append(reason)

    def resumed(self) -> None:
        self.resumed_times += 1


@dataclass
class Nobody:
    """No user by name: triggers let them in."""

    digest: str
    count: int = 0
    skipped: int = 0

    def rows(self, _start: int = 0) -> Iterator[UserRow]:
        return iter(())


@dataclass
class Ran:
    """A run that came to an end, and what was seen of it."""

    result: RunResult
    seen: Seen
    summaries: list[Summary]

    @property
    def summary(self) -> Summary:
        """Of the last run."""
        return self.summaries[-1]


class House:
    """An installation in a folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        home = str(folder / "home")
        url = database_url(folder / "home")
        self.settings = Settings(
            home=home, database_url=url, egress_allow="127.0.0.0/8", **settings
        )
        with self.opened():
            pass

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.folder / "home" / "engine.db"

    def opened(self) -> closing[Database]:
        """The database, closed at the end of the block."""
        return closing(open_database(self.settings.database))

    def endpoint(self, name: str, url: str, **more: Any) -> None:
        """Set an endpoint; ``retry`` is FAST unless said."""
        written = {"name": name, "base_url": url, "retry": FAST, **more}
        endpoint = Endpoint.model_validate(written)
        with self.opened() as database, database.write() as connection:
            endpoints.save(connection, endpoint, now=wall(), actor="test")

    def users(self, rows: Iterable[str], name: str = "users.csv") -> Path:
        """A file of users: CSV lines, header first."""
        path = self.folder / name
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    def run(
        self,
        journey: dict[str, Any],
        users: Path,
        *,
        seen: Seen | None = None,
        **options: Any,
    ) -> Ran:
        """Run a journey live, in this process."""
        seen = seen or Seen()
        source = json.dumps({"dsl": 1, "journey": "j", **journey}).encode()
        declared = load_and_check(source, "j.yaml").journey.entry.inputs
        with open_users(users, inputs=declared) as file:
            asked = RunOptions("j.yaml", source, file, self.settings, "test", **options)
            result = run_live(asked, seen)
        return Ran(result, seen, [self.summary(run_id) for run_id in result.run_ids])

    def summary(self, run_id: int) -> Summary:
        """What reports say of a run."""
        with self.opened() as database, database.read() as connection:
            run = reports.find_run(connection, "j", run_id)
            return reports.summary(connection, run, Versions())

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows straight from the database."""
        with self.opened() as database, database.read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql, values)]

    def check_counts(self, ran: Ran, journey: dict[str, Any]) -> None:
        """Summaries, executions and enrollments say the same, of every run of ``ran``."""
        steps = [step["id"] for step in flat(journey)]
        for run_id, summary in zip(ran.result.run_ids, ran.summaries, strict=True):
            rows = self.query(
                "SELECT x.step, x.status, count(*), sum(x.attempts) FROM executions x"
                " JOIN enrollments e ON e.bucket = x.bucket AND e.id = x.enrollment"
                " WHERE e.run_id = ? GROUP BY 1, 2",
                run_id,
            )
            said = Counter({(steps[step], status): n for step, status, n, _ in rows})
            for name, tally in summary.steps.items():
                assert tally.succeeded == said[name, 1], name
                assert tally.failed == said[name, 2], name
                assert tally.skipped == said[name, 3], name
            pending = self.query(
                "SELECT coalesce(sum(attempts), 0) FROM calls"
                " WHERE run_id = ? AND next_try_at IS NOT NULL",
                run_id,
            )[0][0]
            assert summary.calls.attempts == sum(row[3] for row in rows) + pending
            states = dict(
                self.query(
                    "SELECT state = 2, count(*) FROM enrollments WHERE run_id = ? GROUP BY 1",
                    run_id,
                )
            )
            assert summary.finished == states.get(1, 0)
            assert summary.waiting == states.get(0, 0)
            refused = self.query("SELECT count(*) FROM refusals WHERE run_id = ?", run_id)[0][0]
            assert summary.refused == refused
            assert summary.stuck == 0


def flat(journey: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a journey in the order of their numbers."""

    def walk(steps: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        for step in steps:
            yield step
            bodies = [*step.get("paths", ()), *step.get("arms", ())]
            otherwise = step.get("otherwise")
            for body in (*bodies, otherwise if isinstance(otherwise, dict) else {}):
                yield from walk(body.get("steps", []))

    every = [*journey.get("on_enter", ()), *journey["steps"], *journey.get("on_exit", ())]
    return list(walk(every))


def call(name: str, endpoint: str, **more: Any) -> dict[str, Any]:
    """A call that names its user in the path."""
    path = f"/{name}/{{{{ user.id }}}}"
    return {"id": name, "type": "call_api", "endpoint": endpoint, "path": path, **more}
