"""A post for duties, on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.core.expressions.calendar import DAY, HOUR
from engine.credentials.vault import Vault
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.operations import store
from engine.operations.store import DutyState
from engine.processes.duties import Duty, Every, Post
from engine.processes.scheduler import Scheduler
from engine.settings import Settings

START = 20_000 * DAY + HOUR // 2
"""2024-10-04 00:30 UTC."""


def no_vault() -> Vault:
    raise AssertionError("no secret is needed here")


@dataclass
class Posted:
    """A fresh database, and schedulers on it that are told the time."""

    folder: Path
    now: int = START
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.database: Database = open_database(f"sqlite:///{self.folder / 'engine.db'}")
        self.said: list[str] = []
        self.post = Post(
            self.database,
            self.settings,
            now=lambda: self.now,
            stopping=lambda: False,
            vault=no_vault,
            say=self.said.append,
        )

    def scheduler(self, *duties: Duty, process: str = "p1") -> Scheduler:
        """A scheduler that plans the duties and leaves beginning them to the test."""
        scheduler = Scheduler(duties, self.post, process)
        scheduler.plan()
        return scheduler

    def rows(self) -> dict[str, DutyState]:
        """What stands in the database of each duty."""
        with self.database.read() as connection:
            return {duty.name: duty for duty in store.duties(connection)}


def duty(do: Callable[[Post], str], name: str = "it", *, shared: bool = True) -> Duty:
    """A duty of every hour."""
    return Duty(name, Every(HOUR), "Does it.", do, shared=shared)
