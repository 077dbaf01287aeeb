"""On which terms a call is made: what an endpoint says of all its calls, and a step of its own.

``RetryPolicy`` and ``Success`` stand in journeys and at endpoints alike. A step's ``retry``
replaces only the keys it names; its ``success`` replaces the endpoint's whole, because a list of
statuses and a condition exclude each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from engine.core.expressions.durations import SECOND, Duration, parse_duration
from engine.core.steps.computed import FromAnswer
from engine.core.steps.definition import Definition
from engine.core.steps.editors import takes_one_of
from engine.core.steps.fields import Count, FixedSpan, NotEmpty, Read, Window, refuse

Delivery = Literal["at_least_once", "at_most_once"]

LONGEST_TIMEOUT = 120 * SECOND
"""No attempt takes longer than this: a lease outlives it."""

MOST_ATTEMPTS = 100
"""More than so many no policy allows."""

FAILURES_BY_CAUSE = {
    "timeout": "call.timed_out",
    "connection": "call.unreachable",
    "429": "call.rate_limited",
    "5xx": "call.server_error",
}
"""What an author may ask to be tried again, and the failure it is recorded as."""

CAUSES = frozenset(FAILURES_BY_CAUSE)

_CAUSE_OF = {failure: cause for cause, failure in FAILURES_BY_CAUSE.items()}


def _read_cause(raw: object) -> str:
    cause = "429" if raw == 429 else raw
    if not isinstance(cause, str) or cause not in CAUSES:
        shown = repr(raw)[:40] if isinstance(raw, str | int) else "this"
        remedy = "one of timeout, connection, 429, 5xx"
        refuse("retry.cause", f"{shown} can't be tried again", remedy)
    return cause


Cause = Annotated[str, Read(_read_cause, {"enum": ["timeout", "connection", 429, "5xx", "429"]})]
"""A kind of failure that trying again may cure."""


def _bounded(duration: Duration) -> Duration:
    if duration.elapsed > LONGEST_TIMEOUT:
        refuse("timeout.too_long", "an attempt takes at most 120 seconds", "2m, and a retry")
    return duration


Timeout = Annotated[Window, AfterValidator(_bounded)]
"""How long one attempt may take, from send to last byte."""


class RetryPolicy(Definition):
    """When a failed attempt is made again.

    The pause before attempt n + 1 is ``delay`` · 2^(n - 1), at most ``max_delay``, times a lot in
    [0.5, 1]. No attempt begins later than ``within`` after the first one began.
    """

    attempts: Count = Field(
        3, ge=1, le=MOST_ATTEMPTS, description="How many attempts in all; 1 is no retry."
    )
    when: frozenset[Cause] = Field(CAUSES, description="Which failures are tried again.")
    delay: FixedSpan = Field(
        parse_duration("2s"), description="The pause before the second attempt."
    )
    max_delay: FixedSpan = Field(parse_duration("1m"), description="The longest pause.")
    within: FixedSpan = Field(
        parse_duration("5m"), description="No attempt begins later than this after the first."
    )

    def retries(self, failure: str) -> bool:
        """Whether ``failure`` (a ``call.*`` code) is one that is tried again."""
        return _CAUSE_OF.get(failure) in self.when

    def overridden_by(self, other: RetryPolicy | None) -> RetryPolicy:
        """This policy with the keys that were written in ``other``, and only those, replaced."""
        if other is None or not other.model_fields_set:
            return self
        keys = RetryPolicy.model_fields
        return RetryPolicy.model_construct(
            _fields_set=self.model_fields_set | other.model_fields_set,
            **{k: getattr(other if k in other.model_fields_set else self, k) for k in keys},
        )


@dataclass(frozen=True, slots=True)
class StatusRange:
    """HTTP statuses from ``low`` to ``high``, both included; ``text`` as written."""

    text: str
    low: int
    high: int


_STATUS = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", re.IGNORECASE)


def _read_status(raw: object) -> StatusRange:
    if isinstance(raw, StatusRange):
        return raw
    match = _STATUS.fullmatch(str(raw)) if isinstance(raw, str | int) else None
    if match is None:
        refuse("success.status", "this is no HTTP status", "as in 200, 2xx or 200-204")
    if match[1]:
        low = int(match[1]) * 100
        return StatusRange(str(raw), low, low + 99)
    low, high = int(match[2]), int(match[3] or match[2])
    if low > high:
        refuse("success.status", f"{raw} ends before it begins", f"{high}-{low}")
    return StatusRange(str(raw), low, high)


Status = Annotated[
    StatusRange,
    Read(
        _read_status,
        {
            "title": "status",
            "anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string", "pattern": "^([1-5][xX][xX]|[1-5][0-9]{2}(-[1-5][0-9]{2})?)$"},
            ],
            "examples": [200, "2xx", "200-204"],
        },
        lambda status: status.text,
    ),
]
"""A status, or a range of them."""


class Success(Definition):
    """Which answers are a success: by status, or by a condition over ``response``."""

    editor_rules = takes_one_of("status", "when")

    status: Annotated[tuple[Status, ...], NotEmpty()] | None = Field(
        None, description="Statuses that are a success: 200, 2xx, 200-204."
    )
    when: FromAnswer | None = Field(None, description="True for an answer that is a success.")

    @model_validator(mode="after")
    def _one_rule(self) -> Success:
        if (self.status is None) == (self.when is None):
            refuse(
                "success.one_rule", "success is either `status` or `when`", "keep one of the two"
            )
        return self

    def accepts(self, status: int) -> bool:
        """Whether ``status`` is a success by the list of statuses."""
        for some in self.status or ():  # noqa: SIM110 (any() takes twice as long)
            if some.low <= status <= some.high:
                return True
        return False


# Made without validation, for which pydantic would build what only whoever reads a file needs.
_TWO_HUNDREDS = Success.model_construct({"status"}, status=(StatusRange("2xx", 200, 299),))
_DEFAULT_RETRY = RetryPolicy.model_construct()


@dataclass(slots=True, frozen=True)
class Terms:
    """What the core needs to know of an endpoint, as it stands now. ``timeout_us`` is one attempt
    from send to last byte, in microseconds; ``contact`` says that its calls reach a person.
    ``hold`` is how long (microseconds) a call waits for a credential to be given, or for a circuit
    to be closed; None: it fails at once.
    """

    timeout_us: int = 10 * SECOND
    retry: RetryPolicy = _DEFAULT_RETRY
    success: Success = _TWO_HUNDREDS
    delivery: Delivery = "at_least_once"
    contact: bool = False
    hold: int | None = None


DEFAULT_TERMS = Terms()
"""The terms of an endpoint that says nothing."""
