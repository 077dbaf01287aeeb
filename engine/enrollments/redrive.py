"""Redrive: calls that failed for good are sent again, with the same key and the same bytes.

The passage has gone on long since and stays as it is: a further execution is recorded, the counts
of the failure move to what came of it, and what the answer gives for the user is kept if that is
asked for. Whoever asks only marks the rows (:func:`mark`); who works the users' bucket sends them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.interpreter.size import too_big
from engine.core.interpreter.state import Execution
from engine.core.interpreter.view import PassageView
from engine.core.interpreter.writes import write
from engine.core.steps.base import Again, Move
from engine.db.statements import ask
from engine.enrollments import store
from engine.enrollments.ledger import StepDone
from engine.enrollments.pending import Held
from engine.enrollments.rows import execution_rows
from engine.enrollments.store.holding import HELD
from engine.enrollments.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.interpreter.advance import World
    from engine.core.steps.base import Decision, Result
    from engine.db.connect import Connection
    from engine.enrollments.hearing import Hearing
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.pending import Lane

_MARK = """
UPDATE calls SET redrive = redrive + 1, next_try_at = finished_at, finished_at = NULL, attempts = 0,
  tries = 0, first_at = NULL, started_by = NULL, apply_outputs = ?
WHERE bucket = ? AND enrollment = ? AND step = ? AND visit = ? AND redrive = ?
  AND finished_at IS NOT NULL
"""
_FAILURE = """
SELECT failure FROM executions
WHERE bucket = ? AND enrollment = ? AND step = ? AND visit = ? AND redrive = ? AND status = 2
"""


def mark(
    connection: Connection, places: Iterable[tuple[int, int, int, int, int]], *, apply_outputs: bool
) -> int:
    """Let failed calls be sent again at once: how many of these were still failed."""
    marked = 0
    for place in places:
        marked += connection.exec_driver_sql(_MARK, (apply_outputs, *place)).rowcount
    return marked


def waiting(connection: Connection, after: int = -1) -> dict[Lane, int]:
    """For each endpoint and journey with calls that are sent again, when, ``after`` an instant, the
    first may be tried.
    """
    rows = ask(
        connection,
        "SELECT endpoint, journey, min(next_try_at) FROM calls"
        " WHERE next_try_at > ? AND next_try_at < ? AND redrive > 0 GROUP BY endpoint, journey",
        (after, HELD),
    )
    return {(row[0], row[1]): row[2] for row in rows}


def set_apart(turn: Turn) -> Turn:
    """Take the calls that are sent again out of a turn: their passages are copies, that nothing
    moves. What was taken out.
    """
    again = Turn(
        answered=[one for one in turn.answered if one.held.call.redrive],
        calls=[held for held in turn.calls if held.call.redrive],
    )
    if again.answered:
        turn.answered = [one for one in turn.answered if not one.held.call.redrive]
    if again.calls:
        turn.calls = [held for held in turn.calls if not held.call.redrive]
    return again


def settle(
    connection: Connection, again: Turn, world: World, ledger: Ledger, hearing: Hearing
) -> None:
    """Note what came of calls that were sent again; nobody is moved."""
    for one in again.answered:
        held, result = one.held, one.result
        call = held.call
        call.attempts, call.tries = result.attempts, result.tries
        call.first_at = result.first_at
        decision = _judged(held, result, world, ledger.now)
        if isinstance(decision, Again):
            ledger.again(held.passage, call, decision)
            continue
        if isinstance(decision, Move) and call.apply_outputs and decision.user:
            decision = _keep_outputs(held, decision, ledger, hearing)
        _record(connection, held, result, decision, ledger)


def _judged(held: Held, result: Result, world: World, now: int) -> Decision:
    passage, call = held.passage, held.call
    node = passage.program.nodes[call.step]
    view = PassageView(passage, now, world)
    view.step_id, view.started, view.visit = node.id, now, call.visit
    try:
        return node.step.resume(view, result)
    except Exception as error:  # noqa: BLE001 (costs this call, nobody else)
        text = f"a bug: {type(error).__name__}"
        return Move(status="failed", failure="step.internal", text=text)


def _keep_outputs(held: Held, move: Move, ledger: Ledger, hearing: Hearing) -> Move:
    user = held.passage.user
    problem = too_big(held.passage, replace(move, vars={}))
    if problem:
        return replace(move, text=f"its outputs aren't kept: {problem}")
    before = write(user, move.user or {})
    if before:
        ledger.changes.users[user.id] = user
        hearing.changed(user, before)
    return move


def _record(
    connection: Connection, held: Held, result: Result, decision: Decision, ledger: Ledger
) -> None:
    """The execution, the counts and the call's row, once it is over."""
    passage, call, changes = held.passage, held.call, ledger.changes
    failure = getattr(decision, "failure", None)
    execution = Execution(
        call.step,
        call.visit,
        "failed" if failure else "succeeded",
        failure,
        getattr(decision, "text", ""),
        getattr(decision, "http_status", None),
        result.attempts,
        None,
        result.credential_version,
        call.due_at,
        ledger.now,
    )
    changes.bucket = min(changes.bucket, passage.user.bucket)
    changes.executions += execution_rows(passage, (execution,), call.redrive)
    before = connection.exec_driver_sql(
        _FAILURE, (*held.place[:-1], call.redrive - 1)
    ).scalar_one_or_none()
    counted = passage.run_id, passage.version_id, call.step
    if before is not None:
        changes.count((*counted, store.FAILED, before), -1)
    kind = store.FAILED if failure else store.SUCCEEDED
    changes.count((*counted, kind, failure or ""), 1, result.attempts)
    if failure:
        row = (*held.place, call.attempts, call.tries, call.first_at, failure, ledger.now)
        changes.failed_calls.append(row)
    else:
        changes.answered_calls.append(held.place)
    if ledger.telling:
        ledger.told.append(StepDone(passage, ledger.now, execution, call))
