"""Workers on one database: an installation of theirs, users who come all the while, and proof."""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from threading import Thread
from typing import Any

from engine.db.ids import IdMaker, entropy
from engine.db.schema import open_database
from engine.enrollments.store import ENTERED, SUCCEEDED
from engine.errors import DatabaseUnavailable
from engine.users.incoming import IncomingEvent
from engine.users.ingest import ingest
from tests.e2e.in_process import InProcess
from tests.partners import Answers, bodies_by_key
from tests.partners.traffic import Request
from tests.postgresql import Server

PATIENCE_S = 180.0
GREET = """\
dsl: 1
journey: greet
entry: {triggers: [{event: hello}], reentry: once}
steps:
  - {id: first, type: call_api, endpoint: api, path: "/first/{{ user.id }}", body: {n: 1}}
  - {id: pause, type: wait, for: 1s}
  - {id: last, type: call_api, endpoint: api, path: "/last/{{ user.id }}", body: {n: 2}}
  - {id: done, type: exit, outcome: served}
"""
LONG = """\
dsl: 1
journey: greet
entry: {triggers: [{event: hello}], reentry: once}
steps:
  - {id: mark, type: set, values: {user.seen: "{{ user.seen | default(0) + 1 }}"}}
  - {id: first, type: call_api, endpoint: api, path: "/first/{{ user.id }}", body: {n: 1}}
  - id: answer
    type: wait_for
    any: [{event: reply, outputs: {vars.word: event.word}}]
    since: entry
    within: 1h
  - {id: silence, type: wait_for, any: [{event: never}], within: 1s}
  - id: last
    type: call_api
    endpoint: api
    path: "/last/{{ user.id }}"
    body: {word: "{{ vars.word }}"}
  - {id: done, type: exit, outcome: served}
"""
"""Everybody who said hello has to reply, sooner or later."""


class Live:
    """A worker process, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: Signals) -> None:
        self.process.send_signal(number)

    def ends(self, *numbers: Signals) -> int:
        """Its exit code, after these signals."""
        for number in numbers:
            self.signal(number)
        return self.process.wait(PATIENCE_S)

    def gone(self) -> None:
        """Kill it, and close what it wrote to."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))


