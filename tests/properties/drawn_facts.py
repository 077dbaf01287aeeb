"""What happens to users by lot, and what of a journey listens to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from engine.core.steps.facts import Change, Event, Fact

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EVENTS = ("e1", "e1", "come", "e2")
_WHERE = [None, None, None, "event.n == 1", "event.n == inputs.n", "event.n > user.age"]
_ARRIVES = [None, None, None, None, "event.n == 1", "event.n > user.age", "has_event('e2')"]
_HOLDS = [
    "event_count('e1') > 1",
    "user.tier == 'gold'",
    "user.age > 30",
    "user.age > vars.n",
    "has_event('e2')",
    "event_count('come') == 2 or user.tier == 'base'",
]
COUNTS = [
    "has_event('e1')",
    "event_count('e1', 'PT2H') > 1",
    "event_count('come') > vars.n",
    "steps.{step}.status == 'succeeded' and has_event('e2', 'P2D')",
]
_SCHEDULES = ["0 9 * * *", "30 2 * * *", "15 */6 * * *"]
_AUDIENCES = ["user.tier == 'gold'", "user.age > 17", "user.born == none", "has_event('e1')"]
_KEPT: list[dict[str, Any]] = [
    {"vars.n": "event.n"},
    {"vars.n": "event.n | default(0)", "vars.t": "event_time"},
    {"user.tier": "event.n"},
    {"user.age": "event.n", "user.born": "event.born"},
    {"vars.w": "[event_name, event_id, user.tier]"},
]
_MADE: list[dict[str, Any]] = [
    {},
    {"n": "{{ vars.n | default(1) }}"},
    {"n": "{{ user.age }}", "who": "{{ user.id }}"},
    {"n": 1, "born": "2026-10-30T12:00:00+02:00"},
]

Pick = Callable[[Sequence[Any]], Any]


class Listening:
    """Draws what listens. ``pick`` takes one of several; if ``clocked``, clocks let users in."""

    def __init__(self, draw: st.DrawFn, pick: Pick, *, clocked: bool = False) -> None:
        self._draw = draw
        self._pick = pick
        self._clocked = clocked

    def occurrence(self) -> dict[str, Any]:
        """An event, perhaps narrowed, or a condition."""
        if self._pick([True, True, True, False]):
            where = self._pick(_WHERE)
            return {"event": self._pick(EVENTS), **({"where": where} if where else {})}
        return {"when": self._pick(_HOLDS)}

    def wait_for(self, body: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What a ``wait_for`` says besides its id."""
        ways = []
        for _ in range(self._draw(st.integers(1, 3))):
            way = self.occurrence()
            if "event" in way and self._pick([True, False]):
                way["outputs"] = self._pick(_KEPT)
            ways.append({**way, **body()})
        step: dict[str, Any] = {"any": ways, "within": self._pick(["P2D", "PT10M", "PT1H", "P9D"])}
        if self._pick([True, False]):
            step["since"] = "entry"
        if self._pick([True, False]):
            step["otherwise"] = "last" if self._pick([True, False]) else body() or "last"
        return step

    def emit(self) -> dict[str, Any]:
        """What an ``emit`` says besides its id."""
        return {"event": self._pick(EVENTS), "properties": self._pick(_MADE)}

    def start_journey(self) -> dict[str, Any]:
        """What a ``start_journey`` says besides its id: the other journey isn't there."""
        return {"journey": "other", "inputs": {"n": self._pick(["vars.n", "user.age"])}}

    def around(self) -> dict[str, Any]:
        """Goals and exit rules."""
        goals = [
            {
                "name": name,
                **self.occurrence(),
                **self._pick([{}, {}, {"within": "PT1H"}, {"within": "P30D"}]),
                **self._pick([{}, {"exit": False}, {"exit": False}]),
            }
            for name in ("won", "kept")[: self._pick([2, 1, 1, 0])]
        ]
        rules = [self.occurrence() for _ in range(self._pick([1, 0, 0, 2]))]
        return {**({"goals": goals} if goals else {}), **({"exit": rules} if rules else {})}

    def triggers(self) -> list[dict[str, Any]]:
        """Events, audiences and clocks that let users in."""
        others = [self._trigger() for _ in range(self._draw(st.integers(1, 3)))]
        if not self._clocked:
            return others
        clocks = [self._clock() for _ in range(self._draw(st.integers(1, 2)))]
        return [*clocks, *others[1:]]

    def _clock(self) -> dict[str, Any]:
        inputs = {"n": self._pick(["user.age | default(1)", "1", "user.tier | default(2)"])}
        if self._pick([True, False]):
            drawn = {
                "schedule": self._pick(_SCHEDULES),
                "timezone": self._pick([None, "user", "Europe/Berlin"]),
                "audience": self._pick([None, *_AUDIENCES]),
            }
        else:
            drawn = {
                "date": "user.born",
                "offset": self._pick([None, "-P1D", "PT36H"]),
                "time": self._pick([None, "09:00", "02:30"]),
                "grace": self._pick([None, "PT1H", "P3D"]),
            }
        said = {name: value for name, value in drawn.items() if value is not None}
        return {**said, "inputs": inputs}

    def _trigger(self) -> dict[str, Any]:
        if self._pick([True, True, True, False]):
            where = self._pick(_ARRIVES)
            said = self._pick([{"inputs": {"n": "event.n | default(user.age | default(1))"}}, {}])
            event = self._pick(["e1", "come"])
            return {"event": event, **({"where": where} if where else {}), **said}
        inputs = {"n": self._pick(["user.age", "1", "user.tier | default(2)"])}
        return {"audience": self._pick(_AUDIENCES), "inputs": inputs}


