"""Turns of a worker, taken one by one by hand: decide and store on a real database, no clock and no
wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from engine.core.dsl.check import load_and_check
from engine.core.expressions.assignment import bucket_of
from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.db.ids import IdMaker
from engine.db.schema import open_database
from engine.endpoints import store as endpoints
from engine.endpoints.model import Endpoint, terms
from engine.enrollments import store
from engine.enrollments.backlog import EVERY_BUCKET, Backlog
from engine.enrollments.decide import Decider
from engine.enrollments.ledger import Ledger
from engine.enrollments.listening import Listening
from engine.enrollments.pausing import Holding
from engine.enrollments.pending import Held
from engine.enrollments.present import Surroundings
from engine.enrollments.receive import Arrivals
from engine.enrollments.store import runs
from engine.enrollments.store.facts import CHANGE, EVENT, Told
from engine.enrollments.turn import Answered, Turn
from engine.enrollments.users_held import UsersHeld
from engine.users.row import UserRow
from engine.users.store import append
from engine.versions.live import LiveJourneys
from engine.versions.publish import publish_live
from engine.versions.store import Versions
from tests.databases import database_url

NOW = 1_793_000_000_000_000
CRM = Endpoint.model_validate({"name": "crm", "base_url": "https://crm.example"})


@dataclass
class InMemory:
    """The calls that a process holds: queued, or ``sent``."""

    queued: dict[int, Held] = field(default_factory=dict)
    sent: dict[int, Held] = field(default_factory=dict)

    def held_call(self, passage: int) -> Held | None:
        return self.queued.get(passage) or self.sent.get(passage)

    def withdraw(self, held: Held) -> bool:
        return self.queued.pop(held.passage.id, None) is held

    def is_unsent(self, held: Held) -> bool:
        return self.queued.get(held.passage.id) is held

    def every_call(self) -> list[Held]:
        return [*self.queued.values(), *self.sent.values()]

    def calls_of(self, users: Any) -> list[Held]:
        return [held for held in self.every_call() if held.passage.user.id in users]


class Desk:
    """What decides, in the installation of a folder, for the users of some ``buckets``."""

    def __init__(self, folder: Path, buckets: Iterable[int] = EVERY_BUCKET) -> None:
        self.database = open_database(database_url(folder))
        self._buckets = tuple(sorted(buckets))
        with self.database.write() as connection:
            endpoints.save(connection, CRM, now=1, actor="test")
            self._installation = runs.installation(connection).key
        self._ids = IdMaker(lambda: 1 + self._buckets[0])
        self.restart()

    def restart(self) -> None:
        """Another process takes over: nothing is in memory."""
        self._versions, self.users, self.calls = Versions(), UsersHeld(), InMemory()
        self._journeys = LiveJourneys(self._versions)
        self.around = Surroundings(
            self._versions, self.users, self.calls, Listening(self._versions)
        )
        self.backlog = Backlog(None, self._versions, self.users)
        self.backlog.own(self._buckets, self._buckets)
        with self.database.read() as connection:
            self._decider().open(connection)
            self.backlog.open(connection)

    def publish(self, *steps: dict[str, Any], name: str = "j", **more: Any) -> int:
        """A journey with its triggers on; its version's id."""
        written = {"dsl": 1, "journey": name, "steps": list(steps), **more}
        source = json.dumps(written).encode()
        named = load_and_check(source, "j.yaml").checked.endpoints
        with self.database.write() as connection:
            publish_live(connection, name, source, named, now=1, actor="test")
            found: int = connection.exec_driver_sql("SELECT max(id) FROM versions").scalar_one()
        return found

    def open_run(self, version_id: int, number: int = 1) -> None:
        """A run whose users are to enter a version."""
        run = runs.Run(number, "j", version_id, str(number), runs.OPEN, 0, 1, 0, {})
        with self.database.write() as connection:
            runs.open_run(connection, run, now=1)

    def turn(
        self,
        now: int,
        *told: Told,
        rows: tuple[UserRow, ...] = (),
        run: tuple[int, int] = (0, 0),
        answered: tuple[Answered, ...] = (),
        starting: tuple[Held, ...] = (),
        calls: tuple[Held, ...] = (),
        inbox: bool = False,
        writes: bool = True,
        most: int = 100,
    ) -> Ledger:
        """What is told (or in the ``inbox``), those who are due (``most`` of each), users of a
        ``run`` (its id, the version), answers, and calls to be marked, or made: decided, and
        stored if it ``writes``.
        """
        with self.database.write() as connection:
            turn = Turn(
                answered=list(answered), told=told, starting=list(starting), calls=list(calls)
            )
            if inbox:
                turn.told = self.backlog.load_told(connection, most)
            turn.due = self.backlog.load_due(connection, now, most)
            turn.arrivals = (
                Arrivals([(bucket_of(row.id), row) for row in rows], len(rows)) if rows else None
            )
            of = None if not rows else (run[0], self._versions.get(connection, run[1]))
            decider = self._decider(of)
            ledger = decider.decide(connection, turn, {"crm": terms(CRM)}, now)
            if writes:
                store.write(connection, ledger.changes)
        if writes:
            self.backlog.turned(ledger)
        for one in answered:
            self.calls.sent.pop(one.held.passage.id, None)
        for held in ledger.calls:
            self.calls.queued[held.passage.id] = held
        return ledger

    def tell(self, *told: Told) -> None:
        """Put something into the inbox."""
        rows = [(one.bucket, number, *astuple(one)[2:]) for number, one in enumerate(told, 1)]
        with self.database.write() as connection:
            append(connection, rows)

    def write(self, ledger: Ledger) -> None:
        """Store what was decided."""
        with self.database.write() as connection:
            store.write(connection, ledger.changes)

    def send(self) -> None:
        """Every call that is queued goes out."""
        self.calls.sent |= self.calls.queued
        self.calls.queued.clear()

    def answers(self, status: int, at: int) -> tuple[Answered, ...]:
        """Whatever is on the wire is answered."""
        return tuple(
            Answered(held, Result(Answer(status), None, "", tries, tries, at))
            for held in self.calls.sent.values()
            for tries in [held.call.tries + 1]
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows straight from the database."""
        with closing(self.database.engine.raw_connection()) as connection:
            rows: list[tuple[Any, ...]] = connection.cursor().execute(sql).fetchall()
            return rows

    def outcomes(self) -> list[str | None]:
        """The outcome of every passage, in the order of entry."""
        return [row[0] for row in self.query("SELECT outcome FROM enrollments ORDER BY id")]

    def steps(self) -> list[tuple[Any, ...]]:
        """What was recorded of every step taken: its number, visit, status, attempts and text."""
        return self.query(
            "SELECT step, visit, status, attempts, text FROM executions"
            " ORDER BY enrollment, ended_at, step, visit"
        )

    def _decider(self, run: Any = None) -> Decider:
        return Decider(
            run,
            self.around,
            self._journeys,
            Holding(self._journeys, self._versions),
            lambda: self._buckets,
            self._ids,
            self._installation,
            "UTC",
            telling=True,
        )


_made = iter(range(1, 1_000_000))


def event(name: str, at: int = NOW, user: str = "u1", *, message: str = "", **said: Any) -> Told:
    """Something a user did."""
    place = bucket_of(user), 0, user, EVENT, name, at
    return Told(*place, message or f"m{next(_made)}", json.dumps(said))


def change(at: int = NOW, user: str = "u1", *, message: str = "", **values: Any) -> Told:
    """Attributes of his are others now."""
    place = bucket_of(user), 0, user, CHANGE, "", at
    return Told(*place, message or f"m{next(_made)}", json.dumps(values))
