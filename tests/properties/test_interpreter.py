"""Any journey, any user, any answers: it ends, twice the same, wherever it was stopped between.

Each passage is driven twice: in one go, and written to SQLite and read back after every advance.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from engine.core.dsl.check import load_and_check
from engine.core.dsl.program import Program, compile_journey
from engine.core.interpreter.advance import World, advance, drop, leave
from engine.core.interpreter.state import Advanced, Passage, State, User
from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.db.tables import EnrollmentRow
from engine.enrollments import store
from engine.enrollments.ledger import Ledger
from engine.enrollments.pending import Held
from engine.enrollments.rows import call_row, enrollment_row, read_call, read_passage, read_user
from engine.enrollments.store import Changes
from engine.versions.store import Published

NOW = 1_790_000_000_000_000
WORLD = World({})
MOST_ADVANCES = 3_000

# --- journeys --------------------------------------------------------------------------------

WAITS: list[dict[str, Any]] = [
    {"for": "PT10M"},
    {"for": "P2D"},
    {"until": {"time": "09:00"}},
    {"until": {"time": "09:00", "weekdays": ["mon", "fri"]}},
    {"until": {"date": "user.born", "missing": "continue"}},
    {"until": {"date": "user.born", "missing": "exit", "past": "exit"}},
]
CALLS: list[dict[str, Any]] = [
    {},
    {"body": {"n": "{{ vars.n | default(0) }}", "who": "{{ user.id }}"}},
    {"body": {"n": "{{ user.missing }}"}},
    {"outputs": {"vars.n": "response.body.n"}},
    {"outputs": {"user.n": "response.body.n", "user.gone": "none"}},
    {
        "outputs": {"vars.t": "now", "vars.l": "response.body"},
        "headers": {"X-Key": "a{{ user.id }}"},
    },
    {"retry": {"attempts": 1}, "on_failure": "exit"},
    {"query": {"q": "ü {{ user.id }}"}, "method": "GET"},
]
VALUES: list[dict[str, Any]] = [
    {"vars.n": "{{ vars.n | default(0) + 1 }}"},
    {"user.tier": "gold", "vars.t": "{{ now }}"},
    {"user.tier": "{{ none }}", "vars.x": [1, {"a": "{{ user.tier | default('ñ') }}"}]},
    {"user.timezone": "America/New_York"},
    {"vars.big": "{{ user.text | default('x') }}"},
]
FIRST = {"id": "first", "type": "set", "values": {"vars.n": 0}}
CONDITIONS = [
    "user.tier == 'gold'",
    "vars.n > 1",
    "user.age < 'x'",
    "user.age > 17",
    "steps.s0.status == 'failed'",
]
ANSWERS = [
    (200, {"n": 1}),
    (200, {"n": 2**53 + 1}),
    (200, None),
    (204, None),
    (404, None),
    (429, None),
    (500, None),
    (503, None),
    (0, "call.timed_out"),
    (0, "credential.rejected"),
]


class _Journeys:
    """Draws one journey."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._steps = 0

    def pick(self, choices: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(choices))

    def steps(self, depth: int, most: int) -> list[dict[str, Any]]:
        return [self._step(depth) for _ in range(self._draw(st.integers(1, most)))]

    def _step(self, depth: int) -> dict[str, Any]:
        number = self._steps
        self._steps += 1
        kinds = ["call_api", "wait", "set", "set", "exit"]
        if depth < 2:
            kinds += ["branch", "split", "jump"]
        kind = self.pick(kinds)
        step: dict[str, Any] = {"id": f"s{number}", "type": kind}
        if kind == "call_api":
            step |= {"endpoint": "crm", "path": "/{{ user.id }}"} | self.pick(CALLS)
        elif kind == "wait":
            step |= self.pick(WAITS)
        elif kind == "set":
            step["values"] = self.pick(VALUES)
        elif kind == "exit":
            step["when"] = self.pick(CONDITIONS)
        elif kind == "jump":
            back = self._draw(st.integers(0, number))
            when = f"visits('s{number}') < {self._draw(st.integers(2, 4))}"
            step |= {"type": "branch", "paths": [{"name": "b", "when": when, "next": f"s{back}"}]}
        elif kind == "branch":
            paths = [
                {"name": "p", "when": self.pick(CONDITIONS), "steps": self.steps(depth + 1, 2)}
            ]
            step |= {"paths": paths, "otherwise": {"steps": self.steps(depth + 1, 2)}}
        else:
            arms = [{"name": n, "weight": 1, "steps": self.steps(depth + 1, 2)} for n in "ab"]
            step["arms"] = [*arms, {"name": "c", "weight": 1}]
        if kind not in ("exit", "jump") and self._draw(st.integers(0, 4)) == 0:
            step["when"] = self.pick(CONDITIONS)
        return step

    def outside(self, name: str) -> list[dict[str, Any]]:
        calls = self._draw(st.lists(st.sampled_from(CALLS), max_size=2))
        start = {"type": "call_api", "endpoint": "crm", "path": "/x"}
        return [{"id": f"{name}{n}"} | start | more for n, more in enumerate(calls)]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A journey that the checker passes."""
    journeys = _Journeys(draw)
    written = {
        "dsl": 1,
        "journey": "j",
        "max_age": draw(st.sampled_from(["P3D", "P365D", "PT1H"])),
        "on_enter": journeys.outside("enter"),
        "steps": [FIRST, *journeys.steps(0, 5)],
        "on_exit": journeys.outside("leave"),
    }
    return compile_journey(load_and_check(json.dumps(written).encode(), "j.yaml").journey)


users = st.fixed_dictionaries(
    {},
    optional={
        "tier": st.sampled_from(["gold", "base", None]),
        "age": st.one_of(st.integers(0, 99), st.text(max_size=3)),
        "born": st.sampled_from(["2026-10-01", "2026-09-01T09:00:00+02:00", "never", 7]),
        "text": st.sampled_from(["x" * 9_000, "é"]),
    },
)
zones = st.sampled_from([None, "Europe/Berlin", "Pacific/Apia", "Mars/Phobos"])
answers = st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=8)

# --- driving ---------------------------------------------------------------------------------


class Shelf:
    """The table of enrollments, with its CHECK constraint, in memory."""

    def __init__(self) -> None:
        table = EnrollmentRow.__table__  # type: ignore[attr-defined]
        self._connection = sqlite3.connect(":memory:")
        self._connection.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))

    def there_and_back(self, passage: Passage, call: Held | None) -> tuple[Passage, Held | None]:
        """The passage and its call, written and read by nobody who knew them."""
        execute = self._connection.execute
        execute("DELETE FROM enrollments")
        row = enrollment_row(passage)
        execute(f"INSERT INTO enrollments VALUES ({', '.join('?' * len(row))})", row)
        columns = (
            "bucket, id, user_id, key, version_id, run_id, state, reason, position, started,"
            " wake_at, entered_at, outcome, data, NULL, NULL, ended_at"
        )
        read = execute(f"SELECT {columns} FROM enrollments").fetchone()
        told = passage.user
        user = read_user(told.bucket, told.id, told.timezone, json.dumps(told.attributes), None)
        published = Published(passage.version_id, "j", passage.version, passage.program)
        back = read_passage(read, user, published)
        if call is None:
            return back, None
        pending = call.call
        written = call_row(passage, pending, passage.run_id, 1)
        counts = (pending.attempts, pending.tries, pending.first_at, pending.started_by, None)
        return back, Held(back, read_call([*written[2:4], *written[5:12], *counts]))


@dataclass
class Way:
    """What a passage went through."""

    passage: Passage
    executions: list[Any] = field(default_factory=list)
    sent: list[tuple[object, ...]] = field(default_factory=list)
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    advances: int = 0


def drive(
    program: Program,
    attributes: dict[str, object],
    zone: str | None,
    script: Sequence[tuple[int, Any]],
    *,
    shelf: Shelf | None = None,
    leave_after: int | None = None,
) -> Way:
    """Take one user through; with a ``shelf`` he is put there after each advance."""
    known = {name: value for name, value in attributes.items() if value is not None}
    user = User("u1", 3, zone, known)
    passage = Passage(5, user, program, "k", NOW, {}, 2, 1, 9, position=program.first)
    way, now, held, result = Way(passage), NOW, None, None
    while passage.state is not State.ENDED:
        way.advances += 1
        assert way.advances < MOST_ADVANCES, "it goes on for ever"
        if way.advances == leave_after and passage.outcome is None:
            done = leave(passage, now, WORLD, "restarted")
            if held is not None:
                done = drop(passage, now, WORLD, attempts=held.call.attempts)
        else:
            done = advance(passage, now, WORLD, result)
        held = _note(way, passage, done, held, now)
        if shelf is not None:
            passage, held = shelf.there_and_back(passage, held)
        if done.again is not None:
            now = max(now, done.again.at)
        if held is not None:
            result = _send(way, held, script, now)
            now += 1_000
        elif passage.state is State.WAITING:
            assert passage.wake_at is not None
            assert passage.wake_at > now
            now, result = passage.wake_at, None
    way.passage = passage
    return way


def _note(way: Way, passage: Passage, done: Advanced, held: Held | None, now: int) -> Held | None:
    """Keep what an advance made, as the engine does; the call that is now to be made."""
    ledger = Ledger(Changes(9), now, "installation")
    ledger.note(passage, done, held.call if held else None)
    ledger.close()
    way.executions += done.executions
    for (_, _, step, kind, _), (n, _) in ledger.changes.counts.items():
        way.counts[step, kind] += n
    _check_counts(way, passage)
    if done.again is not None:
        return held
    assert len(ledger.calls) == (passage.state is State.CALLING)
    return ledger.calls[0] if ledger.calls else None


def _check_counts(way: Way, passage: Passage) -> None:
    """Who entered a step has succeeded, failed, was skipped, or still stands there."""
    for number in range(len(passage.program.nodes)):
        over = sum(
            way.counts[number, kind] for kind in (store.SUCCEEDED, store.FAILED, store.SKIPPED)
        )
        stands = passage.position == number and passage.started > 0
        assert way.counts[number, store.ENTERED] == over + stands
    assert way.counts[-1, store.OUTCOME] == (passage.state is State.ENDED)


def _send(way: Way, held: Held, script: Sequence[tuple[int, Any]], now: int) -> Result:
    call = held.call
    status, said = script[len(way.sent) % len(script)]
    way.sent.append((call.key, call.target, call.headers, call.content_type, call.body))
    call.attempts, call.tries = call.attempts + 1, call.tries + 1
    call.first_at = call.first_at or now
    failure = said if status == 0 else None
    body = b"" if said is None else json.dumps(said).encode()
    headers = {"content-type": "application/json"}
    answer = Answer(failure=failure) if failure else Answer(status, headers, body)
    return Result(answer, failure, "", call.attempts, call.tries, call.first_at)


def _same(one: Way, other: Way) -> None:
    assert one.executions == other.executions
    assert one.sent == other.sent
    assert one.counts == other.counts
    for name in ("outcome", "vars", "steps", "moves", "unwaited", "ended_at", "position"):
        assert getattr(one.passage, name) == getattr(other.passage, name), name
    assert one.passage.user == other.passage.user


@given(programs(), users, zones, answers)
def test_stopping_after_every_advance_changes_nothing(
    program: Program,
    attributes: dict[str, object],
    zone: str | None,
    script: list[tuple[int, Any]],
) -> None:
    straight = drive(program, attributes, zone, script)
    _same(straight, drive(program, attributes, zone, script))
    _same(straight, drive(program, attributes, zone, script, shelf=Shelf()))
    assert straight.passage.outcome is not None


@given(programs(), users, answers, st.integers(1, 6))
def test_leaving_at_any_moment_ends_it_with_its_counts_right(
    program: Program,
    attributes: dict[str, object],
    script: list[tuple[int, Any]],
    after: int,
) -> None:
    way = drive(program, attributes, None, script, shelf=Shelf(), leave_after=after)
    assert way.passage.state is State.ENDED
    visits = Counter((e.step, e.visit) for e in way.executions)
    assert set(visits.values()) <= {1}, "each visit of a step is one execution"


@given(programs(), users, answers)
def test_a_repeated_attempt_is_the_same_request_with_the_same_key(
    program: Program, attributes: dict[str, object], script: list[tuple[int, Any]]
) -> None:
    way = drive(program, attributes, None, script)
    requests: dict[object, set[tuple[object, ...]]] = {}
    for key, *request in way.sent:
        requests.setdefault(key, set()).add(tuple(request))
    assert all(len(same) == 1 for same in requests.values())
    called = [e for e in way.executions if e.attempts]
    assert len(requests) == len(called)
    assert sum(e.attempts for e in called) == len(way.sent)
