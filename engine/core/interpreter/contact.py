"""Contact policy, decided where a call would be made: it is sent, skipped, or held for a while.

A policy withholds the message and not the journey: who isn't contacted goes on as after the call,
and the step is ``skipped`` with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.core.dsl.contact_policy import ContactPolicy, FrequencyCap, QuietHours
from engine.core.expressions.assignment import held_out
from engine.core.expressions.calendar import from_instant, next_wall_time, to_instant
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.seen import sight_of
from engine.core.steps.base import Call, Move, Wait
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.terms import DEFAULT_TERMS

if TYPE_CHECKING:
    from engine.core.dsl.program import Node, Program
    from engine.core.interpreter.state import Passage
    from engine.core.steps.base import End, View


@dataclass(slots=True)
class PolicyInForce:
    """The policy that holds now, None where there is none: whoever keeps it current puts another
    one in, and the next decision goes by it.
    """

    policy: ContactPolicy | None = None


def governed(program: Program, policy: ContactPolicy | PolicyInForce | None) -> Program:
    """The journey with ``policy``, or whichever is in force, asked at each of its calls."""
    if policy is None:
        return program
    in_force = policy if isinstance(policy, PolicyInForce) else PolicyInForce(policy)
    return replace(program, nodes=tuple(_governed(node, in_force) for node in program.nodes))


def count_contact(passage: Passage, call: Call, now: int) -> bool:
    """Count a call that was decided now among the user's contacts, if it is one; whether it is.
    Those that no frequency cap asks for any more are forgotten.
    """
    passage.contact_at = now if call.contact_us else 0
    if call.contact_us:
        times = passage.user.contacts
        times[:] = sorted((*(at for at in times if at > now - call.contact_us), now))
    return bool(call.contact_us)


def give_back(passage: Passage) -> bool:
    """Don't count the call under way as a contact: nobody was reached. Whether it was one."""
    at, times = passage.contact_at, passage.user.contacts
    passage.contact_at = 0
    if at not in times:
        return False
    times.remove(at)
    return True


def without_holdout(policy: ContactPolicy | None) -> ContactPolicy | None:
    """The policy, holding nobody out."""
    return None if policy is None else policy.model_copy(update={"holdout": None})


def _governed(node: Node, in_force: PolicyInForce) -> Node:
    step = node.step
    if not isinstance(step, CallApiStep) or step.contact is False:
        return node
    fields = {name: getattr(step, name) for name in CallApiStep.model_fields}
    governed = _GovernedCall.model_construct(step.model_fields_set, **fields, in_force=in_force)
    return replace(node, step=governed)


class _GovernedCall(CallApiStep):
    """A call that the policy may withhold. A contact counts from the moment the call is decided;
    one that failed for good doesn't.
    """

    in_force: Any  # a PolicyInForce; a private attribute takes three times as long to read

    def decide(self, view: View) -> Call | Move | End | Wait:  # type: ignore[override]
        """As the policy says, else as the call does."""
        policy: ContactPolicy | None = self.in_force.policy
        if policy is None or not self._is_contact(view):
            return super().decide(view)
        withheld = _withheld(policy, view)
        if withheld is not None:
            return withheld
        decision = super().decide(view)
        if isinstance(decision, Call) and policy.frequency_cap:
            widest = max(cap.per.microseconds for cap in policy.frequency_cap)
            return replace(decision, contact_us=widest)
        return decision

    def _is_contact(self, view: View) -> bool:
        own = self.contact
        return view.terms.get(self.endpoint, DEFAULT_TERMS).contact if own is None else own


def _withheld(policy: ContactPolicy, view: View) -> Move | Wait | None:
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
        full = _capped(cap, view)
        if full is not None:
            return full
    return None


def _quiet(hours: QuietHours, view: View) -> Move | Wait | None:
    zone = view.scope.zone
    local = from_instant(view.now, zone)
    if not hours.cover(local.time()):
        return None
    if hours.then == "skip":
        return _skipped("quiet hours", {"clock": _clock(view.now, view)})
    until = next_wall_time(view.now, zone, hours.to)
    if local.fold:  # an hour is told a second time, and their end in it, too
        end = to_instant(datetime.combine(local, hours.to.replace(fold=1), zone))
        until = min(until, end) if end > view.now else until
    return Wait(until, "quiet_hours", f"quiet hours, until {_clock(until, view)}")


def _capped(cap: FrequencyCap, view: View) -> Move | Wait | None:
    window, times = cap.per.microseconds, view.contacts
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
