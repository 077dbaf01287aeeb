"""What runs on this database, how it is, and the duties with a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.listing import as_csv, wants_csv
from engine.console.visit import Page, Shown
from engine.operations import store
from engine.operations.running import parted, running
from engine.operations.tables import instant
from engine.processes.duties import DUTIES

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit
    from engine.operations.store import DutyState

_COLUMNS = ("name", "when", "started_at", "ended_at", "said", "error", "failures", "next_at")
_WHEN = {duty.name: str(duty.when) for duty in DUTIES}


def _show(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        checks = list(running(connection, visit.now))
        duties = store.duties(connection)
        alive, ended = parted(store.processes(connection))
    if wants_csv(visit):
        return as_csv("duties", map(_row, duties), _COLUMNS)
    values = {"checks": checks, "duties": duties, "when_of": _WHEN}
    return Shown("health.html", values | {"processes": alive, "ended": ended})


def _row(duty: DutyState) -> dict[str, object]:
    return {
        "name": duty.name,
        "when": _WHEN.get(duty.name, ""),
        "started_at": instant(duty.started_at),
        "ended_at": instant(duty.ended_at),
        "said": duty.said,
        "error": duty.error,
        "failures": duty.failures,
        "next_at": instant(duty.next_at),
    }


PAGES = (Page("GET", "/health", Permission.SYSTEM_READ, _show),)
