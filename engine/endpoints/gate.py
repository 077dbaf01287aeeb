"""Whether calls may go to an endpoint just now: circuit breaker, hold, and a server's Retry-After.

Pure: what is seen of an endpoint changes its :class:`Gate`, which all processes share, and a call
is admitted, held or refused by it. While a gate is shut one call at a time goes through, to see
whether the endpoint is well again: the probe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from engine.core.expressions.durations import SECOND
from engine.core.steps.answers import probe_pause, retry_after

if TYPE_CHECKING:
    from engine.core.steps.base import Result

CIRCUIT_OPEN = "call.circuit_open"

LONGEST_PAUSE = 60 * SECOND
"""A 429's Retry-After stops a whole endpoint no longer than this at once."""

_BREAKS = frozenset({"call.unreachable", "call.timed_out"})


@dataclass(frozen=True, slots=True)
class Breaker:
    """Opens once ``failures`` calls failed within ``per``, for ``open_for`` (microseconds)."""

    failures: int
    per: int
    open_for: int


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What an endpoint says: its breaker, and how long (microseconds) it holds calls."""

    breaker: Breaker | None = None
    hold: int | None = None

    def concerns(self, seen: Sighting) -> bool:
        """Whether an open gate may change by a sighting."""
        if seen.what == "refused":
            return self.hold is not None
        return seen.what == "busy" or self.breaker is not None


@dataclass(frozen=True, slots=True)
class Gate:
    """An endpoint's state, the same for all processes. Instants are microseconds UTC.

    It is shut ``since`` then, for ``code`` (``call.circuit_open`` or ``credential.*``; ``text`` in
    words), and the next probe may go at ``probe_at``; None: it is open. Nothing goes before
    ``paused_until``. ``failures`` are the latest ones, as far as its breaker counts them.
    """

    since: int | None = None
    code: str = ""
    text: str = ""
    probe_at: int = 0
    paused_until: int = 0
    failures: tuple[int, ...] = ()

    def words(self, now: int) -> str:
        """``ok``, ``slowed``, ``circuit open`` or ``held``."""
        if self.since is not None:
            return "circuit open" if self.code == CIRCUIT_OPEN else "held"
        return "slowed" if now < self.paused_until <= now + LONGEST_PAUSE else "ok"


OPEN = Gate()


@dataclass(frozen=True, slots=True)
class Sighting:
    """What an attempt said of its endpoint: it is ``well``, it ``failed``, the credential was
    ``refused`` (or there is none), or it wants to be left alone until ``until``.
    """

    what: Literal["well", "failed", "refused", "busy"]
    code: str = ""
    text: str = ""
    until: int = 0


WELL = Sighting("well")


def sighting(result: Result, now: int) -> Sighting:
    """What the result of an attempt says of the endpoint."""
    answer, failure = result.answer, result.failure
    if failure is not None and failure.startswith("credential."):
        return Sighting("refused", failure, result.text)
    if answer.status == 429:
        until = retry_after(answer, now)
        return WELL if until is None else Sighting("busy", until=min(until, now + LONGEST_PAUSE))
    if answer.status >= 500:
        return Sighting("failed", "call.server_error", f"answered {answer.status}")
    if (failure or answer.failure) in _BREAKS:
        return Sighting("failed", failure or answer.failure or "", result.text or answer.text)
    return WELL


def after(gate: Gate, policy: GatePolicy, seen: Sighting, now: int, *, probe: bool) -> Gate:
    """The gate after a sighting; ``probe``: the attempt was the probe of a shut gate. What else
    comes back while it is shut was sent before, and changes nothing.
    """
    if seen.what == "busy":
        gate = replace(gate, paused_until=max(gate.paused_until, seen.until))
    if gate.since is not None:
        if not probe:
            return gate
        if not _still_shut(gate, policy, seen):
            return _after_open(Gate(paused_until=gate.paused_until), policy, seen, now)
        return _shut(gate, policy, seen, now)
    return _after_open(gate, policy, seen, now)


def _still_shut(gate: Gate, policy: GatePolicy, seen: Sighting) -> bool:
    """Whether a probe leaves the gate shut: a missing credential says nothing of a circuit."""
    if seen.what == "refused":
        return gate.code == CIRCUIT_OPEN or policy.hold is not None
    return seen.what == "failed" and gate.code == CIRCUIT_OPEN and policy.breaker is not None


def _shut(gate: Gate, policy: GatePolicy, seen: Sighting, now: int) -> Gate:
    """A gate that stays shut after its probe."""
    since = now if gate.since is None else gate.since
    if seen.what == "refused" and policy.hold is not None:
        at = now + probe_pause(since, now)
        return replace(gate, since=since, code=seen.code, text=seen.text, probe_at=at)
    open_for = policy.breaker.open_for if policy.breaker else LONGEST_PAUSE
    text = f"the probe failed, too: {seen.text}" if seen.text else gate.text
    return replace(gate, text=text, probe_at=now + open_for)


def _after_open(gate: Gate, policy: GatePolicy, seen: Sighting, now: int) -> Gate:
    if seen.what == "refused" and policy.hold is not None:
        at = now + probe_pause(now, now)
        return replace(gate, since=now, code=seen.code, text=seen.text, probe_at=at, failures=())
    breaker = policy.breaker
    if seen.what != "failed" or breaker is None:
        return gate
    recent = (*(at for at in gate.failures if now - breaker.per < at <= now), now)
    if len(recent) < breaker.failures:
        return replace(gate, failures=recent)
    text = f"{breaker.failures} calls failed, the last one: {seen.text}"
    at = now + breaker.open_for
    return replace(gate, since=now, code=CIRCUIT_OPEN, text=text, probe_at=at, failures=())


@dataclass(frozen=True, slots=True)
class Parked:
    """A call isn't to go before ``until``, ``seconds`` from now; it stays where it is."""

    until: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A call is not to be made: it fails with ``code``. ``since`` is how long it was held."""

    code: str
    text: str
    since: int


class Due(Protocol):
    """A call to be made since ``due_at``; ``first_at`` is when its first attempt began, or, without
    ``tries``, since when it is held.
    """

    due_at: int
    tries: int
    first_at: int | None


Admission = Literal["go", "probe"] | Parked | Refused


def admission(gate: Gate, policy: GatePolicy, due_at: int, now: int) -> Admission:
    """Whether a call that is to be made since ``due_at`` may go now."""
    if now < gate.paused_until <= now + LONGEST_PAUSE:
        return _parked(gate.paused_until, now)
    if gate.since is None or not _holds(gate, policy):
        return "go"
    if now >= gate.probe_at or now < gate.since:  # the latter: the clock went back
        return "probe"
    if policy.hold is None:
        return Refused(gate.code, gate.text, now)
    since = max(gate.since, due_at)
    end = since + policy.hold
    if now < end:
        return _parked(min(gate.probe_at, end), now)
    return Refused(gate.code, gate.text, since)


def _parked(until: int, now: int) -> Parked:
    return Parked(until, (until - now) / SECOND)


def _holds(gate: Gate, policy: GatePolicy) -> bool:
    """Whether what shut the gate still stands in the endpoint's settings."""
    return (policy.breaker if gate.code == CIRCUIT_OPEN else policy.hold) is not None
