"""What an answer means: its failure code, ``response`` for expressions, and when to ask again.

Statuses and ``Retry-After`` are RFC 9110's; pauses are exponential back-off with a lot of its own
for each user, so that a thousand calls that failed together don't come back together.
"""

from __future__ import annotations

import re
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import fraction
from engine.core.expressions.calendar import to_instant
from engine.core.expressions.durations import HOUR, SECOND
from engine.core.guarded_json import NotGuardedJSON, parse
from engine.core.steps.base import Again
from engine.core.steps.terms import MOST_ATTEMPTS

if TYPE_CHECKING:
    from engine.core.message import Answer
    from engine.core.steps.base import Result, View
    from engine.core.steps.terms import RetryPolicy

LONGEST_RETRY_AFTER = HOUR
"""A server's ``Retry-After`` is honoured up to this, in microseconds."""

FIRST_PROBE, LONGEST_PROBE = 2 * SECOND, 60 * SECOND
"""The shortest and the longest pause between two looks at an endpoint that calls are held for."""

_ASKS_FOR_PATIENCE = frozenset({429, 503})
_JSON_TYPE = re.compile(r"application/json|[a-z0-9.+-]+/[a-z0-9.+-]+\+json")
_DIGITS = re.compile(r"[0-9]{1,100}")


def failure_of_status(status: int) -> str:
    """The failure that an answer with ``status`` is, once it is no success."""
    if status == 429:
        return "call.rate_limited"
    if status >= 500:
        return "call.server_error"
    if status >= 300:
        return "call.client_error"
    return "call.refused_by_rule"


def body_of(answer: Answer) -> object:
    """The data of the body, or None where it isn't JSON and doesn't claim to be.

    Raises NotGuardedJSON for a body that its content type calls JSON and that isn't.
    """
    if not answer.body or answer.body.isspace():
        return None
    says_json = _says_json(answer.headers.get("content-type", ""))
    if says_json is False:
        return None
    try:
        return parse(answer.body)
    except NotGuardedJSON:
        if says_json:
            raise
        return None


@lru_cache(maxsize=256)
def _says_json(content_type: str) -> bool | None:
    """Whether a body of this type is JSON; None: it may be."""
    kind = content_type.split(";", 1)[0].strip().lower()
    if _JSON_TYPE.fullmatch(kind):
        return True
    return False if kind and not kind.startswith("text/") else None


def response_of(answer: Answer, keys: frozenset[str]) -> dict[str, object]:
    """``response`` for expressions that read these ``keys`` of it; ``body`` is only parsed, and
    ``text`` only decoded (UTF-8, with U+FFFD for what isn't), if they are among them.

    Raises NotGuardedJSON as :func:`body_of` does.
    """
    return {
        "status": answer.status,
        "headers": answer.headers,
        "body": body_of(answer) if "body" in keys else None,
        "text": answer.body.decode(errors="replace") if "text" in keys else None,
    }


def next_attempt(
    policy: RetryPolicy, view: View, result: Result, failure: str, text: str
) -> Again | str:
    """The next attempt; or, if there is to be none, ``text``, which then says if it is for the
    server's Retry-After.

    Whether the failure is one to try again is asked before; this is about how often and how long.
    """
    if result.tries >= policy.attempts:
        return text
    exponent = min(max(result.tries, 1) - 1, 40)
    pause = min(policy.max_delay.elapsed, policy.delay.elapsed << exponent)
    lot = fraction(
        "retry",
        view.journey,
        view.user_id,
        view.key,
        view.step_id,
        str(view.visit),
        str(result.tries),
    )
    at = view.now + int(pause * (0.5 + lot / 2))
    last = result.first_at + policy.within.elapsed
    patience = retry_after(result.answer, view.now)
    if patience is not None and at <= last < patience:
        seconds = patience - view.now
        asked = f"{seconds // SECOND:,} s" if seconds < LONGEST_RETRY_AFTER else "an hour or more"
        return f"{text}; Retry-After asks for {asked}, `within` ({policy.within.text}) ends before"
    at = max(at, patience or at)
    return Again(at, failure, text) if at <= last else text


def is_held(failure: str | None) -> bool:
    """Whether a failure is one that calls are held for, where their endpoint holds them: somebody
    mends it, and nothing was done by the call.
    """
    return failure is not None and (
        failure.startswith("credential.") or failure == "call.circuit_open"
    )


def next_held(
    longest: int | None, now: int, result: Result, failure: str, text: str
) -> Again | None:
    """When a call is tried again that its endpoint holds, ``longest`` microseconds in all; None: it
    isn't held (any more).

    It is held since its first attempt, or since this one where others came before; pauses double,
    from two seconds to a minute.
    """
    if longest is None or not is_held(failure) or result.tries > MOST_ATTEMPTS:
        return None
    since = result.first_at if result.tries == 1 else now
    end = since + longest
    return (
        Again(min(now + probe_pause(since, now), end), failure, text, since) if now < end else None
    )


def probe_pause(since: int, now: int) -> int:
    """How long to wait before an endpoint that is unwell ``since`` then is looked at again."""
    return max(FIRST_PROBE, min(now - since, LONGEST_PROBE))


def counted_from(first_at: int | None, tries: int, began: int, failure: str | None) -> int:
    """``first_at`` of a result: when the first attempt that counts began, or since when it is held.

    ``first_at`` and ``tries`` are what was known before an attempt that ``began``; without tries,
    the call was held, and counts anew if it isn't held any more.
    """
    if not first_at or (tries == 0 and not is_held(failure)):
        return began
    return first_at


def retry_after(answer: Answer, now: int) -> int | None:
    """The moment a 429 or 503 asks us to wait for, at most an hour off; None if it doesn't say."""
    pause = pause_asked(answer, now) if answer.status in _ASKS_FOR_PATIENCE else None
    return None if pause is None else now + min(pause, LONGEST_RETRY_AFTER)


def pause_asked(answer: Answer, now: int) -> int | None:
    """The pause of ``Retry-After`` (seconds or an HTTP date) in microseconds; None where there is
    none in a form of RFC 9110.

    A date is taken by the server's own clock (its ``Date``), however ours goes; where it doesn't
    say, by ours.
    """
    asked = answer.headers.get("retry-after", "").strip()
    if not asked:
        return None
    if _DIGITS.fullmatch(asked):
        return int(asked) * SECOND
    at = _http_date(asked)
    if at is None:
        return None
    theirs = _http_date(answer.headers.get("date", ""))
    return max(at - (now if theirs is None else theirs), 0)


def _http_date(written: str) -> int | None:
    # Hardly any answer brings a date, and reading them takes a while to load.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        moment = parsedate_to_datetime(written)
        return to_instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
