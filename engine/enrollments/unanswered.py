"""What becomes of calls that no server answers: refused before they are sent, or met by a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.message import Answer
from engine.core.steps.base import Result

if TYPE_CHECKING:
    from engine.endpoints.gate import Refused
    from engine.enrollments.pending import Held


def a_bug(held: Held, error: Exception) -> Result:
    """A bug of ours costs a call, not the run: what is on the wire nobody knows."""
    call = held.call
    return Result(
        answer=Answer(failure="call.unknown"),
        failure="call.unknown",
        text=f"a bug: {type(error).__name__}",
        attempts=call.attempts,
        tries=call.tries + 1,
        first_at=call.first_at or 0,
    )


def refused(held: Held, why: Refused) -> Result:
    """A call that is not made: nothing of it was on the wire."""
    call = held.call
    return Result(
        answer=Answer(failure=why.code, may_have_been_sent=False),
        failure=why.code,
        text=why.text,
        attempts=call.attempts,
        tries=1,
        first_at=why.since,
    )
