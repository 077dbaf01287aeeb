"""Whether a journey's calls can reach their endpoints: the endpoint exists, and allows the path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from engine.core.dsl.problems import did_you_mean, one_of, quoted
from engine.core.expressions.grammar import DEFAULT_ROOTS
from engine.core.expressions.templates import cut
from engine.core.steps.call_api import CallApiStep

if TYPE_CHECKING:
    from engine.core.dsl.document import Document
    from engine.core.dsl.journey import Journey
    from engine.endpoints.model import Endpoint
    from engine.errors import Problem

_MOST_RULES = 5
_HOLE, _ANY, _ALL = "{}", "*", "**"


def reach_problems(
    journey: Journey, document: Document, endpoints: Mapping[str, Endpoint]
) -> Iterator[Problem]:
    """A warning for each call of an endpoint that isn't among ``endpoints``, and for each whose
    path its endpoint's ``allow`` covers for no user at all: it would be ``call.blocked``.
    """
    for place, step in journey.all_steps():
        if not isinstance(step, CallApiStep):
            continue
        endpoint = endpoints.get(step.endpoint)
        if endpoint is None:
            code, message = "endpoint.unknown", f"there is no endpoint {quoted(step.endpoint)}"
            remedy = did_you_mean(step.endpoint, endpoints) or one_of(endpoints)
            at = document.place((*place, "endpoint"))
        elif endpoint.allow and not _allowed(step, endpoint):
            shown = f"{step.method} {step.path.source}"
            rules = ", ".join(endpoint.allow[:_MOST_RULES])
            more = ", ..." if len(endpoint.allow) > _MOST_RULES else ""
            code = "endpoint.not_allowed"
            message = f"{quoted(step.endpoint)} doesn't allow {quoted(shown)}"
            remedy = f"it allows {rules}{more}"
            at = document.place((*place, "path"))
        else:
            continue
        yield document.lines.problem(code, message, at, remedy, severity="warning")


def _allowed(step: CallApiStep, endpoint: Endpoint) -> bool:
    path: list[str] = []
    for piece in cut(step.path.source, DEFAULT_ROOTS):
        path.extend(piece if isinstance(piece, str) else (_HOLE,))
    for rule in endpoint.allow:
        method, _, pattern = rule.partition(" ")
        if method in ("*", step.method) and can_match(_tokens(pattern.strip()), path):
            return True
    return False


def _tokens(pattern: str) -> list[str]:
    if pattern.endswith(_ALL):
        return [*pattern.removesuffix(_ALL), _ALL]
    return list(pattern)


def can_match(rule: list[str], path: list[str]) -> bool:
    """Whether some path of this form is covered by ``rule``, both as lists of characters.

    In ``rule`` ``*`` is anything within a segment and ``**`` anything at all; in ``path`` ``{}``
    is a value: at least one character, never a slash.
    """
    seen = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        at, there = waiting.pop()
        if at == len(rule):
            if there == len(path):
                return True
            continue
        if rule[at] == _ALL:
            return True
        for state in _onward(rule, path, at, there):
            if state not in seen:
                seen.add(state)
                waiting.append(state)
    return False


def _onward(rule: list[str], path: list[str], at: int, there: int) -> Iterator[tuple[int, int]]:
    token = rule[at]
    here = path[there] if there < len(path) else "/"
    if token == _ANY:
        yield at + 1, there
        if here != "/":
            yield at, there + 1
    elif there == len(path):
        return
    elif here == _HOLE and token != "/":
        yield at + 1, there  # the value goes on behind this character
        yield at + 1, there + 1
    elif here == token:
        yield at + 1, there + 1
