"""The scheduler: lets duties begin when it is time, each in a thread of a small pool.

APScheduler is the timer and nothing more: its jobs live in memory, what is due when comes from the
table of duties, and what became of them stands in the database. Of the processes that share a duty
the first one to claim it does it.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from engine.clock import stopwatch, wall
from engine.core.expressions.calendar import MINUTE, SECOND, to_instant, utc
from engine.errors import DatabaseUnavailable, EngineError
from engine.operations import store
from engine.operations.store import DutyState, Finding
from engine.operations.zone import installation_zone
from engine.processes.health import DEAD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from engine.processes.duties import Duty, Post

_log = logging.getLogger(__name__)

LONGEST_REST_S = 60.0
"""The timer looks at the clock at least so often: somebody may have set it."""
LATE_S = 150.0
"""A timer that hasn't looked for so long hangs."""
SOON = 5 * SECOND
"""When a duty is done that all processes share and that was due while none ran."""
_TOLD_AGAIN = 10 * MINUTE
"""How often a duty of each process writes down that it was done and there was nothing to do."""
_JUMP_S = 2.0
_LONGEST_TEXT = 500


class _At(BaseTrigger):  # type: ignore[misc]
    """Fires when a duty's table row says. What was missed meanwhile is one time, not many."""

    def __init__(self, duty: Duty, zone: ZoneInfo) -> None:
        self._duty = duty
        self._zone = zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The first time after both."""
        latest = now if previous is None else max(previous, now)
        return utc(self._duty.when.after(to_instant(latest), self._zone))


class _Timer(BackgroundScheduler):  # type: ignore[misc]
    """APScheduler's, whose thread can be looked at, and which sees that the clock was set back."""

    ticked = 0.0
    _before: tuple[float, datetime] | None = None

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        thread: threading.Thread | None = getattr(self, "_thread", None)
        return thread is not None and thread.is_alive()

    def _process_jobs(self) -> float:
        self.ticked = stopwatch()
        self._mind_the_clock(utc(wall()))
        pause: float | None = super()._process_jobs()
        return LONGEST_REST_S if pause is None else min(pause, LONGEST_REST_S)

    def _mind_the_clock(self, now: datetime) -> None:
        before, self._before = self._before, (self.ticked, now)
        if before is None:
            return
        passed = (now - before[1]).total_seconds() - (self.ticked - before[0])
        if passed < -_JUMP_S:
            for job in self.get_jobs():
                job.modify(next_run_time=job.trigger.get_next_fire_time(None, now))


@dataclass(slots=True)
class _Held:
    """What this process knows of a duty: its row, and since when (stopwatch) it is at it."""

    duty: Duty
    state: DutyState
    since: float | None = None
    written_at: int = 0


