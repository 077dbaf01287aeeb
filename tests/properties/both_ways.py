"""One case, taken twice: through the simulation, and through the real worker on SQLite.

Real in the second are the worker, the outbox, the backlog, decide, receive, the sender, the
statements and the database. Its clock stands still while anything can be done, and then moves to
what is next: so nobody is ever late, and every instant can be compared.

Two things differ by nature and are left out of the journeys: ``enrollment.id``, which is made when
somebody enters, and ``enrollment.version``, which a file hasn't got.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import math
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any
from zlib import crc32

from sqlalchemy.event import listen

from engine.core.dsl.program import compile_journey
from engine.core.dsl.trigger import by_the_clock
from engine.core.expressions.assignment import bucket_of
from engine.core.guarded_json import text_of
from engine.core.interpreter.advance import World
from engine.core.interpreter.contact import governed
from engine.core.interpreter.simulate import Happened, simulate
from engine.core.interpreter.state import Execution, Passage, State, User
from engine.core.interpreter.virtual import Exchanged
from engine.core.message import Answer, Request
from engine.core.steps.base import Call, Result
from engine.core.steps.facts import Event, Fact
from engine.credentials.credential import Credential
from engine.credentials.live_versions import LiveEndpoint
from engine.credentials.store.versions import SQLiteVersions
from engine.db.connect import Database
from engine.db.ids import IdMaker
from engine.db.schema import open_database
from engine.endpoints import store as endpoints
from engine.endpoints.contact_policy import save as save_policy
from engine.endpoints.live import LiveEndpoints
from engine.endpoints.model import terms
from engine.endpoints.request import build
from engine.endpoints.send import Sender
from engine.enrollments import reports, store
from engine.enrollments.backlog import Backlog
from engine.enrollments.buckets import WholeFile
from engine.enrollments.clock_entries import ClockEntries
from engine.enrollments.decide import Decider
from engine.enrollments.ids import call_key
from engine.enrollments.ledger import Ledger, StepDone
from engine.enrollments.listening import Listening
from engine.enrollments.pausing import Holding
from engine.enrollments.pending import Held
from engine.enrollments.present import Surroundings
from engine.enrollments.rows import STATUS_NAMES
from engine.enrollments.send import Outbox
from engine.enrollments.store import Changes, runs
from engine.enrollments.store.facts import CHANGE, EVENT, Told
from engine.enrollments.summary import Summary, Tallying, by_frequency
from engine.enrollments.users_held import UsersHeld
from engine.processes.sending import Sending
from engine.processes.supply import Source
from engine.processes.worker import Worker
from engine.users.row import UserRow
from engine.versions.live import LiveJourneys
from engine.versions.publish import publish
from engine.versions.store import Versions
from engine.wire.transport import DEFAULT_NETWORK, Network, Transport
from tests.properties.drawn import HOUR, Case
from tests.properties.simulated_world import Crash, FailingDatabase, Faults, restless

MOST_TURNS = 20_000
MOST_HAPPENINGS = 2_000
"""Where more happens it isn't compared: an event that a journey makes may let its user in again and
again, as long as there is time.
"""


@contextmanager
def empty_database(folder: Path) -> Iterator[Path]:
    """An empty database, to be copied by :func:`fresh`; meanwhile no worker rests."""
    path = folder / "template.db"
    database = open_database(f"sqlite:///{path}")
    with database.untouched() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    with restless():
        yield path


def fresh(template: Path) -> Path:
    """A database for one example."""
    path = template.with_name("engine.db")
    for old in path.parent.glob("engine.db*"):
        old.unlink(missing_ok=True)  # a connection that is given up late may do it, too
    shutil.copy(template, path)
    return path


# --- what is compared ------------------------------------------------------------------------


@dataclass
class Taken:
    """What became of one user's passages, in the order in which he entered."""

    passages: list[dict[str, object]] = field(default_factory=list)
    user: object = None


@dataclass
class Outcome:
    """What became of a case. ``told`` is by user what an observer is told, in order; ``sent`` by
    user the requests, complete, in order.
    """

    taken: dict[str, Taken]
    told: dict[str, list[tuple[object, ...]]]
    sent: dict[str, list[tuple[Request, float]]]
    summary: Summary


