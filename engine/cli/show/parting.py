"""Two ways of a user that part: as lines for people, and as data for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.cli.show.terminal import Paint, plain
from engine.cli.show.timeline import Timeline
from engine.core.expressions.calendar import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.cli.show.timeline import Event
    from engine.core.interpreter.compare import Kind, Parting, Point
    from engine.core.steps.base import Call
    from engine.users.row import UserRow

MOST_LINES = 12
"""So many lines of a way are shown from where it parts."""
_LONGEST_BODY = 200

_WORDS: dict[Kind, str] = {
    "way": "goes another way from {at} on",
    "request": "is sent something else at {at}",
    "time": "goes the same way, at another time from {at} on",
}


@dataclass(frozen=True, slots=True)
class Ways:
    """Both ways of a user."""

    one: list[Point]
    other: list[Point]


def difference_data(user: str, parted: Parting, ways: Ways) -> dict[str, object]:
    """A user whose ways part, with both from there on."""
    return {
        "type": "difference",
        "user": user,
        "differs": parted.kind,
        "first_at": parted.at,
        "common": parted.common,
        "this": [_point_data(point) for point in ways.one[parted.common :]],
        "other": [_point_data(point) for point in ways.other[parted.common :]],
    }


def difference_lines(
    user: UserRow,
    parted: Parting,
    ways: Ways,
    names: tuple[str, str],
    told: tuple[list[str], list[str]],
) -> Iterator[str]:
    """The same for people; ``told`` are the timelines of both."""
    yield f"{plain(user.id)} {_WORDS[parted.kind].format(at=plain(parted.at))}"
    if parted.kind == "request":
        for name, way in zip(names, (ways.one, ways.other), strict=True):
            sent = way[parted.common].request
            yield f"  {plain(name)}"
            yield f"      {_request(sent)}"
        return
    same = _same(*told)
    for name, lines in zip(names, told, strict=True):
        yield f"  {plain(name)}"
        rest = lines[same:]
        for line in rest[:MOST_LINES]:
            yield f"    {line}"
        if len(rest) > MOST_LINES:
            yield f"      … {len(rest) - MOST_LINES} more"
        if not rest:
            yield "      nothing more"


def timeline(events: Iterable[Event], zone: str) -> list[str]:
    """The timeline of what happens to a user, without colours; ``zone`` is the installation's."""
    told = Timeline("simulated", zone, Paint())
    return [line for event in events for line in told.lines(event)]


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _request(call: Call | None) -> str:
    if call is None:
        return "nothing"
    body = call.body.decode(errors="replace")
    return plain(f"{call.method} {call.endpoint}{call.target}  {body}", _LONGEST_BODY)


def _point_data(point: Point) -> dict[str, object]:
    call = point.request
    request = None
    if call is not None:
        request = {
            "method": call.method,
            "endpoint": call.endpoint,
            "target": call.target,
            "headers": dict(call.headers),
            "body": call.body.decode(errors="replace"),
        }
    step = {"status": point.status, "failure": point.failure, "arm": point.arm}
    return {
        "at": iso(point.at),
        "what": point.what,
        "name": point.name,
        **(step if point.what == "step" else {}),
        **({"request": request} if request else {}),
    }
