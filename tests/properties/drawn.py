"""Whole cases by lot: a journey, users, what happens to them, endpoints and answers.

Left out is what a simulation leaves out: other journeys that a step starts, and waiting for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from hypothesis import strategies as st

from engine.core.dsl.check import LoadedAndChecked, load_and_check
from engine.core.dsl.contact_policy import ContactPolicy
from engine.core.message import Answer
from engine.core.steps.facts import Fact
from engine.endpoints.model import Endpoint
from engine.users.row import UserRow
from tests.properties.drawn_facts import COUNTS, Listening, facts_of

START = 1_793_000_000_000_000  # a Monday, five days before a change of the clock in Berlin
SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
ENDPOINTS = ("crm", "sms")


@dataclass(frozen=True)
class Entry:
    """A moment at which all users are let in, and with what."""

    at: int
    inputs: dict[str, object]


@dataclass(frozen=True)
class Case:
    """Everything that decides. ``answers`` are given in turn to the requests that a user sends to
    an endpoint, beginning with another one for each, or by lot if there may be several passages of
    his; users who enter once bring their own inputs.
    ``facts`` are what happens to each user; if ``triggered``, the journey's triggers let users in,
    and nobody enters otherwise. If ``twice``, everything is told twice. It begins at ``start``.
    """

    journey: dict[str, Any]
    users: tuple[UserRow, ...]
    endpoints: tuple[Endpoint, ...]
    answers: tuple[Answer, ...]
    zone: str
    horizon: int
    entries: tuple[Entry, ...] = ()
    facts: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)
    triggered: bool = False
    twice: bool = False
    policy: ContactPolicy | None = None
    start: int = START

    @property
    def source(self) -> bytes:
        """The journey's file."""
        return json.dumps(self.journey).encode()

    @property
    def several(self) -> bool:
        """Whether a user may be on several passages at once."""
        return bool(self.entries) or self.triggered

    @cached_property
    def checked(self) -> LoadedAndChecked:
        """The journey, which the checker passes."""
        return load_and_check(self.source, "j.yaml")

    def answer(self, user: str, endpoint: str, number: int) -> Answer:
        """What the request ``number`` (from 0) of a user to an endpoint gets."""
        place = number + 3 * int(user[1:]) + ENDPOINTS.index(endpoint)
        return self.answers[place % len(self.answers)]


# --- journeys --------------------------------------------------------------------------------

_CONDITIONS = [
    "user.tier == 'gold'",
    "user.tier in ['gold', 'base']",
    "user.age > 17",
    "not user.age",
    "user.age * 2 < 60 or user.born == none",
    "vars.n > 1",
    "vars.n == vars.m",
    "inputs.n > 1",
    "steps.first.status == 'failed'",
    "steps.{step}.status == 'failed'",
    "steps.{step}.failure in ['call.server_error', 'call.timed_out', 'step.too_big']",
    "steps.{step}.http_status >= 400 or steps.{step}.attempts > 1",
    "steps.{step}.arm == 'a'",
    "visits('{step}') > 1",
    "days_until(user.born) > 3",
    "now > date('2026-10-27')",
    "enrollment.entered_at < now",
]
_WAITS: list[dict[str, Any]] = [
    {"for": "PT10M"},
    {"for": "P2D"},
    {"for": "P1M"},
    {"for": "{{ user.pause | default('P1D') }}"},
    {"until": {"time": "09:00"}},
    {"until": {"time": "02:30", "days": 5}},
    {"until": {"time": "09:00", "weekdays": ["mon", "fri"], "timezone": "Asia/Kathmandu"}},
    {"until": {"weekdays": ["sun"]}},
    {"until": {"days": 2}},
    {"until": {"date": "user.born", "missing": "continue"}},
    {"until": {"date": "user.born", "time": "10:00", "missing": "exit", "past": "exit"}},
    {"until": {"date": "user.born", "offset": "-P1D", "missing": {"next": "last"}}},
    {"until": {"date": "vars.t", "offset": "PT5M", "missing": "continue"}},
    {"until": {"date": "user.born", "missing": "continue", "past": {"next": "last"}}},
]
_CALLS: list[dict[str, Any]] = [
    {},
    {"body": {"n": "{{ vars.n | default(0) }}", "who": "{{ user.id }}", "at": "{{ now }}"}},
    {"body": {"n": "{{ user.tier }}"}},
    {"path": "/u/{{ user.tier | default('x') }}", "method": "PUT", "text": "{{ user.id }}"},
    {"path": "/u/{{ user.tier }}", "query": {"q": "ü {{ user.id }}", "l": [1, None]}},
    {"method": "GET", "headers": {"X-Key": "a{{ user.tier | default('é') }}"}},
    {"form": {"a": "{{ user.age | default(1.5) }}", "b": "{{ inputs.n | default('') }}"}},
    {"outputs": {"vars.n": "response.body.n"}},
    {"outputs": {"vars.n": "response.body.n | default(0)", "vars.s": "response.status"}},
    {"outputs": {"user.tier": "response.body.n", "user.age": "none"}},
    {"outputs": {"vars.t": "now", "vars.l": "response.body", "user.born": "response.body.born"}},
    {"outputs": {"vars.big{number}": "response.body | default(1)"}},
    {"outputs": {"user.big{number}": "response.body | default(1)"}},
    {"outputs": {"vars.h": "response.headers['x-a'] | default('')", "vars.x": "response.text"}},
    {"success": {"when": "response.body.n == 1"}},
    {"success": {"status": ["2xx", 404]}},
]
_RETRIES: list[dict[str, Any]] = [
    {"attempts": 1},
    {"attempts": 2, "delay": "PT1S", "when": ["5xx"]},
    {"attempts": 5, "delay": "PT30M", "max_delay": "PT6H", "within": "P2D"},
    {"attempts": 9, "delay": "PT10M", "max_delay": "PT1H", "within": "PT2H"},
]
_VALUES: list[dict[str, Any]] = [
    {"vars.n": "{{ vars.n | default(0) + 1 }}"},
    {"vars.m": "{{ vars.n }}", "vars.n": "{{ inputs.n }}"},
    {"user.tier": "gold", "vars.t": "{{ now }}"},
    {"user.tier": "{{ none }}", "vars.x": [1, {"a": "{{ user.tier | default('ñ') }}"}]},
    {"user.timezone": "America/New_York"},
    {"user.timezone": "{{ user.tier | default(none) }}"},
    {"user.born": "2026-10-29T10:00:00"},
    {"vars.l": "{{ [1.0, 1e300, -0.0, 9007199254740993] }}", "vars.d": "{{ date(user.born) }}"},
    {"vars.big{number}": "{{ user.text | default('x') }}"},
]