def assert_same(simulated: Outcome, live: Outcome, *, told: bool = True) -> None:
    """Everything is the same; not ``told``: but for what a process that crashed told and sent."""
    for user, taken in simulated.taken.items():
        assert len(live.taken[user].passages) == len(taken.passages), user
        for one, other in zip(live.taken[user].passages, taken.passages, strict=True):
            for name, value in other.items():
                assert one[name] == value, f"{name} of {user}: live {one[name]}, else {value}"
        assert live.taken[user].user == taken.user
    if told:
        assert live.told.keys() == simulated.told.keys()
        for user, events in simulated.told.items():
            assert live.told[user] == events, f"{live.told[user]}, else {events}"
        assert live.sent.keys() == simulated.sent.keys()
        for user, sent in simulated.sent.items():
            # In which order several passages call at one moment is nobody's promise.
            several = len(simulated.taken[user].passages) > 1
            by = _written if several else _as_sent
            assert sorted(live.sent[user], key=by) == sorted(sent, key=by)
    else:
        for user, sent in simulated.sent.items():
            by = _written if len(simulated.taken[user].passages) > 1 else _as_sent
            went = sorted(live.sent.get(user, []), key=by)
            assert _without_repeats(went) == _without_repeats(sorted(sent, key=by))
    assert _comparable(live.summary) == _comparable(simulated.summary)


def _written(sent: tuple[Request, float]) -> str:
    return repr(sent)


def _as_sent(sent: tuple[Request, float]) -> str:
    return ""


def _without_repeats(sent: list[tuple[Request, float]]) -> list[tuple[Request, float]]:
    return [one for number, one in enumerate(sent) if one not in sent[:number]]


def _comparable(summary: Summary) -> dict[str, object]:
    """The numbers: which user is the example of a failure is nobody's promise."""
    return {
        "entered": summary.entered,
        "finished": summary.finished,
        "waiting": summary.waiting,
        "stuck": summary.stuck,
        "refusals": summary.refusals,
        "outcomes": list(summary.outcomes.items()),
        "steps": summary.steps,
        "arms": summary.arms,
        "calls": summary.calls,
        "endpoints": summary.endpoints,
        "goals": summary.goals,
        "failures": [(seen.step, seen.code, seen.times) for seen in summary.failures],
    }


def _execution(execution: Execution) -> tuple[object, ...]:
    return (
        execution.step,
        execution.visit,
        execution.status,
        execution.failure,
        execution.text or None,
        execution.http_status,
        execution.attempts,
        execution.arm,
        execution.credential_version,
        execution.started_at,
        execution.ended_at,
    )


def _event(event: Happened | StepDone) -> tuple[object, ...]:
    if event.execution is None:
        return event.at, event.what, event.text
    return event.at, event.call is not None, *_execution(event.execution)


def _passage(passage: Passage, executions: list[tuple[Any, ...]]) -> dict[str, object]:
    return {
        "key": passage.key,
        "entered_at": passage.entered_at,
        "state": passage.state,
        "outcome": passage.outcome,
        "position": passage.position,
        "wake_at": passage.wake_at,
        "ended_at": passage.ended_at,
        "data": _typed(
            [
                passage.inputs,
                passage.vars,
                passage.moves,
                passage.unwaited,
                {str(number): at for number, at in passage.goals.items()},
                {
                    str(number): [r.status, r.failure, r.http_status, r.attempts, r.arm, r.visits]
                    for number, r in passage.steps.items()
                },
            ]
        ),
        "executions": sorted(executions, key=lambda row: row[:2]),
    }


def _typed(data: object) -> str:
    """Data so that 1, 1.0 and true differ."""
    return json.dumps(data, sort_keys=True)


def _place_of(passage: Passage, step: int, visit: int, tries: int) -> int:
    """Which answer an attempt gets where passages of one user may call at one moment."""
    return crc32(f"{passage.entered_at} {passage.key} {step} {visit} {tries}".encode())


# --- simulated -------------------------------------------------------------------------------


