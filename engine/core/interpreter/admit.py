"""Who enters: the key, re-entry rules and holdout, for one user at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from engine.core.expressions.assignment import held_out
from engine.core.expressions.errors import Unfillable
from engine.core.guarded_json import dumps
from engine.core.interpreter.scope import PassageScope
from engine.core.interpreter.state import Passage, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.dsl.journey import Reentry
    from engine.core.dsl.program import Program
    from engine.core.expressions.grammar import Expression
    from engine.core.interpreter.advance import World

Reason = Literal["live", "cooldown", "limit", "once", "already_ran", "no_input", "depth"]

HELD_OUT = "held_out"
LONGEST_KEY = 255


@dataclass(slots=True, frozen=True)
class Earlier:
    """A passage that the user has or had through the same journey. Instants in microseconds UTC;
    ``outcome`` is None while it is live.
    """

    key: str
    bucket: int
    id: int
    entered_at: int
    ended_at: int | None
    outcome: str | None
    run_id: int = 0


def earlier_of(passage: Passage) -> Earlier:
    """A passage as re-entry rules see it."""
    return Earlier(
        passage.key,
        passage.user.bucket,
        passage.id,
        passage.entered_at,
        passage.ended_at,
        passage.outcome,
        passage.run_id,
    )


@dataclass(slots=True, frozen=True)
class Admission:
    """The answer: entered, or refused for ``refusal``. ``restarts`` is the live passage that a
    journey with ``reentry: restart`` ends first.
    """

    refusal: Reason | None = None
    restarts: Earlier | None = None


ENTERS = Admission()
"""Nobody is in his way."""


def asks_nothing(program: Program) -> bool:
    """Whether :func:`admit` answers :data:`ENTERS`, and changes nothing, for whoever had no earlier
    passage.
    """
    entry = program.journey.entry
    return entry.key is None and not entry.inputs and not entry.holdout


def admit(passage: Passage, world: World, earlier: Sequence[Earlier]) -> Admission:
    """Whether a fresh ``passage`` may begin, given the user's earlier ones (newest first).

    Sets its key, and ends it at once as ``held_out`` for those in the holdout. ``once`` means once
    per key; limit and cooldown count every earlier passage with the key, held-out ones too. Who
    lacks a declared input, or a value for the key, is refused for ``no_input``.
    """
    journey = passage.program.journey
    entry = journey.entry
    key = "" if entry.key is None else _key_of(passage, world, entry.key)
    if key is None or not passage.inputs.keys() >= entry.inputs.keys():
        return Admission("no_input")
    passage.key = key
    same_key = [e for e in earlier if e.key == key]
    admission = _rules(passage, entry.reentry, same_key) if same_key else ENTERS
    if admission.refusal is None:
        percent = entry.holdout
        if percent and held_out(journey.journey, passage.user.id, percent):
            passage.outcome = HELD_OUT
            passage.state = State.ENDED
            passage.ended_at = passage.entered_at
    return admission


def _key_of(passage: Passage, world: World, expression: Expression) -> str | None:
    """The key as text; None where this user brings nothing for it.

    A long one is cut, and told apart from others by its hash.
    """
    try:
        value = expression.evaluate(PassageScope(passage, passage.entered_at, world.zone))
    except Unfillable:
        return None
    if value is None:
        return None
    text = value if isinstance(value, str) else dumps(value).decode()
    if len(text) <= LONGEST_KEY:
        return text
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: LONGEST_KEY - len(digest) - 1]}~{digest}"


def _rules(passage: Passage, reentry: Reentry, same_key: list[Earlier]) -> Admission:
    now = passage.entered_at
    live = next((e for e in same_key if e.outcome is None), None)
    if reentry.mode == "once" and same_key:
        return Admission("live" if live else "once")
    if reentry.mode == "after_exit" and live:
        return Admission("live")
    last = max((e.entered_at for e in same_key), default=None)
    if last is not None and reentry.cooldown and now < last + reentry.cooldown.microseconds:
        return Admission("cooldown")
    if reentry.limit is not None:
        since = now - reentry.limit.per.microseconds
        if sum(e.entered_at > since for e in same_key) >= reentry.limit.count:
            return Admission("limit")
    return Admission(restarts=live)