class _Journeys:
    """Draws one journey: a step, a set, ends it, which forward jumps go to."""

    def __init__(
        self,
        draw: st.DrawFn,
        *,
        once: bool,
        events: bool = False,
        triggered: bool = False,
        clocked: bool = False,
        most_rounds: int = 1_200,
    ) -> None:
        self._draw = draw
        self._once = once
        self._triggered = triggered
        self._most_rounds = most_rounds
        self._listening = Listening(draw, self.pick, clocked=clocked) if events else None
        self._steps = 0
        self._ways: list[dict[str, Any]] = [{}]

    def whole(self) -> dict[str, Any]:
        """The journey."""
        max_age = self.pick(["P365D", "P365D", "P3D", "PT1H"])
        known = {"vars.n": 0, "vars.m": 1, "vars.f": 2.0, "vars.t": "{{ now }}"}
        first: dict[str, Any] = {"id": "first", "type": "set", "values": known}
        on_enter = self._outside("enter")
        steps = self._some(0, 5)
        if self._listening is not None and not self.one_in(4):  # so that he is there for a while
            steps.insert(0, self._step(0, self.pick(["wait_for", "wait_for", "wait"])))
        if max_age != "P365D" and self.one_in(3):
            steps.append({"id": "again", "type": "wait", "for": "PT30M", "next": "first"})
            steps.append({"id": "last", "type": "set", "when": "false", "values": {"vars.z": 1}})
        else:
            steps.append({"id": "last", "type": "set", "values": {"vars.z": 1}})
        return {
            "dsl": 1,
            "journey": "j",
            **({"timezone": "Asia/Tokyo"} if self.one_in(3) else {}),
            "max_age": max_age,
            "entry": self._entry(),
            **({} if self._listening is None else self._listening.around()),
            "on_enter": on_enter,
            "steps": [first, *steps],
            "on_exit": self._outside("leave"),
        }

    def pick(self, choices: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(choices))

    def one_in(self, n: int) -> bool:
        return self._draw(st.integers(0, n - 1)) == n - 1

    def _entry(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"inputs": {"n": "any"}}
        if self.one_in(5):
            entry["holdout"] = 50
        if self._listening is None and self.one_in(3):
            entry["key"] = self.pick(["user.tier", "user.age", "user.id", "user.text"])
        if self._once:
            return entry
        triggers = [{"event": "come"}]
        if self._triggered and self._listening is not None:
            triggers = self._listening.triggers()
        entry["triggers"] = triggers
        entry["key"] = self.pick(["inputs.n", "'k'", "'k'"])
        mode = self.pick([*["restart"] * 4, "after_exit", "once"])
        entry["reentry"] = {"mode": mode}
        if self.one_in(4):
            entry["reentry"]["cooldown"] = self.pick(["PT1H", "P1D"])
        if self.one_in(4):
            entry["reentry"]["limit"] = {"count": 2, "per": self.pick(["PT2H", "P2D"])}
        return entry

    def _outside(self, name: str) -> list[dict[str, Any]]:
        return [self._call(f"{name}{n}") for n in range(self._draw(st.integers(0, 2)))]

    def _some(self, depth: int, most: int) -> list[dict[str, Any]]:
        return [self._step(depth) for _ in range(self._draw(st.integers(1, most)))]

    def _step(self, depth: int, kind: str = "") -> dict[str, Any]:
        number, self._steps = self._steps, self._steps + 1
        id_ = f"s{number}"
        kinds = ["call_api", "call_api", "wait", "wait", "set", "exit"]
        if self._listening is not None:
            kinds = [*["wait_for"] * 3, *kinds, "emit", "start_journey"]
        if depth < 2:
            kinds += ["branch", "split", "jump"]
        kind = kind or self.pick(kinds)
        step = getattr(self, f"_{kind}")(id_, depth)
        if kind == "exit" or (kind != "jump" and self.one_in(5)):
            step["when"] = self._condition()
        return step  # type: ignore[no-any-return]

    def _condition(self) -> str:
        known = f"s{self._draw(st.integers(0, self._steps - 1))}"
        if self._listening is not None and self.one_in(3):
            return self.pick(COUNTS).replace("{step}", known)  # type: ignore[no-any-return]
        return self.pick(_CONDITIONS).replace("{step}", known)  # type: ignore[no-any-return]

    def _call_api(self, id_: str, _depth: int) -> dict[str, Any]:
        return self._call(id_, jumps=True)

    def _call(self, id_: str, *, jumps: bool = False) -> dict[str, Any]:
        more = _numbered(self.pick(_CALLS), id_)
        call = {"id": id_, "type": "call_api", "endpoint": self.pick(ENDPOINTS), **more}
        if self.one_in(3):
            call["retry"] = self.pick(_RETRIES)
        if self.one_in(4):
            call["timeout"] = "PT3S"
        if self.one_in(5):
            call["contact"] = False
        if jumps and self.one_in(2):
            call["on_failure"] = self.pick(["exit", {"next": "last"}])
        return call

    def _wait(self, id_: str, _depth: int) -> dict[str, Any]:
        return {"id": id_, "type": "wait", **self.pick(_WAITS)}

    def _wait_for(self, id_: str, depth: int) -> dict[str, Any]:
        assert self._listening is not None
        # No deeper: else there would be no end to it.
        body = partial(self._body, 1) if depth == 0 else partial(self.pick, [{}, {"next": "last"}])
        return {"id": id_, "type": "wait_for", **self._listening.wait_for(body)}

    def _emit(self, id_: str, _depth: int) -> dict[str, Any]:
        assert self._listening is not None
        return {"id": id_, "type": "emit", **self._listening.emit()}

    def _start_journey(self, id_: str, _depth: int) -> dict[str, Any]:
        assert self._listening is not None
        return {"id": id_, "type": "start_journey", **self._listening.start_journey()}

    def _set(self, id_: str, _depth: int) -> dict[str, Any]:
        return {"id": id_, "type": "set", "values": _numbered(self.pick(_VALUES), id_)}

    def _exit(self, id_: str, _depth: int) -> dict[str, Any]:
        return {"id": id_, "type": "exit", "outcome": self.pick(["completed", "left"])}

    def _jump(self, id_: str, _depth: int) -> dict[str, Any]:
        back = f"s{self._draw(st.integers(0, int(id_[1:])))}"
        limit = self.pick([2, 2, 3, self._most_rounds] if self._listening is None else [2, 3])
        return {
            "id": id_,
            "type": "branch",
            "paths": [{"name": "back", "when": f"visits('{id_}') < {limit}", "next": back}],
        }

    def _branch(self, id_: str, depth: int) -> dict[str, Any]:
        paths = [
            {"name": name, "when": self._condition(), **self._body(depth)}
            for name in ("p", "q")[: self._draw(st.integers(1, 2))]
        ]
        step: dict[str, Any] = {"id": id_, "type": "branch", "paths": paths}
        if self.one_in(2):
            step["otherwise"] = {"steps": self._some(depth + 1, 2)}
        return step

    def _split(self, id_: str, depth: int) -> dict[str, Any]:
        arms = [
            {"name": name, "weight": weight, **self._body(depth)}
            for name, weight in (("a", 1), ("b", 2.5), ("c", 0))
        ]
        salt = {"salt": "same"} if self.one_in(2) else {}
        return {"id": id_, "type": "split", "arms": arms, **salt}

    def _body(self, depth: int) -> dict[str, Any]:
        way = self.pick(["steps", "on", "next"])
        if way == "next":
            return {"next": "last"}
        return {"steps": self._some(depth + 1, 2)} if way == "steps" else {}


