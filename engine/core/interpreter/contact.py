"""Contact policy, decided where a call would be made: it is sent, skipped, or held for a while.

A policy withholds the message and not the journey: who isn't contacted goes on as after the call,
and the step is ``skipped`` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import PrivateAttr

from engine.core.dsl.contact_policy import ContactPolicy, FrequencyCap, QuietHours
from engine.core.expressions.assignment import held_out
from engine.core.expressions.calendar import from_instant, next_wall_time
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.seen import sight_of
from engine.core.steps.base import Call, End, Move, Wait
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.terms import DEFAULT_TERMS

if TYPE_CHECKING:
    from engine.core.dsl.program import Node, Program
    from engine.core.steps.base import Again, Result, View

Contacts = Callable[[str], list[int]]
"""When the user of this id was contacted, in microseconds UTC, oldest first: the list itself, which
is added to."""


class OneUsersContacts:
    """Contacts of a simulation, which takes users one after another: of one at a time."""

    def __init__(self) -> None:
        self._user: str | None = None
        self._times: list[int] = []

    def __call__(self, user: str) -> list[int]:
        """The contacts of ``user`` so far; those of another one are forgotten."""
        if user != self._user:
            self._user, self._times = user, []
        return self._times


def governed(
    program: Program, policy: ContactPolicy | None, contacts: Contacts | None = None
) -> Program:
    """The journey with ``policy`` in force at each of its calls."""
    if policy is None:
        return program
    known = contacts or OneUsersContacts()
    nodes = tuple(_governed(node, policy, known) for node in program.nodes)
    return replace(program, nodes=nodes)


def without_holdout(policy: ContactPolicy | None) -> ContactPolicy | None:
    """The policy, holding nobody out."""
    return None if policy is None else policy.model_copy(update={"holdout": None})


def _governed(node: Node, policy: ContactPolicy, contacts: Contacts) -> Node:
    step = node.step
    if not isinstance(step, CallApiStep) or step.contact is False:
        return node
    governed = _GovernedCall.model_construct(
        step.model_fields_set, **{name: getattr(step, name) for name in CallApiStep.model_fields}
    )
    governed._policy, governed._contacts = policy, contacts
    return replace(node, step=governed)


class _GovernedCall(CallApiStep):
    """A call that the policy may withhold. A contact counts from the moment the call is decided;
    one that failed for good doesn't.
    """

    _policy: ContactPolicy = PrivateAttr()
    _contacts: Contacts = PrivateAttr()

    def decide(self, view: View) -> Call | Move | End | Wait:  # type: ignore[override]
        """As the policy says, else as the call does."""
        if not self._is_contact(view):
            return super().decide(view)
        times = self._contacts(view.user_id)
        withheld = _withheld(self._policy, view, times)
        if withheld is not None:
            return withheld
        decision = super().decide(view)
        if isinstance(decision, Call):
            times.append(view.now)
        return decision

    def resume(self, view: View, result: Result) -> Move | Again | End:
        """As the call does."""
        decision = super().resume(view, result)
        failed = isinstance(decision, Move | End) and decision.status == "failed"
        if failed and self._is_contact(view):
            times = self._contacts(view.user_id)
            if result.first_at in times:
                times.remove(result.first_at)
        return decision

    def _is_contact(self, view: View) -> bool:
        own = self.contact
        return view.terms.get(self.endpoint, DEFAULT_TERMS).contact if own is None else own


def _withheld(policy: ContactPolicy, view: View, times: list[int]) -> Move | Wait | None:
    """Why the call isn't made now, as a decision; None: it may be."""
    if policy.suppress is not None:
        try:
            suppressed = policy.suppress.holds(view.scope)
        except Unfillable:
            suppressed = True
        if suppressed:
            read = sight_of(policy.suppress)(view.scope)
            return _skipped(f"suppressed: {policy.suppress.source}", read)
    if policy.holdout is not None:
        lot = policy.holdout
        if held_out(lot.salt, view.user_id, lot.percent):
            return _skipped("held out")
    if policy.quiet_hours is not None:
        quiet = _quiet(policy.quiet_hours, view)
        if quiet is not None:
            return quiet
    for cap in policy.frequency_cap:
        full = _capped(cap, view, times)
        if full is not None:
            return full
    return None


def _quiet(hours: QuietHours, view: View) -> Move | Wait | None:
    zone = view.scope.zone
    if not hours.cover(from_instant(view.now, zone).time()):
        return None
    if hours.then == "skip":
        return _skipped("quiet hours", {"clock": _clock(view.now, view)})
    until = next_wall_time(view.now, zone, hours.to)
    return Wait(until, "quiet_hours", f"quiet hours, until {_clock(until, view)}")


def _capped(cap: FrequencyCap, view: View, times: list[int]) -> Move | Wait | None:
    window = cap.per.microseconds
    if sum(at > view.now - window for at in times) < cap.count:
        return None
    why = f"{cap.count} in {cap.per.text}"
    if cap.then == "skip":
        return _skipped(f"frequency cap: {why}", {"contacts": len(times)})
    until = times[-cap.count] + window
    return Wait(until, "frequency_cap", f"frequency cap, {why}, until {_clock(until, view)}")


def _skipped(why: str, seen: Mapping[str, object] | None = None) -> Move:
    return Move(status="skipped", text=f"contact policy: {why}", seen=seen)


def _clock(instant: int, view: View) -> str:
    return f"{from_instant(instant, view.scope.zone):%Y-%m-%d %H:%M} {view.scope.zone.key}"
