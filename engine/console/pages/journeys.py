"""Journeys: the list, and the page of one, with its graph, its versions and its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from engine.access.roles import Permission
from engine.console.funnel import stages
from engine.console.listing import MOST, as_csv, place_in, stretch_of, wants_csv
from engine.console.rendering import span
from engine.console.visit import Page, Redirected, Sent, Shown
from engine.core.drawing.svg import svg
from engine.enrollments.drawn_counts import counts_of
from engine.enrollments.listing import STATES, Wanted, passages
from engine.enrollments.living import living, version_of
from engine.enrollments.tallies import Tally, tallies
from engine.errors import OperatorError
from engine.operations import archive, pause
from engine.operations.export import export
from engine.operations.tables import instant
from engine.versions.listing import every_journey, one_journey

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit
    from engine.core.dsl.program import Program
    from engine.enrollments.listing import Listed
    from engine.enrollments.summary import Summary
    from engine.versions.listing import JourneyLine
    from engine.versions.states import Rule

RULES: dict[Rule, str] = {
    "run": "Whose time came meanwhile goes on now, calls included",
    "skip": "Whose time came meanwhile goes on now, without the calls that were due",
    "shift": "Everybody waits longer by the pause",
}
_COLUMNS = (
    *("journey", "state", "version", "inside", "entered", "ended", "failed", "goals"),
    *("triggers", "published_at"),
)
_PASSAGE_COLUMNS = (
    *("id", "user", "journey", "version", "key", "state", "step", "waits", "until"),
    *("entered_at", "ended_at", "outcome", "run"),
)
_MOST_IN_FILES = 100_000


def _list(visit: Visit) -> Reply:
    text, state = visit.query["q"].lower(), visit.query["state"]
    with visit.means.database.read() as connection:
        lines = every_journey(connection, visit.means.versions)
        counted = tallies(connection)
    found = [
        (line, counted.get(line.journey, Tally()))
        for line in lines
        if state in ("", line.state)
        and any(text in part.lower() for part in (line.journey, *line.triggers))
    ]
    if wants_csv(visit):
        return as_csv("journeys", (_row(*each) for each in found), _COLUMNS)
    return Shown("journeys.html", {"found": found, "any": bool(lines)})


def _row(line: JourneyLine, tally: Tally) -> dict[str, object]:
    return {
        "journey": line.journey,
        "state": line.state,
        "version": line.version,
        "inside": line.inside,
        "entered": line.entered,
        "ended": tally.ended,
        "failed": tally.failed,
        "goals": tally.goals,
        "triggers": list(line.triggers),
        "published_at": instant(line.published_at),
    }


def _show(visit: Visit) -> Reply:
    name, versions = visit.place["journey"], visit.means.versions
    with visit.means.database.read() as connection:
        page = one_journey(connection, name, versions, standing=False)
        published = version_of(connection, name, versions)
        summary = visit.means.remembered.get(
            ("living", published.id), lambda: living(connection, published, versions)
        )
    journey = published.program.journey
    values = {
        "page": page,
        "line": page.line,
        "journey": journey,
        "summary": summary,
        "graph": drawn(published.program, summary),
        "stages": stages(journey, summary),
        "rules": RULES,
    }
    return Shown("journey.html", values)


def drawn(program: Program, summary: Summary) -> Markup:
    """A journey's graph with its numbers. Its texts are cleaned and escaped where it is drawn."""
    return Markup(svg(program, counts_of(summary), named=False, styled=False))  # noqa: S704


def _source(visit: Visit) -> Reply:
    """The text of a version, as a file."""
    name, number = visit.place["journey"], visit.query.whole("version")
    with visit.means.database.read() as connection:
        text = export(connection, name, number)
    return Sent(text.encode(), "application/yaml; charset=utf-8", f"{name}.yaml")


def _pause(visit: Visit) -> Reply:
    name = visit.place["journey"]
    with visit.means.database.write() as connection:
        inside = pause.pause(connection, name, at=visit.now, now=visit.now, actor=visit.actor)
    return Redirected(f"/journeys/{name}", f"Paused: {inside:,} inside are held")


def _resume(visit: Visit) -> Reply:
    name, rule = visit.place["journey"], visit.form["overdue"]
    chosen = next((each for each in RULES if each == rule), None)
    if chosen is None:
        raise OperatorError(f"overdue is one of {', '.join(RULES)}")
    with visit.means.database.write() as connection:
        order = pause.resume(
            connection, name, chosen, at=visit.now, now=visit.now, actor=visit.actor
        )
    length = span(order.at - (order.paused_at or order.at))
    return Redirected(f"/journeys/{name}", f"Resumed after {length}. {RULES[chosen]}")


def _ask_archive(visit: Visit) -> Reply:
    name = visit.place["journey"]
    with visit.means.database.read() as connection:
        users = archive.users_inside(connection, name)
    return Shown("archive.html", {"name": name, "users": users})


def _archive(visit: Visit) -> Reply:
    name = visit.place["journey"]
    with visit.means.database.write() as connection:
        users = archive.archive(connection, name, at=visit.now, now=visit.now, actor=visit.actor)
    return Redirected(f"/journeys/{name}", f"Archived: {users:,} inside leave it")


def _passages(visit: Visit) -> Reply:
    query, name = visit.query, visit.place["journey"]
    state = query["state"] if query["state"] in STATES else None
    as_file = wants_csv(visit)
    wanted = Wanted(
        journey=name,
        user=query["user"] or None,
        state=state,
        step=query["step"] or None,
        outcome=query["outcome"] or None,
        most=_MOST_IN_FILES if as_file else MOST + 1,
        before=None if as_file else place_in(visit, int),
    )
    with visit.means.database.read() as connection:
        page = one_journey(connection, name, visit.means.versions, standing=False)
        found = passages(connection, wanted, visit.means.versions)
    if as_file:
        return as_csv(f"{name}-passages", map(_passage_row, found), _PASSAGE_COLUMNS)
    path, last = f"/journeys/{page.line.journey}/passages", None
    if len(found) > MOST:
        last = found[MOST - 1].id
    part = stretch_of(visit, path, ("state", "step", "outcome", "user"), found[:MOST], last)
    values = {"line": page.line, "part": part, "states": STATES}
    return Shown("passages.html", values)


def _passage_row(listed: Listed) -> dict[str, object]:
    return {
        name: instant(getattr(listed, name))
        if name in ("until", "entered_at", "ended_at")
        else getattr(listed, name)
        for name in _PASSAGE_COLUMNS
    }


PAGES = (
    Page("GET", "/journeys", Permission.JOURNEYS_READ, _list),
    Page("GET", "/journeys/{journey}", Permission.JOURNEYS_READ, _show),
    Page("GET", "/journeys/{journey}/source", Permission.JOURNEYS_READ, _source),
    Page("GET", "/journeys/{journey}/passages", Permission.ENROLLMENTS_READ, _passages),
    Page("POST", "/journeys/{journey}/pause", Permission.JOURNEYS_WRITE, _pause),
    Page("POST", "/journeys/{journey}/resume", Permission.JOURNEYS_WRITE, _resume),
    Page("GET", "/journeys/{journey}/archive", Permission.JOURNEYS_WRITE, _ask_archive),
    Page("POST", "/journeys/{journey}/archive", Permission.JOURNEYS_WRITE, _archive),
)
