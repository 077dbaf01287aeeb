"""What endpoints answer where nothing is sent: in simulations and scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.message import Answer
from engine.core.steps.terms import DEFAULT_TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.core.steps.base import Call
    from engine.core.steps.terms import Terms

JSON = {"content-type": "application/json"}
EMPTY = Answer(status=200, headers=JSON, body=b"{}")
"""What an endpoint answers that nothing is scripted for."""
TIMEOUT = Answer(failure="call.timed_out", text="no answer in time")
NO_CONNECTION = Answer(
    failure="call.unreachable", text="can't be connected to", may_have_been_sent=False
)


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
