"""Passages and calls to rows and back. Plain tuples: this is the hot path."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.core.guarded_json import stored, text_of
from engine.core.interpreter.leave import goals_until
from engine.core.interpreter.state import Passage, Reason, State, StepRecord, User
from engine.enrollments.pending import PendingCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.core.interpreter.state import Execution
    from engine.core.steps.base import Status
    from engine.versions.store import Published

STATUS: dict[Status, int] = {"succeeded": 1, "failed": 2, "skipped": 3}
STATUS_NAMES: dict[int, Status] = {number: name for name, number in STATUS.items()}

_FEW_STEPS = 16
"""So many steps' records are kept as one: 4096 ways of hundreds of steps would be too much."""


def encode_data(passage: Passage) -> str:
    """The passage's inputs, variables, step records, goals and counters as JSON."""
    steps = tuple(passage.steps.items())
    records = _known(steps) if len(steps) <= _FEW_STEPS else _joined(steps)
    parts = [f'{{"s":{{{records}}},"n":[{passage.moves},{passage.unwaited}]']
    if passage.inputs:
        parts.append(f',"i":{text_of(passage.inputs)}')
    if passage.vars:
        parts.append(f',"v":{text_of(passage.vars)}')
    if passage.goals:
        parts.append(f',"g":{text_of({str(n): at for n, at in passage.goals.items()})}')
    if passage.seen_seq or passage.depth:
        late = passage.entered_at - (passage.began or passage.entered_at)
        noticed = passage.started - (passage.since or passage.started)
        seen = f"{passage.entered_seq},{passage.seen_seq},{passage.depth},{late},{noticed}"
        parts.append(f',"e":[{seen}]')
    if passage.contact_at:
        parts.append(f',"c":{passage.contact_at}')
    if passage.parent:
        parts.append(f',"p":{passage.parent}')
    parts.append("}")
    return "".join(parts)


@lru_cache(maxsize=4096)
def _member(step: tuple[int, StepRecord]) -> str:
    """A step's number and record as a member of JSON; few are unlike all others."""
    number, (status, *record) = step
    return f'"{number}":{text_of([None if status is None else STATUS[status], *record])}'


def _joined(steps: tuple[tuple[int, StepRecord], ...]) -> str:
    """The records of a passage's steps as JSON's members."""
    return ",".join(map(_member, steps))


_known = lru_cache(maxsize=4096)(_joined)
"""The same of a few steps: few such ways are unlike all others."""


def _goals_until(passage: Passage) -> int | None:
    return goals_until(passage) if passage.program.journey.goals else None


def _slot(passage: Passage) -> int:
    return 0 if passage.outcome is None else passage.id


def enrollment_row(passage: Passage) -> tuple[object, ...]:
    """Parameters of ``insert_enrollment``."""
    return (
        passage.user.bucket,
        passage.id,
        passage.user.id,
        passage.program.journey.journey,
        passage.key,
        _slot(passage),
        passage.version_id,
        passage.run_id,
        int(passage.state),
        int(passage.reason),
        passage.position,
        passage.started,
        passage.wake_at,
        passage.entered_at,
        passage.ended_at,
        passage.outcome,
        encode_data(passage),
        _goals_until(passage),
    )


def enrollment_change(passage: Passage) -> tuple[object, ...]:
    """Parameters of ``update_enrollment``."""
    return (
        passage.user.bucket,
        passage.id,
        _slot(passage),
        int(passage.state),
        int(passage.reason),
        passage.position,
        passage.started,
        passage.wake_at,
        passage.ended_at,
        passage.outcome,
        encode_data(passage),
        _goals_until(passage),
    )


def stand(passage: Passage) -> tuple[object, ...]:
    """What of a passage is stored and may be another after a fact."""
    return (
        passage.state,
        passage.reason,
        passage.position,
        passage.started,
        passage.wake_at,
        passage.outcome,
        len(passage.goals),
    )


def execution_rows(
    passage: Passage, executions: Iterable[Execution], redrive: int = 0
) -> list[tuple[object, ...]]:
    """Parameters of ``insert_execution``, for each."""
    bucket, number = passage.user.bucket, passage.id
    return [
        (
            bucket,
            number,
            step,
            visit,
            redrive,
            STATUS[status],
            failure,
            text or None,
            http,
            attempts,
            arm,
            credential,
            started,
            ended,
            None if seen is None else text_of(seen),
        )
        for (
            step,
            visit,
            status,
            failure,
            text,
            http,
            attempts,
            arm,
            credential,
            started,
            ended,
            seen,
        ) in executions
    ]


def call_row(
    passage: Passage, call: PendingCall, run_id: int | None, next_try_at: int
) -> tuple[object, ...]:
    """Parameters of ``insert_call``. ``run_id`` is the run whose worker makes the call: the one it
    was decided in, even where that moved another run's passage. None: whoever works everything.
    """
    return (
        passage.user.bucket,
        passage.id,
        call.step,
        call.visit,
        passage.run_id if run_id is None else run_id,
        call.endpoint,
        call.method,
        call.target,
        json.dumps(call.headers) if call.headers else "[]",
        call.content_type,
        call.body,
        call.key,
        next_try_at,
        passage.program.name,
    )


_NOTHING_SEEN = (0, 0, 0, 0, 0)
_STATES, _REASONS = tuple(State), tuple(Reason)


def read_user(
    bucket: int, user_id: str, timezone: str | None, attributes: str, contacts: str | None
) -> User:
    """A user from his row."""
    times = [] if contacts is None else stored(contacts)
    return User(user_id, bucket, timezone, stored(attributes), contacts=times)


def read_passage(row: Sequence[Any], user: User, published: Published) -> Passage:
    """A passage from the first eighteen columns of ``due_passages`` and its kin."""
    data = stored(row[13])
    moves, unwaited = data["n"]
    entered_seq, seen_seq, depth, late, noticed = data.get("e", _NOTHING_SEEN)
    steps = {}
    for number, (status, *record) in data["s"].items():
        steps[int(number)] = StepRecord(STATUS_NAMES.get(status), *record)
    return Passage(
        id=row[1],
        user=user,
        program=published.program,
        key=row[3],
        entered_at=row[11],
        inputs=data.get("i", {}),
        version_id=published.id,
        version=published.number,
        run_id=row[5],
        vars=data.get("v", {}),
        steps=steps,
        position=row[8],
        started=row[9],
        moves=moves,
        unwaited=unwaited,
        state=_STATES[row[6]],
        reason=_REASONS[row[7]],
        wake_at=row[10],
        outcome=row[12],
        ended_at=row[16],
        goals={int(number): at for number, at in data["g"].items()} if "g" in data else {},
        entered_seq=entered_seq,
        seen_seq=seen_seq,
        depth=depth,
        began=row[11] - late,
        since=row[9] - noticed,
        parent=data.get("p", 0),
        contact_at=data.get("c", 0),
    )


def parent_of(data: str) -> int:
    """The passage that waits for the end of one with this data; 0: none does."""
    found: int = stored(data).get("p", 0)
    return found


def visit_of(data: str, step: int) -> int:
    """Which visit of a step it is that a passage with this data stands at."""
    found: int = stored(data)["s"][str(step)][-1]
    return found


def read_call(columns: Sequence[Any]) -> PendingCall:
    """A call from the columns behind the passage's in ``due_calls``: they are its fields."""
    call = PendingCall(*columns)
    call.headers = tuple((name, value) for name, value in json.loads(columns[5]))
    call.apply_outputs = bool(call.apply_outputs)
    return call
