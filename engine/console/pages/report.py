"""What became of everybody in a journey: steps, goals, outcomes, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.listing import as_csv, since_of, wants_csv
from engine.console.pages.journeys import drawn
from engine.console.visit import Page, Shown
from engine.enrollments.arms import by_arm
from engine.enrollments.living import living, version_of
from engine.enrollments.summary_data import STEP_COLUMNS, gained, step_rows
from engine.versions.store import versions_of

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit


def _show(visit: Visit) -> Reply:
    name, versions = visit.place["journey"], visit.means.versions
    since, number = since_of(visit), visit.query.whole("version")
    only = number is not None
    with visit.means.database.read() as connection:
        published = version_of(connection, name, versions, number)
        summary = living(connection, published, versions, only=only, since=since)
        arms = by_arm(connection, published, versions, only=only, since=since)
        known = versions_of(connection, name)
    if wants_csv(visit):
        return as_csv(f"{name}-report", step_rows(summary), STEP_COLUMNS)
    values = {
        "name": name,
        "journey": published.program.journey,
        "summary": summary,
        "arms": arms,
        "gains": {goal: gained(summary, goal) for goal in summary.goals},
        "graph": drawn(published.program, summary),
        "known": known,
        "since": since,
    }
    return Shown("report.html", values)


PAGES = (Page("GET", "/journeys/{journey}/report", Permission.JOURNEYS_READ, _show),)
