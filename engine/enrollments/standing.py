"""What somebody waits for who hasn't left: in words, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.dsl.program import END
from engine.core.interpreter.state import Reason, State
from engine.core.steps.call_api import CallApiStep
from engine.core.steps.wait_for import WaitForStep
from engine.endpoints.states import gate_of
from engine.enrollments.store.holding import due_at
from engine.enrollments.told import Standing

if TYPE_CHECKING:
    from engine.core.dsl.program import Step
    from engine.core.interpreter.state import Passage
    from engine.db.connect import Connection


def standing_of(connection: Connection, passage: Passage) -> Standing | None:
    """Where a passage stands and what it waits for; None if it has ended."""
    if passage.state is State.ENDED:
        return None
    if passage.position == END:
        return Standing(
            "", "", "the end, which is due", passage.entered_at, due_at(passage.wake_at)
        )
    step = passage.program.nodes[passage.position].step
    since = passage.started or passage.entered_at
    if passage.state is State.CALLING and isinstance(step, CallApiStep):
        return _calling(connection, passage, step, since)
    return Standing(step.id, step.type, _waits_for(passage, step), since, due_at(passage.wake_at))


def _calling(connection: Connection, passage: Passage, step: CallApiStep, since: int) -> Standing:
    row = connection.exec_driver_sql(
        "SELECT method, target, attempts, next_try_at, failure FROM calls"
        " WHERE bucket = ? AND enrollment = ? AND next_try_at IS NOT NULL AND redrive = 0",
        (passage.user.bucket, passage.id),
    ).first()
    if row is None:
        return Standing(step.id, step.type, f"the answer of {step.endpoint}", since, None)
    method, target, attempts, next_try_at, failure = row
    gate = gate_of(connection, step.endpoint).gate
    if gate.since is not None:
        what = f"endpoint {step.endpoint}, whose calls are held: {gate.text}"
        held = (max(since, gate.since), gate.probe_at, f"{method} {target}", attempts, gate.code)
        return Standing(step.id, step.type, what, *held)
    if failure is not None:
        what = f"its next attempt at {step.endpoint}"
    elif attempts:
        what = f"the answer of {step.endpoint}"
    else:
        what = f"its turn at {step.endpoint}, or its answer"
    request = f"{method} {target}"
    due = due_at(next_try_at)
    return Standing(step.id, step.type, what, since, due, request, attempts, failure)


def _waits_for(passage: Passage, step: Step) -> str:
    if passage.started and passage.reason is Reason.EVENT and isinstance(step, WaitForStep):
        names = [one.event or (one.when.source if one.when else "") for one in step.any]
        return " or ".join(names)
    if not passage.started or passage.reason not in _WORDS:
        return "its turn: the step is due"
    told = {"endpoint": getattr(step, "endpoint", ""), "journey": getattr(step, "journey", "")}
    return _WORDS[passage.reason].format(**told)


_WORDS = {
    Reason.TIMER: "",
    Reason.EVENT: "an event",
    Reason.QUIET_HOURS: "the end of quiet hours",
    Reason.FREQUENCY_CAP: "room under the frequency cap",
    Reason.ENDPOINT_HOLD: "endpoint {endpoint}, whose calls are held",
    Reason.CHILD: "the end of journey {journey}",
}
