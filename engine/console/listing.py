"""Lists: a page of one, and the same rows by the same filter as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from engine.console.refusals import Refusal
from engine.console.rendering import link
from engine.console.visit import Sent
from engine.operations.cursors import NoCursor, cursor_of, place_of
from engine.operations.since import instant_since
from engine.operations.tables import csv_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.console.visit import Visit

Row = TypeVar("Row")

MOST = 100
"""So many rows stand on a page."""

CSV = "csv"
"""``?format=csv``: the list as a file."""


@dataclass(frozen=True, slots=True)
class Part(Generic[Row]):
    """What of a list stands on one page: ``rows``, from the ``first`` (counted from 1) to the
    ``last`` of ``count``. ``before`` and ``after`` are the addresses of the pages beside it, None
    where there is none.
    """

    rows: Sequence[Row]
    first: int
    last: int
    count: int
    before: str | None
    after: str | None


def part_of(visit: Visit, path: str, found: Sequence[Row]) -> Part[Row]:
    """The page of ``found`` that ``?page=`` asks for, the first unless said; behind the end it is
    the last one. ``path`` is the list's: links to other pages keep what is searched (``q``).
    """
    pages = max(1, -(-len(found) // MOST))
    number = min(max(visit.query.whole("page") or 1, 1), pages)
    start = (number - 1) * MOST
    rows = found[start : start + MOST]

    def at(page: int) -> str:
        return link(path, q=visit.query.exact("q"), page=page if page > 1 else None)

    return Part(
        rows,
        first=start + 1,
        last=start + len(rows),
        count=len(found),
        before=at(number - 1) if number > 1 else None,
        after=at(number + 1) if number < pages else None,
    )


@dataclass(frozen=True, slots=True)
class Stretch(Generic[Row]):
    """What of a list that is too long to be counted stands on one page. ``start`` is the address of
    the first page, None on it; ``after`` that of the next one, None where there is none.
    """

    rows: Sequence[Row]
    start: str | None
    after: str | None


def place_in(visit: Visit, *kinds: type) -> Any:
    """Behind which place the page begins: of these kinds, or None for the first page. Raises
    Refusal.
    """
    cursor = visit.query["after"]
    if not cursor:
        return None
    try:
        return place_of(cursor, *kinds)
    except NoCursor:
        raise Refusal(
            400, "No such page", "That is no page of this list; begin with its first one"
        ) from None


def stretch_of(
    visit: Visit, path: str, kept: Sequence[str], rows: Sequence[Row], last: object
) -> Stretch[Row]:
    """The page with these rows of the list at ``path``. ``last`` is the place behind which the next
    one begins, None where there is none; links keep what the query says of ``kept``.
    """
    asked = {name: visit.query[name] for name in kept}
    more = None if last is None else link(path, **asked, after=cursor_of(last))
    return Stretch(rows, link(path, **asked) if visit.query["after"] else None, more)


def wants_csv(visit: Visit) -> bool:
    """Whether the list is asked for as CSV."""
    return visit.query["format"] == CSV


def as_csv(name: str, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> Sent:
    """The rows as a file."""
    body = csv_text(rows, columns).encode("utf-8", "replace")
    return Sent(body, "text/csv; charset=utf-8", f"{name}.csv")


def since_of(visit: Visit) -> int | None:
    """From when on a list is asked for; None for everything. Raises Refusal."""
    written = visit.query["since"]
    if not written:
        return None
    found = instant_since(written, visit.now)
    if found is None:
        raise Refusal(
            400,
            "No time",
            f"{written[:60]!r} is no ISO 8601 time and no length of time, as in 2026-11-22 or 7d",
        )
    return found