def _numbered(written: dict[str, Any], id_: str) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(json.dumps(written).replace("{number}", f"_{id_}"))
    return text


# --- the world -------------------------------------------------------------------------------

_JSON = {"content-type": "application/json"}
_BIG = json.dumps({"n": 1, "big": ["x" * 10_000] * 7}).encode()
_SAID: list[Answer] = [
    Answer(200, _JSON, b'{"n": 1}'),
    Answer(201, _JSON, b'{"n": 9007199254740993, "born": "2026-10-30T12:00:00+02:00"}'),
    Answer(200, {"x-a": "A", **_JSON}, b'{"n": 1.0, "born": "never"}'),
    Answer(200, _JSON, b'{"n": "gold", "born": 7}'),
    Answer(200, _JSON, b'{"n": [1, {"a": -0.0, "b": 1e-7}], "born": null}'),
    Answer(200, _JSON, b'{"n": "\\u0000\\u2028\\ud83d\\ude00"}'),
    Answer(200, _JSON, _BIG),
    Answer(200, _JSON, b"[" * 60 + b"]" * 60),
    Answer(200, _JSON, b'{"n": '),
    Answer(200, _JSON, b'{"n": NaN}'),
    Answer(200, {}, b'{"n": 2}'),
    Answer(200, {"content-type": "text/plain"}, b"\xff\xfe"),
    Answer(204),
    Answer(302, {"location": "/"}),
    Answer(401),
    Answer(404, _JSON, b'{"n": 1}'),
    Answer(429, {"retry-after": "90"}),
    Answer(429, {"retry-after": "Sun, 25 Oct 2026 23:00:00 GMT"}),
    Answer(500, {"retry-after": "90"}),
    Answer(503, {"retry-after": "a while"}),
    Answer(503),
    Answer(failure="call.timed_out", text="no answer in time"),
    Answer(failure="call.unreachable", text="no connection", may_have_been_sent=False),
    Answer(failure="call.unreachable", text="closed before the answer's end"),
    Answer(failure="call.bad_response", text="over 1 MiB"),
    Answer(failure="call.blocked", text="not this address", may_have_been_sent=False),
]
_MISSING = object()
_ATTRIBUTES: dict[str, list[object]] = {
    "tier": [_MISSING, "gold", "base", None, 3, ["gold"], "..", "a/b"],
    "age": [_MISSING, 0, 17.5, "old", True, {"years": 3}],
    "born": [_MISSING, "2026-10-28", "2026-09-01T09:00:00+02:00", "never", 7, None],
    "pause": [_MISSING, _MISSING, "PT45M", "soon", 3],
    "text": [_MISSING, _MISSING, "x" * 16_000, "é"],
}
_INPUTS: list[dict[str, object]] = [{"n": 1}, {"n": 1}, {"n": 2.5}, {"n": "x"}, {"n": [2]}, {}]
_ZONES = [None, "Europe/Berlin", "Pacific/Apia", "America/New_York", "Mars/Phobos"]