class Scheduler:
    """Does ``duties`` when they are due. ``process`` is this process's id."""

    def __init__(self, duties: Sequence[Duty], post: Post, process: str) -> None:
        self._post = post
        self._process = process
        self._zone = installation_zone(post.settings)
        self._held = {duty.name: _Held(duty, _fresh(duty.name)) for duty in duties}
        # As many threads as duties: one that hangs keeps no other waiting. They are made as needed.
        pool = ThreadPoolExecutor(max(1, len(duties)), {"thread_name_prefix": "duty"})
        self._timer = _Timer(timezone=utc(0).tzinfo, executors={"default": pool})
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # what it says is said here

    def start(self) -> None:
        """Plan every duty and begin. Raises DatabaseUnavailable."""
        self.plan()
        self._timer.start()

    def plan(self) -> None:
        """Find out when each duty is due: as its row says, or sooner if the table does."""
        now = self._post.now()
        with self._post.database.write() as connection:
            store.delete_other_duties(connection, list(self._held))
            for name, held in self._held.items():
                at = held.duty.when.after(now, self._zone)
                if held.duty.shared:
                    at = max(store.plan_duty(connection, name, at), now + SOON)
                held.state = replace(held.state, next_at=at)
        for name, held in self._held.items():
            self._timer.add_job(
                self.do,
                _At(held.duty, self._zone),
                args=(name,),
                id=name,
                next_run_time=utc(held.state.next_at),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
                replace_existing=True,
            )

    def first_times(self) -> dict[str, int]:
        """When each duty is next begun here."""
        return {name: held.state.next_at for name, held in self._held.items()}

    def stop(self, patience_s: float) -> None:
        """Begin nothing more, and wait a while for what was begun."""
        with suppress(AttributeError):  # its thread may have died, and it looks for it
            self._timer.shutdown(wait=False)
        until = stopwatch() + patience_s
        done = threading.Event()
        while any(held.since is not None for held in self._held.values()) and stopwatch() < until:
            done.wait(0.05)

    def do(self, name: str) -> None:
        """Do a duty now, if it is due and no other process does it. Never raises."""
        held = self._held[name]
        now = self._post.now()
        following = held.duty.when.after(now, self._zone)
        try:
            if held.duty.shared and not self._claim(name, now, following):
                return
        except DatabaseUnavailable as error:
            self._ended(held, replace(held.state, started_at=now, next_at=following), "", error)
            return
        held.state = replace(held.state, started_at=now, ended_at=None, next_at=following)
        held.since = stopwatch()
        said, failure = "", None
        try:
            said = held.duty.do(self._post)
        except Exception as error:  # noqa: BLE001 - a duty that fails never stops the others
            failure = error
        finally:
            held.since = None
        self._ended(held, held.state, said, failure)

    def _claim(self, name: str, now: int, following: int) -> bool:
        with self._post.database.write() as connection:
            return store.claim_duty(connection, name, self._process, now, following)

    def _ended(self, held: _Held, state: DutyState, said: str, failure: Exception | None) -> None:
        """Tell how a duty ended, and write it down."""
        before, now = held.state.error, self._post.now()
        error = None if failure is None else _reason(failure)
        failures = 0 if failure is None else held.state.failures + 1
        held.state = replace(
            state,
            process=self._process,
            ended_at=now,
            said=said[:_LONGEST_TEXT],
            error=error,
            failures=failures,
        )
        name = held.duty.name
        if failure is not None:
            unforeseen = None if isinstance(failure, EngineError) else failure
            _log.error("duty %s failed: %s", name, error, exc_info=unforeseen)
        elif said or before is not None:
            _log.info("duty %s: %s", name, said or "done, after it had failed")
        quiet = not (held.duty.shared or said or error != before)
        if quiet and now - held.written_at < _TOLD_AGAIN:
            return
        try:
            with self._post.database.write(waits=1) as connection:
                store.put_duty(connection, held.state)
            held.written_at = now
        except DatabaseUnavailable as unwritten:
            _log.warning("duty %s: what became of it isn't written down: %s", name, unwritten)

    def findings(self) -> list[Finding]:
        """How the timer and the duties are, for health."""
        timer = Finding("scheduler", "ok", "runs")
        if not self._timer.alive:
            timer = Finding("scheduler", "wrong", DEAD)
        elif stopwatch() - self._timer.ticked > LATE_S:
            seconds = stopwatch() - self._timer.ticked
            timer = Finding("scheduler", "wrong", f"its thread hangs since {seconds:.0f} s")
        return [timer, *(each for held in self._held.values() for each in _told(held))]


def _told(held: _Held) -> list[Finding]:
    """What is to be told of a duty: that it hangs, or failed last."""
    name, since, state = held.duty.name, held.since, held.state
    if since is not None and (took := stopwatch() - since) * SECOND > held.duty.patience:
        return [Finding(f"duty {name}", "wrong", f"hangs since {took / 60:,.0f} min")]
    if state.error is not None:
        return [Finding(f"duty {name}", "odd", f"failed: {state.error}")]
    return []


def _fresh(name: str) -> DutyState:
    return DutyState(name, "", None, None, "", None, 0, 0)


def _reason(failure: Exception) -> str:
    """Why a duty failed. Of a foreign error only its kind and place: its text may hold a secret."""
    if isinstance(failure, EngineError):
        return failure.message[:_LONGEST_TEXT]
    place: Any = failure.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_globals.get('__name__', '?')}:{place.tb_lineno}" if place else "?"
    return f"a bug in journey ({type(failure).__name__} at {where})"