class Simulated:
    """A case on the pure core."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.program = governed(compile_journey(case.checked.journey), case.policy)
        self._terms = {one.name: terms(one) for one in case.endpoints}
        self._passages: dict[str, dict[int, Passage]] = {row.id: {} for row in case.users}
        self._executions: dict[int, list[tuple[Any, ...]]] = {}
        self._told: dict[str, list[tuple[object, ...]]] = {}
        self._asked: dict[str, list[tuple[int, str, int, Call]]] = {}

    def run(self, keys: Callable[[str, int, str, int], str]) -> Outcome:
        """What becomes of it. ``keys`` gives the key of a call that was made live: of a user, his
        which passage, the step's id and the visit.
        """
        case, tally = self._case, Tallying(self.program)
        for event in self._happens():
            tally.add(event)
            self._note(event)
        taken = {row.id: self._taken(row) for row in case.users}
        sent = {user: self._sent(user, keys) for user in self._asked}
        summary = tally.summary()
        if len(case.entries) > 1:
            summary.failures = ()
        return Outcome(taken, self._told, sent, summary)

    def is_long(self) -> bool:
        """Whether so much happens that a live run would take too long."""
        return next(islice(self._happens(), MOST_HAPPENINGS, None), None) is not None

    def _happens(self) -> Iterator[Happened]:
        case = self._case
        return simulate(
            self.program,
            case.users,
            World(self._terms, case.zone),
            _no_answer,
            case.start,
            case.horizon,
            facts=self._facts if case.entries or case.facts else None,
            triggered=bool(case.entries) or case.triggered,
            exchanges=lambda user: partial(self._exchange, user),
        )

    def _facts(self, user: str) -> Sequence[Fact]:
        if not self._case.entries:
            return self._case.facts[user]
        return [Event(0, entry.at, "come", entry.inputs) for entry in self._case.entries]

    def _exchange(
        self, user: str, passage: Passage, call: Call, attempt: int, number: int
    ) -> Exchanged:
        place = (passage.id, passage.program.nodes[passage.position].id)
        visit = passage.steps[passage.position].visits
        self._asked.setdefault(user, []).append((*place, visit, call))
        if self._case.several:
            number = _place_of(passage, passage.position, visit, attempt - 1)
        answer = self._case.answer(user, call.endpoint, number)
        return Exchanged(answer, 1 if answer.status or answer.may_have_been_sent else 0)

    def _note(self, event: Happened) -> None:
        passage = event.passage
        if event.what != "refused":
            self._passages[passage.user.id][passage.id] = passage
        if event.execution is not None:
            self._executions.setdefault(passage.id, []).append(_execution(event.execution))
        if event.what != "stays":
            self._told.setdefault(passage.user.id, []).append(_event(event))

    def _taken(self, row: UserRow) -> Taken:
        passages = self._passages[row.id]
        taken = Taken([_passage(p, self._executions.get(n, [])) for n, p in passages.items()])
        for passage in passages.values():
            taken.user = (passage.user.timezone, _typed(passage.user.attributes))
        return taken

    def _sent(
        self, user: str, keys: Callable[[str, int, str, int], str]
    ) -> list[tuple[Request, float]]:
        """The requests that the calls are, with the seconds that each may take."""
        by_name = {one.name: one for one in self._case.endpoints}
        numbers = {id_: number for number, id_ in enumerate(self._passages[user])}
        sent = []
        for passage, step, visit, call in self._asked[user]:
            request = build(by_name[call.endpoint], call, keys(user, numbers[passage], step, visit))
            timeout_us = call.timeout_us or self._terms[call.endpoint].timeout_us
            sent.append((request, timeout_us / 1_000_000))
        return sent


def _no_answer(call: Call, number: int) -> Answer:
    raise AssertionError("every user has an exchange of his own")


# --- live ------------------------------------------------------------------------------------


class Clock:
    """Stands still until it is moved."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        """The present."""
        return self._now

    moment = now

    def move_to(self, instant: int) -> None:
        """On, and never back."""
        self._now = max(self._now, instant)


_sending: ContextVar[Held] = ContextVar("_sending")


class Wire(Transport):
    """Answers as the case says, after the answer's time on the clock. It outlives every crash: an
    attempt that is made once more gets the same answer at the same time.
    """

    def __init__(self, case: Case, clock: Clock) -> None:
        self._case = case
        self._clock = clock
        self._attempts: dict[tuple[str, str], list[tuple[int, int, int, int]]] = {}
        self._began: dict[tuple[str, int], int] = {}
        self._numbers = count()
        self.coming: list[tuple[int, int, asyncio.Future[None]]] = []
        self.sent: dict[str, list[tuple[Request, float]]] = {}

    async def send(
        self,
        request: Request,
        deadline: float,
        *,
        network: Network = DEFAULT_NETWORK,
        anew: bool = False,
    ) -> Answer:
        """The answer, when its time has come."""
        held = _sending.get()
        call, user = held.call, held.passage.user.id
        self.sent.setdefault(user, []).append((request, deadline))
        known = self._attempts.setdefault((user, call.endpoint), [])
        place = (held.passage.id, call.step, call.visit, call.tries)
        if place not in known:
            known.append(place)
        began = self._began.setdefault((call.key, call.tries), self._clock.now())
        number = known.index(place)
        if self._case.several:
            number = _place_of(held.passage, call.step, call.visit, call.tries)
        answer = self._case.answer(user, call.endpoint, number)
        if answer.elapsed_us:
            coming: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            at = max(began + answer.elapsed_us, self._clock.now())
            heapq.heappush(self.coming, (at, next(self._numbers), coming))
            await coming
        return answer

    async def close(self) -> None:
        """Nothing is open."""

    def next_at(self) -> float:
        """When the next answer comes."""
        return self.coming[0][0] if self.coming else math.inf

    def deliver_until(self, now: int) -> None:
        """Let answers come whose time it is."""
        while self.coming and self.coming[0][0] <= now:
            heapq.heappop(self.coming)[2].set_result(None)


class NoCredentials:
    """The endpoints carry none."""

    def __init__(self, database: Database) -> None:
        self._versions = SQLiteVersions(database)

    async def current(self, endpoint: str) -> LiveEndpoint | None:
        """How it stands now."""
        return await self._versions.current(endpoint)

    async def credential(
        self, profile_id: int, version: int, *, not_this: Credential | None = None
    ) -> Credential:
        """Never asked for."""
        raise AssertionError

    def close(self) -> None:
        """Give the connection back."""
        self._versions.close()


class Feed:
    """What happens to users, and to one whom nobody knows unless triggers would let him in: told
    when its time has come, from its beginning by each process.
    """

    def __init__(self, case: Case) -> None:
        every = [(fact.at, user, fact) for user, facts in case.facts.items() for fact in facts]
        if not case.triggered:
            at = case.start + HOUR
            every.append((at, "stranger", Event(0, at, "e1", {}, "strange")))
        every.sort(key=lambda one: one[0])
        self._coming = [
            _told(number, user, fact)
            for number, (_, user, fact) in enumerate(every)
            for _ in range(2 if case.twice else 1)
        ]

    @property
    def next_at(self) -> int | None:
        """When the next is to be told."""
        return self._coming[0].at if self._coming else None

    def due(self, now: int, most: int) -> list[Told]:
        """Those whose time has come."""
        return [told for told in self._coming[:most] if told.at <= now]

    def take(self, count: int) -> None:
        """They were received."""
        del self._coming[:count]


def _told(number: int, user: str, fact: Fact) -> Told:
    if isinstance(fact, Event):
        said, message = text_of(fact.properties), fact.id
        return Told(bucket_of(user), 0, user, EVENT, fact.name, fact.at, message, said)
    said = text_of(fact.values)
    return Told(bucket_of(user), 0, user, CHANGE, "", fact.at, f"change-{number}", said)


class Undecided(Exception):
    """A process would end with a call on the wire, whose answer is then lost."""


class Stopped(BaseException):
    """The process ends here, with all it had in memory."""


@dataclass
class Watcher:
    """What workers told of the users; with ``stops`` a process ends with each commit."""

    stops: bool = False
    events: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)
    backlogs: list[Backlog] = field(default_factory=list)

    def turned(self, ledger: Ledger) -> None:
        """A turn was committed."""
        for event in ledger.told:
            self.events.setdefault(event.passage.user.id, []).append(_event(event))
        for backlog in self.backlogs:  # perhaps it moved somebody of another worker's run
            backlog.turned(ledger)
        if self.stops and (ledger.changes.counts or ledger.changes.facts):
            raise Stopped

    def paused(self, reason: str) -> None:
        """The database can't be written."""

    def resumed(self) -> None:
        """It can."""