_PROPERTIES: list[dict[str, object]] = [
    {},
    {"n": 1},
    {"n": 1},
    {"n": 2.5},
    {"n": "gold"},
    {"n": [2]},
    {"n": None},
    {"n": 40, "born": "2026-10-28"},
]
_VALUES: list[dict[str, object]] = [
    {"tier": "gold"},
    {"tier": "base", "age": 40},
    {"tier": None},
    {"age": 3},
    {"age": None, "pause": "PT45M"},
    {"born": "2026-10-28"},
    {"born": "2026-10-29T10:00:00"},
    {"born": None},
    {"born": "never"},
    {"timezone": "Asia/Kathmandu"},
    {"timezone": "America/New_York", "tier": "gold"},
    {"timezone": None},
    {"timezone": "Mars/Phobos"},
    {"unheard": 1},
]
# Many at one moment, and at those moments at which waits and windows are over.
_AFTER = [
    *(10 * MINUTE, 10 * MINUTE, 1, 1, MINUTE, 45 * MINUTE, HOUR, HOUR, HOUR + 1),
    *(5_200_000_000, 2 * HOUR, DAY, DAY, 2 * DAY, 2 * DAY, 3 * DAY, 9 * DAY, 30 * DAY),
]


@st.composite
def facts_of(draw: st.DrawFn, user: str, start: int, *, before: bool) -> tuple[Fact, ...]:
    """What happens to a user, in order of time: after ``start``, and ``before`` it, too, which
    others know of and nobody hears.
    """
    facts: list[Fact] = []
    times = draw(st.lists(st.sampled_from(_AFTER), min_size=1, max_size=8))
    if before:
        times += [-after for after in draw(st.lists(st.sampled_from(_AFTER), max_size=2))]
    for number, after in enumerate(sorted(times)):
        at = start + after
        if after < 0 or draw(st.integers(0, 2)):
            said = draw(st.sampled_from(_PROPERTIES))
            facts.append(Event(0, at, draw(st.sampled_from(EVENTS)), said, f"{user}-{number}"))
        else:
            facts.append(Change(0, at, draw(st.sampled_from(_VALUES)), {}))
    return tuple(facts)
