"""A user who stands at a step, and steps as an author writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.core.expressions.calendar import find_zone, parse_iso
from engine.core.expressions.scope import UTC_ZONE, Scope
from engine.core.message import Answer
from engine.core.steps.base import Result, View
from engine.core.steps.model import StepModel
from engine.core.steps.registry import AnyStep
from engine.core.steps.terms import Terms

NOW = 1_790_000_000_000_000
USER = {"id": "u1", "email": "u1@example.com", "timezone": None}

_steps: TypeAdapter[StepModel] = TypeAdapter(AnyStep)


def step(**written: Any) -> StepModel:
    """The step that an author writes with these keys; ``for_`` and ``await_`` are for, await."""
    keys = {key.rstrip("_"): value for key, value in written.items()}
    return _steps.validate_python({"id": "here", **keys})


def refusals(**written: Any) -> list[tuple[str, tuple[int | str, ...], dict[str, Any]]]:
    """What is wrong with a step that can't be: slugs, places and contexts."""
    try:
        step(**written)
    except ValidationError as error:
        return [(e["type"], e["loc"][1:], e.get("ctx", {})) for e in error.errors()]
    raise AssertionError("nothing was refused")


def view(
    *,
    now: int | str = NOW,
    started: int | str | None = None,
    zone: str = "UTC",
    terms: Mapping[str, Terms] | None = None,
    fallback: str | None = None,
    user_id: str = "u1",
    visit: int = 1,
    **scope: Any,
) -> View:
    """A user standing at a step; instants may be written as ISO 8601 with an offset."""
    found = find_zone(zone)
    assert found is not None
    at = instant(now)
    began = at if started is None else instant(started)
    return View(
        now=at,
        started=began,
        since=began,
        scope=Scope(now=at, zone=found, **{"user": USER, **scope}),
        journey="welcome",
        user_id=user_id,
        key="",
        step_id="here",
        visit=visit,
        terms=terms or {},
        zone_fallback=fallback,
    )


def instant(moment: int | str) -> int:
    """Microseconds UTC."""
    if isinstance(moment, int):
        return moment
    parsed = parse_iso(moment, UTC_ZONE)
    assert parsed is not None
    return parsed


def answered(
    status: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    tries: int = 1,
    first_at: int = NOW,
) -> Result:
    """An HTTP answer to a call."""
    answer = Answer(status=status, headers=headers or {}, body=body)
    return Result(answer, None, "", attempts=tries, tries=tries, first_at=first_at)


def failed(failure: str, *, tries: int = 1, first_at: int = NOW) -> Result:
    """A call that got no HTTP answer."""
    return Result(
        Answer(failure=failure, text="no answer"), failure, "no answer", tries, tries, first_at
    )
