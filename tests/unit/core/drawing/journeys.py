"""Journeys to draw: from text, and at random."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from engine.core.dsl.load import load
from engine.core.dsl.program import Program, compile_journey

_TITLES = ["a", "Ask somebody to call, politely and at a good time of the day", "x" * 120]
_CONDITIONS = ["user.a", "user.tier == 'gold' and not user.unsubscribed and vars.score >= 80"]


def program(text: str) -> Program:
    """The journey in ``text``; ``dsl`` and ``journey`` are added where they are missing."""
    head = "" if text.startswith(("dsl", "{")) else "dsl: 1\njourney: drawn\n"
    return compile_journey(load((head + text).encode(), "drawn.yaml").journey)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A journey with bodies in bodies and jumps in all directions."""
    return program(json.dumps(_Author(draw).journey()))


class _Author:
    """Writes a journey by lot."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._number = 0
        self._most = draw(st.integers(0, 12))

    def journey(self) -> dict[str, Any]:
        written: dict[str, Any] = {
            "dsl": 1,
            "journey": "j",
            "on_enter": self._calls("in"),
            "on_exit": self._calls("out"),
            "steps": self._steps(0),
        }
        missing = range(self._number, self._most + 1)
        written["steps"] += [{"id": f"s{n}", "type": "exit"} for n in missing]
        return written

    def _now_and_then(self) -> bool:
        return self._draw(st.integers(0, 3)) == 0

    def _jump(self) -> dict[str, str]:
        return {"next": f"s{self._draw(st.integers(0, self._most))}"}

    def _way(self) -> Any:
        return self._draw(st.sampled_from(["continue", "exit", self._jump()]))

    def _calls(self, name: str) -> list[dict[str, Any]]:
        return [
            {"id": f"{name}{n}", "type": "call_api", "endpoint": "crm", "on_failure": self._way()}
            for n in range(self._draw(st.integers(0, 2)))
        ]

    def _steps(self, depth: int) -> list[dict[str, Any]]:
        return [self._step(depth) for _ in range(self._draw(st.integers(1, 2 if depth else 4)))]

    def _step(self, depth: int) -> dict[str, Any]:
        one: dict[str, Any] = {"id": f"s{self._number}"}
        self._number += 1
        one |= self._kind(depth)
        if self._now_and_then():
            one["when"] = self._draw(st.sampled_from(_CONDITIONS))
        if self._now_and_then():
            one["title"] = self._draw(st.sampled_from(_TITLES))
        if one["type"] != "exit" and self._now_and_then():
            one |= self._jump()
        return one

    def _kind(self, depth: int) -> dict[str, Any]:
        several = range(self._draw(st.integers(1, 4)))
        match self._draw(st.integers(0, 6)):
            case 0:
                return {"type": "call_api", "endpoint": "crm", "on_failure": self._way()}
            case 1:
                until = {"date": "user.day", "past": self._way(), "missing": self._way()}
                return {"type": "wait", "until": until}
            case 2:
                events = [{"event": f"e{n}"} for n in several]
                return {"type": "wait_for", "within": "P2D", **self._ways("any", events, depth)}
            case 3:
                paths = [{"name": f"p{n}", "when": _CONDITIONS[n % 2]} for n in several]
                return {"type": "branch", **self._ways("paths", paths, depth)}
            case 4:
                arms = [{"name": f"arm{n}", "weight": 1} for n in several]
                return {"type": "split", **self._ways("arms", arms, depth)}
            case 5:
                return {"type": "exit"}
        return {"type": "wait", "for": "P1D"}

    def _ways(self, key: str, made: list[dict[str, Any]], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {key: [{**one, **self._body(depth)} for one in made]}
        if key != "arms" and self._draw(st.booleans()):
            inside = {"steps": self._steps(depth + 1)} if depth < 2 else self._jump()["next"]
            found["otherwise"] = inside
        return found

    def _body(self, depth: int) -> dict[str, Any]:
        kinds = ["on", "next", "steps", "steps"] if depth < 2 else ["on", "next"]
        kind = self._draw(st.sampled_from(kinds))
        if kind == "steps":
            return {"steps": self._steps(depth + 1)}
        return self._jump() if kind == "next" else {}