@st.composite
def _users(draw: st.DrawFn, *, some: int) -> tuple[UserRow, ...]:
    """Users who bring one of ``some`` inputs."""
    rows = []
    for number in range(draw(st.integers(1, 3))):
        drawn = {name: draw(st.sampled_from(ones)) for name, ones in _ATTRIBUTES.items()}
        known = {name: value for name, value in drawn.items() if value is not _MISSING}
        zone = draw(st.sampled_from(_ZONES))
        brought = draw(st.sampled_from(_INPUTS[:some])) if some else {}
        rows.append(UserRow(number + 2, f"u{number}", zone, known, dict(brought)))
    return tuple(rows)


_TERMS: list[dict[str, Any]] = [
    {},
    {"retry": {"attempts": 4, "delay": "PT10S"}, "timeout": "PT5S"},
    {"success": {"status": ["200-204"]}, "headers": {"X-Shop": "1"}},
    {"success": {"when": "response.status < 300 and response.body.n"}},
    {"idempotency_header": "none"},
]


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    slow: bool = False,
    crashing: bool = False,
    horizons: bool = False,
    entering: bool = False,
    events: bool = False,
    triggered: bool = False,
    clocked: bool = False,
) -> Case:
    """A case, with ``events`` that happen to users, who are let in by them if ``triggered``, and by
    schedules and dates, too, if ``clocked``: then it is over in a week.

    Answers take no time unless ``slow``; calls that may be made at most once are left out if
    processes are ``crashing``, which alone decides about them; everybody has ended by the horizon
    unless ``horizons``; users enter once, at the start, unless ``entering`` or ``triggered``: then
    answers take a moment, since of those that take none it isn't laid down which of a user's
    passages comes first.
    """
    several = entering or triggered
    endpoints = []
    for name in ENDPOINTS:
        terms = dict(draw(st.sampled_from(_TERMS)))
        if not crashing and draw(st.integers(0, 3)) == 0:
            terms["delivery"] = "at_most_once"
        if not (slow or several):
            terms["concurrency"] = draw(st.sampled_from([1, 2, 100]))
        if draw(st.integers(0, 3)):
            terms["contact"] = True
        url = f"https://{name}.example"
        endpoints.append(Endpoint.model_validate({"name": name, "base_url": url, **terms}))
    answers = draw(st.lists(st.sampled_from(_SAID), min_size=1, max_size=8))
    if slow:
        answers = [_after(answer, draw(st.sampled_from(_TAKES))) for answer in answers]
    if several:
        answers = [_after(answer, answer.elapsed_us or 1) for answer in answers]
    journey = _Journeys(
        draw,
        once=not several,
        events=events,
        triggered=triggered,
        clocked=clocked,
        # More than are allowed without a wait, where each isn't a process of its own.
        most_rounds=20 if crashing or several else 1_200,
    ).whole()
    users = draw(_users(some=0 if several else 5 if events else 6))
    return Case(
        journey=journey,
        users=users,
        endpoints=tuple(endpoints),
        answers=tuple(answers),
        zone=draw(st.sampled_from(["UTC", "Europe/Istanbul"])),
        horizon=START
        + (draw(st.sampled_from(_HORIZONS)) if horizons else 7 * DAY if clocked else 400 * DAY),
        entries=draw(_entries()) if entering else (),
        facts={
            row.id: draw(facts_of(row.id, START, before=not triggered)) for row in users if events
        },
        triggered=triggered,
        twice=events and draw(st.booleans()),
        policy=draw(st.none() | _policies(holding=not several)),
    )


