"""Health: a process looks at its own threads, and says in the database how it is.

A thread of its own does it, so that it can tell of all the others. What it finds is in the row of
the process, for ``journey doctor``; a thread that died ends the process.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from dataclasses import replace
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

from engine.clock import stopwatch, wall
from engine.core.expressions.calendar import DAY
from engine.errors import EngineError
from engine.operations import store
from engine.operations.running import is_gone
from engine.operations.store import ENDED, Finding, Process

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence

    from engine.db.connect import Database

_log = logging.getLogger(__name__)

LOOK_S = 10.0
SAY_S = 30.0
"""How often a process looks at itself, and how often it writes down that it lives."""
BEAT_S = 5.0
LATE_S = 60.0
"""A loop that should have come by so long ago hangs."""
DEAD = "its thread died"
"""What is found of a thread that is gone: the process can't go on without it."""


class Loop(Protocol):
    """A loop with a thread of its own, as health sees it. Instants are the stopwatch's seconds."""

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        ...

    @property
    def back_by(self) -> float:
        """When it will come by again at the latest; math.inf while it waits to be woken."""
        ...


def look_at(part: str, loop: Loop) -> list[Finding]:
    """How a loop is."""
    if not loop.alive:
        return [Finding(part, "wrong", DEAD)]
    late = stopwatch() - loop.back_by
    if late > LATE_S:
        return [Finding(part, "wrong", f"hangs since {late:.0f} s")]
    return [Finding(part, "ok", "runs")]


class Beat:
    """Notes that the event loop comes round, each five seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stopped = False
        self._beat()

    def _beat(self) -> None:
        self._at = stopwatch()
        if not self._stopped:
            self._next = self._loop.call_later(BEAT_S, self._beat)

    def findings(self) -> list[Finding]:
        """How it is; for another thread."""
        late = stopwatch() - self._at - BEAT_S
        if late > LATE_S:
            return [Finding("event loop", "wrong", f"hangs since {late:.0f} s")]
        return [Finding("event loop", "ok", "runs")]

    def stop(self) -> None:
        """End."""
        self._stopped = True
        self._next.cancel()


def this_process(kind: str) -> Process:
    """The row of this process, started now."""
    now = wall()
    return Process(token_hex(8), kind, socket.gethostname(), os.getpid(), now, now)


class Watch:
    """Looks at ``probes`` in a thread of its own, those that are there when it is started, and says
    in the database what they find.

    ``died`` is told, once, which part has lost its thread.
    """

    def __init__(
        self,
        database: Database,
        process: Process,
        probes: Sequence[Callable[[], Iterable[Finding]]],
        died: Callable[[str], None],
    ) -> None:
        self._database = database
        self.process = process
        self._probes = probes
        self._died = died
        self._told_death = False
        self._unwritable = ""
        self._said_at = -SAY_S
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)

    def start(self) -> None:
        """Forget processes of this machine that are gone, and begin to look."""
        self._thread.start()

    def stop(self, bug: str = "") -> None:
        """End, and take this process out of the database; if it ends for a ``bug``, that is left
        there instead, until somebody is started who does its work.
        """
        self._stopping.set()
        self._thread.join(LATE_S)
        last = replace(self.process, seen_at=wall(), health=(Finding(ENDED, "wrong", bug),))
        try:
            with self._database.write(waits=1) as connection:
                if bug:
                    store.put_process(connection, last)
                else:
                    store.delete_processes(connection, [self.process.id])
        except EngineError as error:
            _log.warning("that this process ends isn't written down: %s", error.message)

    def look(self) -> tuple[Finding, ...]:
        """Look at everything once, and say it where it is time to or something has changed."""
        found = (
            *(finding for probe in self._probes for finding in probe()),
            _written(self._unwritable),
        )
        before = self.process.health
        for finding in found:
            if finding.state != "ok" and finding not in before:
                _log.warning("%s: %s", finding.part, finding.found)
        dead = next((finding.part for finding in found if finding.found == DEAD), None)
        self.process = replace(self.process, seen_at=wall(), health=found)
        if _states(found) != _states(before) or stopwatch() - self._said_at >= SAY_S:
            self._say()
        if dead is not None and not self._told_death:
            self._told_death = True
            self._died(dead)
        return found

    def _watch(self) -> None:
        self._forget_the_gone()
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - health must outlive whatever it meets
                _log.exception("health can't be told")
            self._wait()

    def _wait(self) -> None:
        """Until it is time to look again. Who comes round late himself was stopped with the whole
        process (a suspended machine): the other loops get a turn before they are looked at.
        """
        due = stopwatch() + LOOK_S
        if not self._stopping.wait(LOOK_S) and stopwatch() - due > LOOK_S:
            self._stopping.wait(LOOK_S)

    def _say(self) -> None:
        try:
            with self._database.write(waits=1) as connection:
                store.put_process(connection, self.process)
        except EngineError as error:
            self._unwritable = error.message
        else:
            self._unwritable, self._said_at = "", stopwatch()

    def _is_past(self, other: Process) -> bool:
        mine = self.process
        if other.bug and mine.kind not in (other.kind, "up"):  # which does what all of them do
            return other.seen_at < wall() - DAY
        # In a container every process has the same number.
        succeeded = (other.host, other.pid) == (mine.host, mine.pid) and other.id != mine.id
        gone = bool(other.bug) or is_gone(other) or other.seen_at < wall() - DAY
        return succeeded or gone

    def _forget_the_gone(self) -> None:
        try:
            with self._database.read() as connection:
                known = store.processes(connection)
            gone = [one.id for one in known if self._is_past(one)]
            if gone:
                with self._database.write(waits=1) as connection:
                    store.delete_processes(connection, gone)
        except EngineError as error:
            _log.warning("database: %s", error.message)


def _written(problem: str) -> Finding:
    return Finding("database", "wrong" if problem else "ok", problem or "written")


def _states(found: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.part, finding.state) for finding in found]
