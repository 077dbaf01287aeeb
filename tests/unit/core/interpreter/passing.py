"""Journeys as an author writes them, a user in them, and what one advance made of him."""

from __future__ import annotations

import json
from typing import Any

from engine.core.dsl.check import load_and_check
from engine.core.dsl.program import Program, compile_journey
from engine.core.interpreter.advance import World, advance
from engine.core.interpreter.state import Advanced, Passage, User
from engine.core.message import Answer
from engine.core.steps.base import Result

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
WORLD = World({})


def journey(*steps: dict[str, Any], **more: Any) -> Program:
    """A journey of these steps, checked and compiled."""
    written = {"dsl": 1, "journey": "j", "steps": list(steps), **more}
    return compile_journey(load_and_check(json.dumps(written).encode(), "j.yaml").journey)


def call(name: str = "ask", **more: Any) -> dict[str, Any]:
    """A ``call_api`` step."""
    return {"id": name, "type": "call_api", "endpoint": "crm", "path": f"/{name}", **more}


def put(name: str = "put", **values: Any) -> dict[str, Any]:
    """A ``set`` step that writes ``vars``."""
    written = {f"vars.{key}": value for key, value in values.items()} or {"vars.done": True}
    return {"id": name, "type": "set", "values": written}


def pause(name: str = "rest", span: str = "P1D") -> dict[str, Any]:
    """A ``wait`` step."""
    return {"id": name, "type": "wait", "for": span}


def entered(
    program: Program,
    *,
    user: User | None = None,
    inputs: dict[str, object] | None = None,
    key: str = "",
    at: int = NOW,
    **attributes: object,
) -> Passage:
    """A passage at its beginning."""
    return Passage(
        id=7,
        user=user or User("u1", 3, None, dict(attributes)),
        program=program,
        key=key,
        entered_at=at,
        inputs=inputs or {},
        position=program.first,
    )


def go(
    passage: Passage, now: int = NOW, result: Result | None = None, world: World = WORLD
) -> Advanced:
    """One advance."""
    return advance(passage, now, world, result)


def answer(
    status: int = 200,
    body: object = None,
    *,
    tries: int = 1,
    attempts: int | None = None,
    first_at: int = NOW,
    credential_version: int | None = None,
) -> Result:
    """An HTTP answer with a JSON body, or none."""
    said = b"" if body is None else json.dumps(body).encode()
    return Result(
        Answer(status=status, headers={"content-type": "application/json"}, body=said),
        None,
        "",
        tries if attempts is None else attempts,
        tries,
        first_at,
        credential_version,
    )


def taken(passage: Passage, advanced: Advanced) -> list[tuple[str, str]]:
    """The steps an advance took: (id, status)."""
    nodes = passage.program.nodes
    return [(nodes[e.step].step.id, e.status) for e in advanced.executions]


def failures(passage: Passage, advanced: Advanced) -> dict[str, str | None]:
    """The failures of the steps an advance took, by id."""
    nodes = passage.program.nodes
    return {nodes[e.step].step.id: e.failure for e in advanced.executions if e.failure}


def stands_at(passage: Passage) -> str:
    """The id of the step the passage stands at."""
    return passage.program.nodes[passage.position].step.id