class AllCalls:
    """The calls in memory of all runs that are worked side by side."""

    def __init__(self) -> None:
        self.outboxes: list[Outbox] = []

    def held_call(self, passage: int) -> Held | None:
        found = (outbox.held_call(passage) for outbox in self.outboxes)
        return next((held for held in found if held is not None), None)

    def is_unsent(self, held: Held) -> bool:
        return any(outbox.is_unsent(held) for outbox in self.outboxes)

    def every_call(self) -> list[Held]:
        return [held for outbox in self.outboxes for held in outbox.every_call()]

    def calls_of(self, users: Container[str]) -> list[Held]:
        return [held for outbox in self.outboxes for held in outbox.calls_of(users)]

    def withdraw(self, held: Held) -> bool:
        return any(outbox.withdraw(held) for outbox in self.outboxes)


class Live:
    """A case on the real worker, in the database at ``path``, which has no journey yet.

    ``stops`` ends the process with each commit; ``faults`` let writes fail, and the process die.
    """

    def __init__(
        self,
        case: Case,
        path: Path,
        *,
        stops: bool = False,
        faults: tuple[int, Faults] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._case = case
        self._path = path
        self._faults = faults
        self._lots = random.Random(faults[0] if faults else 0)
        self.clock = clock or Clock(case.start)
        self._wire = Wire(case, self.clock)
        self._told = Watcher(stops=stops)
        self._runs: list[int] = []
        self._turned = 0
        self._enrollments: dict[str, list[int]] = {}
        self._installation = ""
        self._versions = Versions()
        # One for all lives: passages are compared in the order of their ids.
        self._new_id = IdMaker(lambda: self._lots.getrandbits(22))
        self._clocked = by_the_clock(case.checked.journey.entry.triggers)
        names = ["stranger", *(row.id for row in case.users)]
        self._buckets = tuple(sorted({bucket_of(name) for name in names}))

    def run(self) -> Outcome:
        """What becomes of it."""
        version = self._publish()
        if self._case.triggered:
            self._introduce()
        entered = [entry.at for entry in self._case.entries] or [self._case.start]
        for number, at in enumerate(entered):
            if number:
                self._work(at - 1, at)
            self.clock.move_to(at)
            self._open(number, version, at)
        self._work(self._case.horizon)
        with closing(self._quick()) as database:
            return self._outcome(database)

    def key(self, user: str, passage: int, step: str, visit: int) -> str:
        """The key of a call."""
        return call_key(self._installation, self._enrollments[user][passage], step, visit)

    def _publish(self) -> int:
        case = self._case
        with closing(self._quick()) as database, database.write() as connection:
            for endpoint in case.endpoints:
                endpoints.save(connection, endpoint, now=1, actor="test")
            save_policy(connection, case.policy, now=1, actor="test")
            named = case.checked.checked.endpoints
            self._installation = runs.installation(connection).key
            return publish(connection, "j", case.source, named, now=case.start, actor="test")

    def _introduce(self) -> None:
        """Make users known, before anybody enters; of whom nothing is known isn't, unless clocks
        let users in.
        """
        known = Changes(None)
        for row in self._case.users:
            attributes = {name: one for name, one in row.attributes.items() if one is not None}
            if attributes or row.timezone is not None or self._clocked:
                user = User(row.id, bucket_of(row.id), row.timezone, attributes)
                known.users[row.id] = user
        with closing(self._quick()) as database, database.write() as connection:
            store.write(connection, known)

    def _open(self, number: int, version: int, at: int) -> None:
        run = runs.Run(
            number + 1, "j", version, "users", runs.OPEN, 0, len(self._case.users), 0, {}
        )
        with closing(self._quick()) as database, database.write() as connection:
            runs.open_run(connection, run, now=at)
        self._runs.append(run.id)

    def _rows(self, run_id: int) -> list[UserRow]:
        """The users, as they come to a run: to the first with what is known of them."""
        if self._case.triggered:
            return []
        if not self._case.entries:
            return list(self._case.users)
        inputs = self._case.entries[run_id - 1].inputs
        first = run_id == 1
        return [
            UserRow(
                row.line,
                row.id,
                row.timezone if first else None,
                row.attributes if first else {},
                dict(inputs),
            )
            for row in self._case.users
        ]

    def _work(self, until: int, ends: int | None = None) -> None:
        """Lives of one process after another, until nobody can move up to ``until``, or until the
        clock would be at ``ends``.
        """
        while not self._one(until, ends):
            pass

    def _one(self, until: int, ends: int | None) -> bool:
        database = self._database()
        try:
            with asyncio.Runner() as runner:
                runner.run(self._process(database, until, ends))
        except (Crash, Stopped):
            self._wire.coming.clear()
            return False
        finally:
            database.close()
        return True

    def _database(self) -> Database:
        faults = None if self._faults is None else self._faults[1]
        return self._quick(faults)

    def _quick(self, faults: Faults | None = None) -> Database:
        url = f"sqlite:///{self._path}"
        database = Database(url) if faults is None else FailingDatabase(url, self._lots, faults)
        # No power is cut here, and waiting for the disk is what would take the time.
        listen(database.engine, "connect", _never_wait_for_the_disk)
        return database

    async def _process(self, database: Database, until: int, ends: int | None) -> None:
        resolver = NoCredentials(database)
        try:
            sending = Sending(Sender(database, resolver, self._wire), self.clock)

            async def deliver(held: Held) -> Result:
                _sending.set(held)
                return await sending.deliver(held)

            users = UsersHeld()
            self._told.backlogs.clear()
            self._calls = AllCalls()
            workers = [
                self._worker(database, deliver, run_id, users, until) for run_id in self._runs
            ]
            await self._turns(workers, math.inf if ends is None else ends)
        finally:
            resolver.close()

    async def _turns(self, workers: list[Worker], ends: float) -> None:
        """Turn after turn; the clock moves when nothing is left to be done."""
        for worker in workers:
            worker.outbox.notify = worker.outbox.pump
            worker.open()
        while self._turned < MOST_TURNS:
            self._turned += 1
            pauses = [pause for worker in workers if (pause := worker.turn()) is not None]
            if not pauses:
                return
            await self._settle(workers)
            if min(pauses) > 0 and not any(worker.woken.is_set() for worker in workers):
                at = min(self._after(min(pauses)), self._wire.next_at())
                assert at < math.inf, "nothing will ever happen any more"
                if at >= ends:
                    if self._wire.coming:
                        raise Undecided
                    return
                self.clock.move_to(int(at))
                self._wire.deliver_until(self.clock.now())
                await self._settle(workers)
        raise AssertionError("it never ends")

    def _after(self, pause: float) -> float:
        """When a pause, in seconds, is over."""
        return math.inf if pause == math.inf else self.clock.now() + round(pause * 1_000_000)

    async def _settle(self, workers: list[Worker]) -> None:
        """Let everything happen on the loop that can happen now."""
        for turn in range(12_000):
            await asyncio.sleep(0 if turn < 2_000 else 0.001)  # another thread may have its part
            on_their_way = sum(worker.outbox.in_flight for worker in workers)
            woken = any(worker.woken.is_set() for worker in workers)
            if woken or on_their_way == len(self._wire.coming):
                return
        raise AssertionError("somebody neither waits nor goes on")

    def _worker(
        self,
        database: Database,
        deliver: Any,
        run_id: int,
        users: UsersHeld,
        until: int,
    ) -> Worker:
        versions = self._versions
        with database.read() as connection:
            run = next(
                one for one in runs.unfinished_runs(connection, "j", "users") if one.id == run_id
            )
            published = versions.get(connection, run.version_id)
        live = LiveEndpoints(clock=self.clock, policy=versions.policy)
        outbox = Outbox(deliver, live, 100)
        self._calls.outboxes.append(outbox)
        around = Surroundings(versions, users, self._calls, Listening(versions))
        backlog, journeys = Backlog(run.id, versions, users), LiveJourneys(versions)
        comers = [(bucket_of(row.id), row) for row in self._rows(run.id)]
        self._told.backlogs.append(backlog)
        return Worker(
            database,
            Decider(
                (run.id, published),
                around,
                journeys,
                Holding(journeys, versions),
                lambda: self._buckets,
                self._new_id,
                self._installation,
                self._case.zone,
                telling=True,
                triggered=self._case.triggered,
                clocks=ClockEntries(users, self._case.zone) if self._clocked else None,
            ),
            backlog,
            outbox,
            live,
            self.clock,
            Source(iter(comers[run.position :]), run.position),
            self._told,
            horizon=until,
            linger=0,
            feed=Feed(self._case) if self._case.facts else None,
            owned=WholeFile(0),
        )

    # --- what became of it -----------------------------------------------------------------

    def _outcome(self, database: Database) -> Outcome:
        versions = self._versions
        with database.read() as connection:
            summaries = [
                reports.summary(connection, reports.find_run(connection, "j", run_id), versions)
                for run_id in self._runs
            ]
        with closing(sqlite3.connect(self._path)) as connection:
            taken = {row.id: self._taken(connection, row.id) for row in self._case.users}
            summary = _sum_of(summaries)
            for tally, kind in (("met", store.GOAL), ("held_out", store.GOAL_HELD_OUT)):
                for name, n in connection.execute(_GOALS, (kind,)):
                    setattr(summary.goals[name], tally, n)
        return Outcome(taken, self._told.events, self._wire.sent, summary)

    def _taken(self, connection: sqlite3.Connection, user: str) -> Taken:
        rows = connection.execute(
            "SELECT id, key, entered_at, state, outcome, position, wake_at, ended_at, data"
            " FROM enrollments WHERE user_id = ? ORDER BY id",
            (user,),
        ).fetchall()
        self._enrollments[user] = [row[0] for row in rows]
        taken = Taken([_read_passage(connection, row) for row in rows])
        if rows:
            (taken.user,) = (
                (zone, _typed(json.loads(attributes)))
                for zone, attributes in connection.execute(
                    "SELECT timezone, attributes FROM users WHERE id = ?", (user,)
                )
            )
        return taken


_GOALS = "SELECT name, sum(n) FROM step_counts WHERE kind = ? GROUP BY name"


def _never_wait_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _read_passage(connection: sqlite3.Connection, row: tuple[Any, ...]) -> dict[str, object]:
    id_, key, entered_at, state, outcome, position, wake_at, ended_at, written = row
    data = json.loads(written)
    steps = {n: [STATUS_NAMES.get(record[0]), *record[1:]] for n, record in data["s"].items()}
    executions = connection.execute(
        "SELECT step, visit, status, failure, text, http_status, attempts, arm, credential_version,"
        " started_at, ended_at FROM executions WHERE enrollment = ? ORDER BY step, visit",
        (id_,),
    ).fetchall()
    return {
        "key": key,
        "entered_at": entered_at,
        "state": State(state),
        "outcome": outcome,
        "position": position,
        "wake_at": wake_at,
        "ended_at": ended_at,
        "data": _typed(
            [data.get("i", {}), data.get("v", {}), *data["n"], data.get("g", {}), steps]
        ),
        "executions": [(*one[:2], STATUS_NAMES[one[2]], *one[3:]) for one in executions],
    }


def _sum_of(summaries: list[Summary]) -> Summary:
    """One summary of several runs; the most frequent failures of all can't be told from theirs."""
    first, *others = summaries
    for one in summaries if others else ():
        assert one.finished == one.entered, "what becomes of a passage is counted for its own run"
        assert all(tally.waiting == 0 for tally in one.steps.values())
    for other in others:
        first.failures = ()
        for name in ("entered", "finished", "waiting", "stuck"):
            setattr(first, name, getattr(first, name) + getattr(other, name))
        for sums, more in (
            (first.refusals, other.refusals),
            (first.outcomes, other.outcomes),
            *((first.arms.setdefault(step, {}), arms) for step, arms in other.arms.items()),
        ):
            for name, n in more.items():
                sums[name] = sums.get(name, 0) + n
        for step, tally in other.steps.items():
            for name in ("entered", "succeeded", "failed", "skipped"):
                own = first.steps[step]
                setattr(own, name, getattr(own, name) + getattr(tally, name))
            own.failures = dict(Counter(own.failures) + Counter(tally.failures))
        for endpoint, calls in other.endpoints.items():
            for name in ("succeeded", "failed", "attempts"):
                sum_ = first.endpoints[endpoint]
                setattr(sum_, name, getattr(sum_, name) + getattr(calls, name))
    first.outcomes = by_frequency(first.outcomes)
    return first