@st.composite
def _policies(draw: st.DrawFn, *, holding: bool) -> ContactPolicy:
    """A contact policy. Who is held wakes at a round moment, as his other passages do: what is held
    is left out unless ``holding``.
    """
    then = ["skip", "hold"] if holding else ["skip"]
    caps = st.builds(
        lambda count, per, then: {"count": count, "per": per, "then": then},
        st.integers(1, 3),
        st.sampled_from(["PT1H", "P2D", "P7D"]),
        st.sampled_from(then),
    )
    hours = st.builds(
        lambda span, then: {"from": span[0], "to": span[1], "then": then},
        st.sampled_from([("22:00", "08:00"), ("01:00", "02:30"), ("09:00", "17:00")]),
        st.sampled_from(then),
    )
    policy: dict[str, Any] = {"frequency_cap": draw(st.lists(caps, max_size=2))}
    if draw(st.booleans()):
        policy["quiet_hours"] = draw(hours)
    if draw(st.integers(0, 3)) == 0:
        policy["suppress"] = draw(st.sampled_from(["user.tier == 'gold'", "user.age * 3 > 50"]))
    if draw(st.integers(0, 3)) == 0:
        policy["holdout"] = {"percent": 40}
    return ContactPolicy.model_validate(policy)


_HORIZONS = [0, HOUR, 2 * DAY]
_TAKES = [0, 1, 40_000, 3 * SECOND, 10 * SECOND, 120 * SECOND]


def _after(answer: Answer, elapsed_us: int) -> Answer:
    return Answer(
        answer.status,
        answer.headers,
        answer.body,
        answer.failure,
        answer.text,
        answer.may_have_been_sent,
        elapsed_us,
    )


@st.composite
def _entries(draw: st.DrawFn) -> tuple[Entry, ...]:
    gaps = draw(st.lists(st.sampled_from([0, HOUR, DAY, 20 * DAY]), min_size=1, max_size=4))
    entries, at = [], START + 7
    for gap in gaps:
        # No round number: what happens at the same moment has an order of its own in each world.
        at += gap + 1_234_567
        entries.append(Entry(at, draw(st.sampled_from([*[{"n": 1}] * 3, {"n": 2}, {}]))))
    return tuple(entries)
