"""What is published of a journey: its versions, how they differ, its picture, its numbers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, Response

from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import (
    INT64,
    Cursor,
    Instant,
    JourneyName,
    Limit,
    Page,
    Shown,
    Since,
    VersionNumber,
    decoded,
    page_of,
    since_of,
)
from engine.api.problems import Refused
from engine.core.drawing.mermaid import mermaid
from engine.core.drawing.svg import svg
from engine.enrollments.drawn_counts import counts_of
from engine.enrollments.living import living, version_of
from engine.operations import report
from engine.operations.diff import difference
from engine.operations.export import export
from engine.operations.plain_data import plain_data
from engine.versions.listing import VersionLine, one_journey

router = APIRouter(prefix="/journeys/{journey}", tags=["journeys"])

_SVG = "image/svg+xml"
_DRAWINGS: dict[str, Any] = {_SVG: {}, "text/plain": {"schema": {"type": "string"}}}
_DRAWN = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
"""A picture brings its own style sheet, and nothing else."""


class Version(Shown):
    """A version. The newest one with `triggers_on` is the one that users enter by themselves."""

    number: int
    triggers_on: bool
    published_at: Instant
    published_by: str
    entered: int
    inside: int

    @classmethod
    def of(cls, line: VersionLine) -> Version:
        """What is shown of one."""
        version, numbers = line.version, line.numbers
        return cls(
            number=version.number,
            triggers_on=version.triggers_on,
            published_at=version.published_at,
            published_by=version.published_by,
            entered=numbers.entered,
            inside=numbers.inside,
        )


@router.get("/versions")
def list_versions(
    journey: JourneyName,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.JOURNEYS_READ),
) -> Page[Version]:
    """Its versions, the newest first."""
    before = decoded(cursor, int) or INT64
    with caller.backend.database.read() as connection:
        page = one_journey(connection, journey, caller.backend.versions, standing=False)
    rest = (one for one in page.versions if one.version.number < before)
    return page_of(rest, Version.of, lambda one: one.version.number, limit)


@router.get("/diff")
def compare_versions(
    journey: JourneyName,
    before: VersionNumber,
    after: VersionNumber,
    caller: Caller = allowed(Permission.JOURNEYS_READ),
) -> dict[str, Any]:
    """What one version is other than an earlier one: steps, triggers and keys that changed, and the
    texts' difference line by line.
    """
    with caller.backend.database.read() as connection:
        found: dict[str, Any] = plain_data(difference(connection, journey, before, after))
    return found


@router.get("/text", response_class=PlainTextResponse)
def journey_text(
    journey: JourneyName,
    version: VersionNumber | None = None,
    caller: Caller = allowed(Permission.JOURNEYS_READ),
) -> PlainTextResponse:
    """Its text, as it was published; of the newest version unless said."""
    with caller.backend.database.read() as connection:
        return PlainTextResponse(export(connection, journey, version))


@router.get("/graph", response_class=Response, responses={200: {"content": _DRAWINGS}})
def draw_journey(
    journey: JourneyName,
    version: VersionNumber | None = None,
    form: Annotated[
        Literal["svg", "mermaid"], Query(alias="format", description="A picture, or text.")
    ] = "svg",
    counts: Annotated[bool, Query(description="How many came, wait and failed, by step.")] = False,
    caller: Caller = allowed(Permission.JOURNEYS_READ),
) -> Response:
    """Its steps, where they lead, and how it ends, as SVG or for Mermaid."""
    versions = caller.backend.versions
    with caller.backend.database.read() as connection:
        published = version_of(connection, journey, versions, version)
        counted = None
        if counts:
            only = version is not None
            counted = counts_of(living(connection, published, versions, only=only))
    if form == "mermaid":
        return PlainTextResponse(mermaid(published.program, counted))
    return Response(svg(published.program, counted), media_type=_SVG, headers=_DRAWN)


@router.get("/report")
def report_journey(
    journey: JourneyName,
    version: VersionNumber | None = None,
    since: Since = None,
    by: Annotated[
        Literal["arm"] | None, Query(description="Outcomes and goals of each split's arms, too.")
    ] = None,
    run: Annotated[int | None, Query(ge=1, le=INT64, description="Only this run.")] = None,
    caller: Caller = allowed(Permission.JOURNEYS_READ),
) -> dict[str, Any]:
    """What became of everybody in it, or in one version, of all time unless said; or in a run."""
    start = since_of(since, caller.now)
    asked = report.Asked(journey, run or report.ALL, version, start, by is not None)
    if run is not None and asked.narrowed:
        raise Refused(422, "request.invalid", "run: it is of one; version, since and by of all")
    with caller.backend.database.read() as connection:
        return dict(report.report(connection, asked, caller.backend.versions).data)