class Fleet(InProcess):
    """An installation on a database of ``server`` (None: on SQLite), with workers that come and go.

    ``port`` is where the workers find the server; None: where it is.
    """

    def __init__(
        self, folder: Path, server: Server | None, lease_s: int = 30, port: int | None = None
    ) -> None:
        super().__init__(folder)
        self.server = server
        self.url = f"sqlite:///{self.database}" if server is None else server.create()
        self.lease_s = lease_s
        self.steps = dict[int, str]()
        self.workers: list[Live] = []
        self.sent: list[str] = []
        self._new_id = IdMaker(entropy)
        self.database.parent.mkdir()
        self._database = open_database(self.url)
        at = self.url
        if server is not None and port is not None:
            at = at.replace(f":{server.port}/", f":{port}/")
        self.environment |= {"JOURNEY_DATABASE_URL": at, "JOURNEY_LEASE": str(lease_s)}

    @property
    def heartbeat_s(self) -> float:
        return self.lease_s / 3

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._database.read() as connection:
                    return [tuple(row) for row in connection.exec_driver_sql(sql)]
            except DatabaseUnavailable:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def publish(
        self, api: Answers, concurrency: int = 20, *, journey: str = GREET, more: str = ""
    ) -> None:
        """The journey and its endpoint, with ``more`` settings."""
        settings = f"base_url: '{api.url}', concurrency: {concurrency}{more}"
        self.write("endpoints.yaml", f"endpoints:\n  api: {{{settings}}}\n")
        assert self.call("journey", "apply", "endpoints.yaml").code == 0
        self.write("greet.yaml", journey)
        assert self.call("journey", "publish", "greet.yaml").code == 0
        steps = re.findall(r"^  - (?:\{id|id): (\w+)", journey, re.MULTILINE)
        self.steps = dict(enumerate(steps))

    def begin(self, count: int = 1) -> list[Live]:
        """Start workers; return when they have joined."""
        more = [self.start_one() for _ in range(count)]
        until(lambda: self.at_work() >= {each.pid for each in more}, *more)
        return more

    def at_work(self) -> set[int]:
        """The processes that say they are."""
        return {pid for (pid,) in self.query("SELECT pid FROM processes")}

    def start_one(self, *command: str) -> Live:
        """A worker that is about to join; ``command`` is another one than `journey worker`."""
        self.workers.append(Live(self.start("journey", *(command or ("worker",)))))
        return self.workers[-1]

    def shares(self) -> dict[int, int]:
        """How many buckets each worker has whose lease lasts, by process."""
        rows = self.query(
            "SELECT name, (SELECT count(*) FROM buckets WHERE owner = w.id) FROM workers AS w"
            " WHERE lease_until > extract(epoch FROM clock_timestamp()) * 1000000"
        )
        return {int(name.rpartition(" ")[2]): count for name, count in rows}

    def are_even(self, *workers: Live) -> bool:
        """Whether these workers share the users, and nobody else does."""
        shares = self.shares()
        sizes = sorted(shares.values())
        return (
            set(shares) == {each.pid for each in workers}
            and sum(sizes) == 256
            and sizes[-1] - sizes[0] <= 1
        )

    def hello(self, *users: str) -> None:
        """Tell that each said hello, however long it takes."""
        self.tell("hello", *users)
        self.sent += users

    def tell(self, name: str, *users: str) -> None:
        """Tell of an event of each, however long it takes."""
        said = {"word": "yes"}
        self.send([IncomingEvent(u, name, said, message_id=f"{name} {u}") for u in users])

    def send(self, events: list[IncomingEvent]) -> None:
        """Tell of these, however long it takes."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._database.write() as connection:
                    now = time.time_ns() // 1000
                    ingest(connection, events, now=now, new_id=self._new_id)
                return
            except DatabaseUnavailable:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def served(self) -> int:
        """How many users came to the end."""
        return int(self.query("SELECT count(*) FROM enrollments WHERE outcome = 'served'")[0][0])

    def all_are_served(self) -> None:
        """Return when everybody came to the end; and check that nobody was lost or came twice."""
        until(lambda: self.served() >= len(self.sent), *self.workers)
        assert self.query("SELECT count(*), count(DISTINCT user_id) FROM enrollments") == [
            (len(self.sent), len(self.sent))
        ]
        everybody = len(self.sent)
        taken = self.query(
            "SELECT step, visit, status, count(*), count(DISTINCT enrollment) FROM executions"
            " GROUP BY step, visit, status ORDER BY step"
        )
        assert taken == [(step, 1, 1, everybody, everybody) for step in self.steps]
        counted = "SELECT step, sum(n) FROM step_counts WHERE kind = {} GROUP BY step ORDER BY step"
        for kind in (ENTERED, SUCCEEDED):
            found = [(step, int(n)) for step, n in self.query(counted.format(kind)) if step >= 0]
            assert found == [(step, everybody) for step in self.steps]
        assert self.query("SELECT count(*) FROM step_counts WHERE kind IN (2, 3)") == [(0,)]
        assert self.query("SELECT count(*) FROM calls") == [(0,)]
        assert self.query("SELECT count(*) FROM inbox") == [(0,)]
        if "mark" in self.steps.values():
            marked = self.query("SELECT attributes, count(*) FROM users GROUP BY attributes")
            assert marked == [('{"seen":1}', everybody)]

    def stored(self) -> set[str]:
        """The paths of the calls whose answers were stored."""
        rows = self.query(
            "SELECT x.step, e.user_id FROM executions AS x JOIN enrollments AS e"
            " ON e.bucket = x.bucket AND e.id = x.enrollment WHERE x.attempts > 0"
        )
        return {f"/{self.steps[step]}/{user}" for step, user in rows}

    @contextmanager
    def arriving(self, each_s: float = 0.1, many: int = 4) -> Iterator[None]:
        """Users come all the while."""
        going = True

        def tell() -> None:
            first = 0
            while going:
                self.hello(*(f"flow-{first + n}" for n in range(many)))
                first += many
                time.sleep(each_s)

        thread = Thread(target=tell)
        thread.start()
        try:
            yield
        finally:
            going = False
            thread.join()

    def end(self) -> None:
        """Kill whoever is left."""
        for each in self.workers:
            each.gone()
        self._database.close()
        if self.server is not None:
            self.server.drop(self.url)


@contextmanager
def fleet(
    folder: Path, server: Server | None, lease_s: int = 30, port: int | None = None
) -> Iterator[Fleet]:
    """An installation whose workers are gone afterwards."""
    made = Fleet(folder, server, lease_s, port)
    try:
        yield made
    finally:
        made.end()


def until(condition: Callable[[], bool], *workers: Live, within_s: float = PATIENCE_S) -> None:
    """Return when it has come to that."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, [each.lines for each in workers]
        time.sleep(0.05)


def repeats(log: list[Request]) -> int:
    """How many requests were made again; each with the bytes of the first, or it is no repeat."""
    answered = bodies_by_key(log)
    assert "" not in answered
    for bodies in answered.values():
        assert len(set(bodies)) == 1, "a repeat has the body of the first attempt"
    assert len(answered) == len({each.path for each in log}), "a call has one key"
    return len(log) - len(answered)


def begun(log: list[Request]) -> Counter[str]:
    """How often each call was made."""
    return Counter(request.path for request in log)


def lots(seed: int) -> random.Random:
    """Random moments, the same ones each time."""
    return random.Random(seed)
