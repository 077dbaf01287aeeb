"""When a token may be used, when the server may be asked, how long to stand back. Pure.

All instants are journey time in microseconds; ``lot`` is a number in [0, 1).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from engine.core.expressions.durations import MINUTE, SECOND

if TYPE_CHECKING:
    from engine.credentials.store.tokens import TokenRow


_LONGEST_RETRY_AFTER = 60 * MINUTE
_LONGEST_TRANSIENT = 5 * MINUTE
_LONGEST_PERMANENT = 15 * MINUTE
_LONGEST_FORCED = 5 * MINUTE
_CLOCKS_DIFFER = MINUTE
"""By so much a failure may lie ahead that another machine has met."""


class Verdict(Enum):
    """What the row says to one who needs a token."""

    USE = "the token is fresh"
    USE_STILL = "due for renewal, but good: somebody asks already, or nobody may ask yet"
    ASK = "ask the token server"
    WAIT = "somebody is asking and there is nothing to use meanwhile"
    BACKING_OFF = "the token server failed, and it isn't time to ask again"
    TOO_SOON = "the API refused this token, and the last forced renewal was a moment ago"
    OUTDATED = "the profile was edited since: load it again"


def verdict(
    row: TokenRow, *, version: int, rejected: str | None, now: int, anew: bool = False
) -> Verdict:
    """``rejected`` is the fingerprint of a token that the API has just refused.

    ``anew`` says that the secrets are others than those that failed: no reason to stand back.
    """
    if row.profile_version != version:
        return Verdict.OUTDATED if row.profile_version > version else Verdict.ASK
    refused = rejected is not None and row.fingerprint == rejected
    usable = row.sealed_token is not None and not refused and now < row.hard_expiry
    if usable and now < row.soft_expiry:
        return Verdict.USE
    # An instant that was set by a clock that was put back since holds nobody.
    forced_lately = now < row.next_forced_at <= now + _LONGEST_FORCED
    if refused and now < row.soft_expiry and forced_lately:
        return Verdict.TOO_SOON
    backing_off = row.failed_at - _CLOCKS_DIFFER <= now < row.next_try_at and not anew
    if not backing_off and not row.leased:
        return Verdict.ASK
    if usable:
        return Verdict.USE_STILL
    return Verdict.BACKING_OFF if backing_off else Verdict.WAIT


def expiries(start: int, life: int, lot: float) -> tuple[int, int]:
    """Soft and hard expiry of a token asked for at ``start`` that lives ``life`` microseconds.

    Both are relative to the life: a fixed margin would turn every use of a short token into a
    request for a new one. The lot spreads the renewals of processes that started together. A JWT
    ends at a whole second (``exp``), up to one earlier than ``expires_in`` says: hence the least
    margin.
    """
    hard = start + life - min(5 * SECOND, life // 10)
    margin = min(60 * SECOND, life // 5) * (0.8 + 0.4 * lot)
    least = min(SECOND, life // 3)
    return min(start + life - max(int(margin), least), hard), hard


def stand_back(failures: int, *, permanent: bool, retry_after: int | None, lot: float) -> int:
    """How long not to ask after a failure that ``failures`` others came before.

    What a person must mend is asked seldom; what may mend itself soon, with a lot between half and
    whole. The server's Retry-After is obeyed up to an hour.
    """
    doublings = min(failures, 20)
    if permanent:
        pause = min(_LONGEST_PERMANENT, 30 * SECOND << doublings)
    else:
        longest = min(_LONGEST_TRANSIENT, SECOND << doublings)
        pause = longest // 2 + int(lot * (longest // 2))
    return max(pause, min(retry_after or 0, _LONGEST_RETRY_AFTER))


def space_forced(count: int, next_forced_at: int, now: int) -> tuple[int, int]:
    """Count and time of the next forced renewal when one is begun ``now``.

    10 s, doubling to 5 min, so that an API which always says 401 causes no storm; five quiet
    minutes start it over.
    """
    begun = 0 if now > next_forced_at + _LONGEST_FORCED else count
    return begun + 1, now + min(_LONGEST_FORCED, 10 * SECOND << min(begun, 20))
