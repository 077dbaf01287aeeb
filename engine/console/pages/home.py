"""Home: what goes on, what needs somebody, what ends soon. Each sees what he may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.access import issuing
from engine.access.roles import Permission
from engine.audit.store import changes
from engine.console.rendering import link, span
from engine.console.visit import Page, Shown
from engine.core.expressions.calendar import DAY
from engine.credentials.listing import search_profiles
from engine.endpoints import states
from engine.endpoints.store import load_all
from engine.enrollments.endpoint_figures import failed_calls
from engine.enrollments.tallies import Tally, tallies
from engine.operations import store
from engine.operations.running import ended, running
from engine.versions.listing import every_journey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.audit.store import Change
    from engine.console.visit import Reply, Visit
    from engine.db.connect import Connection

SOON_US = 30 * DAY
_MOST_JOURNEYS = 8
_MOST_FAILURES = 5
_MOST_CHANGES, _LOOKED_THROUGH = 6, 60
_COMING_AND_GOING = frozenset(("log in", "log out", "login link"))


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that needs somebody: ``what`` it is about, where ``to`` look, and what is known."""

    state: Literal["wrong", "odd"]
    what: str
    to: str
    text: str


def _show(visit: Visit) -> Reply:
    with visit.means.database.read() as connection:
        journeys = []
        if visit.may(Permission.JOURNEYS_READ):
            counted = tallies(connection)
            journeys = [
                (line, counted.get(line.journey, Tally()))
                for line in every_journey(connection, visit.means.versions)
            ]
        matters = [
            *_of_health(visit, connection),
            *_of_endpoints(visit, connection),
            *_of_secrets(visit, connection),
            *_of_tokens(visit, connection),
            *_of_calls(visit, connection),
        ]
        recent = []
        if visit.may(Permission.AUDIT_READ):
            recent = _recent(connection)
        endpoints = len(load_all(connection))
    live = [each for each in journeys if each[0].state == "active"]
    shown = [each for each in journeys if each[0].state != "archived"]
    values = {
        "any": bool(journeys),
        "endpoints": endpoints,
        "live": len(live),
        "paused": sum(line.state == "paused" for line, _ in journeys),
        "inside": sum(line.inside for line, _ in journeys),
        "entered": sum(line.entered for line, _ in journeys),
        "goals": sum(tally.goals for _, tally in journeys),
        "failed": sum(tally.failed for _, tally in journeys),
        "journeys": sorted(shown, key=lambda each: -each[0].inside)[:_MOST_JOURNEYS],
        "more": len(shown) - _MOST_JOURNEYS,
        "matters": sorted(matters, key=lambda each: each.state != "wrong"),
        "recent": recent,
    }
    return Shown("home.html", values)


def _recent(connection: Connection) -> list[Change]:
    """What was changed last; that somebody came in or went isn't that."""
    found = changes(connection, newest=_LOOKED_THROUGH)
    told = [each for each in found if each.verb not in _COMING_AND_GOING]
    return told[:_MOST_CHANGES]


def _of_health(visit: Visit, connection: Connection) -> Iterator[Matter]:
    if not visit.may(Permission.SYSTEM_READ):
        return
    for check in running(connection, visit.now):
        if check.state != "ok":
            text = f"{check.found}. {check.remedy}" if check.remedy else check.found
            yield Matter(check.state, check.name, "/health", text)
    known = store.processes(connection)
    if not any(each.kind in ("up", "worker") and not ended(each) for each in known):
        text = "No worker runs: nobody travels on until `journey up` or `journey worker` is started"
        yield Matter("odd", "processes", "/health", text)


def _of_endpoints(visit: Visit, connection: Connection) -> Iterator[Matter]:
    if not visit.may(Permission.ENDPOINTS_READ):
        return
    gates = states.gates(connection)
    for stored in load_all(connection):
        name = stored.endpoint.name
        to = f"/endpoints/{name}"
        if stored.auth_lost is not None:
            text = f"its auth profile {stored.auth_lost} was deleted: its calls fail"
            yield Matter("wrong", name, to, text)
        gate = gates.get(name, states.UNTOUCHED).gate
        if gate.since is not None:
            length = span(max(0, visit.now - gate.since), 1)
            yield Matter("wrong", name, to, f"{gate.words(visit.now)} for {length}: {gate.text}")


def _of_secrets(visit: Visit, connection: Connection) -> Iterator[Matter]:
    if not visit.may(Permission.PROFILES_READ):
        return
    for profile in search_profiles(connection, references=visit.means.references):
        to = f"/endpoints/{profile.name}" if profile.inline else f"/profiles/{profile.name}"
        if profile.problem:
            yield Matter("wrong", profile.name, to, profile.problem)
        missing = [each.field for each in profile.secrets if not each.is_set]
        if missing:
            yield Matter("wrong", profile.name, to, f"{', '.join(missing)} isn't set")
        ending = profile.ending
        if ending is not None and ending.state != "ok":
            text = f"its {ending.of} {ending.text}"
            yield Matter("wrong" if ending.state == "wrong" else "odd", profile.name, to, text)


def _of_tokens(visit: Visit, connection: Connection) -> Iterator[Matter]:
    if not visit.may(Permission.TOKENS_READ):
        return
    for token in issuing.listed(connection, visit.now):
        ends = token.expires_at
        if ends is not None and ends - visit.now < SOON_US:
            text = f"this API token ends in {span(ends - visit.now, 1)}"
            yield Matter("odd", token.name, f"/tokens/{token.name}", text)


def _of_calls(visit: Visit, connection: Connection) -> Iterator[Matter]:
    if not visit.may(Permission.CALLS_READ):
        return
    found = visit.means.remembered.get("failed calls", lambda: failed_calls(connection))
    for each in found[:_MOST_FAILURES]:
        calls = "1 call" if each.count == 1 else f"{each.count:,} calls"
        ago = span(max(0, visit.now - each.last_at), 1)
        text = f"{calls} failed for good with {each.failure}, the last one {ago} ago"
        to = link("/calls", endpoint=each.endpoint, code=each.failure)
        yield Matter("odd", each.endpoint, to, text)


PAGES = (Page("GET", "/", None, _show),)
