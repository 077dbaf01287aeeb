"""Whether what is meant to run does, and how it is: the rows of processes and duties, judged."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import BUCKETS
from engine.core.expressions.calendar import DAY, HOUR, SECOND
from engine.endpoints.states import gates
from engine.enrollments.store import workers
from engine.operations import store
from engine.operations.checks import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from engine.db.connect import Connection
    from engine.operations.store import DutyState, Process

SILENT_US = 120 * SECOND
"""A process that said nothing for so long hangs, or is gone."""


def running(connection: Connection, now: int) -> Iterator[Check]:
    """The processes that run on this database, what they share, their duties, and the endpoints
    that they send nothing to just now. ``now`` is wall time.
    """
    for part in PARTS.values():
        yield from part(connection, now)


def _processes(connection: Connection, now: int) -> Iterator[Check]:
    known = store.processes(connection)
    for process in known:
        yield from _process(process, now)
    if all(map(ended, known)):
        yield Check("processes", "ok", "none runs; `journey up` starts one")


def ended(process: Process) -> str:
    """How a process ended, in words; '' for one that runs, as far as anybody here can tell."""
    if process.bug:
        return f"for a bug: {process.bug}"
    return "without a word" if is_gone(process) else ""


def parted(known: Iterable[Process]) -> tuple[list[Process], list[tuple[Process, str]]]:
    """The processes that run; and those that ended, with :func:`ended`'s words for it."""
    told = [(process, ended(process)) for process in known]
    return [process for process, how in told if not how], [each for each in told if each[1]]


def is_gone(process: Process) -> bool:
    """Whether a process of this machine doesn't run any more; False for one of another machine."""
    if process.host != socket.gethostname():
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _process(process: Process, now: int) -> Iterator[Check]:
    name = f"journey {process.kind} (process {process.pid} on {process.host})"
    how = ended(process)
    if how:
        if now - process.seen_at > DAY and process.bug:
            return
        more = "its log says more, please report it; " if process.bug else ""
        when = f"{_moment(process.seen_at)} " if process.bug else ""
        found = f"{name} ended {when}{how}"
        yield Check("processes", "odd", found, f"{more}start it again; what it was at goes on")
        return
    if now - process.seen_at > SILENT_US:
        found = f"{name} said nothing since {_moment(process.seen_at)}"
        yield Check("processes", "wrong", found, "look at its log, and start it again")
        return
    bad = [each for each in process.health if each.state != "ok"]
    for each in bad:
        yield Check("processes", each.state, f"{name}: {each.part}: {each.found}")
    if not bad:
        parts = ", ".join(each.part for each in process.health)
        since = _moment(process.started_at)
        yield Check("processes", "ok", f"{name} runs since {since}: {parts or 'it begins'}")


def _shares(connection: Connection, now: int) -> Iterator[Check]:
    """Who has how many buckets of users, where several workers may share them."""
    found = workers.shares(connection) if connection.dialect.name == "postgresql" else ()
    if not found:
        return
    shown = ", ".join(f"{name} has {count}" for name, count in found)
    free = BUCKETS - sum(count for _, count in found)
    if not free:
        yield Check("workers", "ok", f"of {BUCKETS} buckets, {shown}")
        return
    remedy = "those who live take them with their next heartbeat; look again"
    yield Check("workers", "odd", f"of {BUCKETS} buckets, {shown}, {free} have nobody", remedy)


def _duties(connection: Connection, now: int) -> Iterator[Check]:
    known = store.duties(connection)
    scheduling = any(
        each.kind in ("up", "scheduler") and now - each.seen_at < SILENT_US and not ended(each)
        for each in store.processes(connection)
    )
    failed = [duty for duty in known if duty.error is not None]
    for duty in failed:
        times = "" if duty.failures == 1 else f", {duty.failures} times in a row"
        found = f"{duty.name} failed {_moment(duty.ended_at)}{times}: {duty.error}"
        yield Check("duties", "odd", found, f"it is tried again {_moment(duty.next_at)}")
    late = [duty.name for duty in known if duty.next_at < now - HOUR]
    if late and not scheduling:
        found = f"nobody does {', '.join(late)}"
        yield Check("duties", "odd", found, "run `journey up`, or `journey scheduler`")
    coming = min((duty for duty in known if duty.next_at >= now), key=_due, default=None)
    if coming is not None and not failed and not late:
        yield Check("duties", "ok", f"the next one is {coming.name}, {_moment(coming.next_at)}")


def _shut(connection: Connection, now: int) -> Iterator[Check]:
    """The endpoints whose calls are held, or refused by their circuit breaker."""
    for name, shared in sorted(gates(connection).items()):
        gate = shared.gate
        if gate.since is not None:
            why = f"{name}: {gate.words(now)} since {_moment(gate.since)}: {gate.text or gate.code}"
            tried = f"one call tries it again {_moment(gate.probe_at)}"
            remedy = f"{tried}; `journey endpoints test {name}` sends one now"
            yield Check("endpoints", "odd", why, remedy)


PARTS: Mapping[str, Callable[[Connection, int], Iterator[Check]]] = {
    "processes": _processes,
    "workers": _shares,
    "duties": _duties,
    "endpoints": _shut,
}
"""What :func:`running` tells of, by what it is called: each reads for itself."""


def _due(duty: DutyState) -> int:
    return duty.next_at


def _moment(instant: int | None) -> str:
    if instant is None:
        return "never"
    return datetime.fromtimestamp(instant // SECOND, UTC).strftime("%Y-%m-%dT%H:%MZ")
