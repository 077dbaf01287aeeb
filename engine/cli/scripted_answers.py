"""``--answer ENDPOINT=STATUS[:BODY]``: what endpoints say in a simulation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.core.guarded_json import NotGuardedJSON, parse
from engine.core.message import Answer
from engine.core.steps.terms import DEFAULT_TERMS
from engine.users.row import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.core.steps.base import Call
    from engine.core.steps.terms import Terms

_STATUS = re.compile(r"[1-5][0-9]{2}")
_JSON = {"content-type": "application/json"}
_TEXT = {"content-type": "text/plain; charset=utf-8"}
EMPTY = Answer(status=200, headers=_JSON, body=b"{}")
"""What an endpoint answers that nothing is scripted for."""


class BadAnswer(ValueError):
    """An answer that can't be scripted; the message says what would be right."""


class ScriptedAnswers:
    """Answers by endpoint, for each user in order; the last one stays.

    ``terms`` say how long a call takes that is never answered.
    """

    def __init__(self, scripts: Mapping[str, Sequence[Answer]], terms: Mapping[str, Terms]) -> None:
        self._scripts = {name: tuple(answers) for name, answers in scripts.items()}
        self._terms = terms

    def __call__(self, call: Call, number: int) -> Answer:
        """The answer to the request ``number`` (from 0) that a user sends to the endpoint."""
        answers = self._scripts.get(call.endpoint)
        if not answers:
            return EMPTY
        answer = answers[min(number, len(answers) - 1)]
        if answer.failure != "call.timed_out":
            return answer
        terms = self._terms.get(call.endpoint, DEFAULT_TERMS)
        return Answer(
            failure=answer.failure, text=answer.text, elapsed_us=call.timeout_us or terms.timeout_us
        )

    @property
    def endpoints(self) -> frozenset[str]:
        """The endpoints with a script."""
        return frozenset(self._scripts)


def read_answers(options: Iterable[str], endpoints: Iterable[str]) -> dict[str, list[Answer]]:
    """The scripts of ``--answer`` options; ``endpoints`` are those the journey calls.

    Raises BadAnswer.
    """
    known = sorted(endpoints)
    scripts: dict[str, list[Answer]] = {}
    for option in options:
        name, equals, script = option.partition("=")
        if not equals:
            raise BadAnswer(f"{option[:60]!r}: write ENDPOINT=STATUS or ENDPOINT=STATUS:BODY")
        if name not in known:
            hint = did_you_mean(name, known) or f"it calls {', '.join(known) or 'none'}"
            raise BadAnswer(f"the journey calls no endpoint {name[:60]!r}; {hint}")
        scripts.setdefault(name, []).append(_answer(script))
    return scripts


def _answer(script: str) -> Answer:
    status, _, body = script.partition(":")
    if status == "timeout":
        return Answer(failure="call.timed_out", text="no answer in time")
    if status == "connection":
        text = "can't be connected to"
        return Answer(failure="call.unreachable", text=text, may_have_been_sent=False)
    if not _STATUS.fullmatch(status):
        raise BadAnswer(
            f"{status[:60]!r} is no answer: an HTTP status (as in crm=503), timeout or connection"
        )
    if not body:
        return Answer(status=int(status), headers=_JSON, body=b"{}")
    return Answer(status=int(status), headers=_type_of(body), body=body.encode(errors="replace"))


def _type_of(body: str) -> dict[str, str]:
    try:
        parse(body)
    except NotGuardedJSON:
        return _TEXT
    return _JSON
