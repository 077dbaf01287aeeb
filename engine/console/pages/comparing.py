"""Two versions of a journey beside one another: what changed, and who is still inside the older."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Literal

from engine.access.roles import Permission
from engine.console.visit import Page, Shown
from engine.core.dsl.load import load
from engine.errors import DefinitionError, NotFound
from engine.operations.export import export
from engine.operations.plan import plan
from engine.operations.publish import read_text
from engine.versions import states
from engine.versions.changes import changes
from engine.versions.store import versions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.console.visit import Reply, Visit
    from engine.db.connect import Connection
    from engine.operations.plan import Plan
    from engine.versions.changes import Changes
    from engine.versions.store import Listed

_AROUND = 3


Kind = Literal["", "added", "removed", "place"]
_MARKS: dict[str, Kind] = {"+": "added", "-": "removed", "@": "place"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text. ``kind`` is '' for one of both, ``place`` where lines were left out."""

    kind: Kind
    text: str


def _show(visit: Visit) -> Reply:
    name = visit.place["journey"]
    with visit.means.database.read() as connection:
        states.load(connection, name)
        known = versions_of(connection, name)
        old, new = _chosen(visit, known)
        texts = [export(connection, name, number) for number in (old, new)]
        change = None if old == new else _changes(name, *texts)
        planned = _plan(connection, name, texts[1], visit.now)
    values = {
        "name": name,
        "known": known,
        "old": old,
        "new": new,
        "lines": tuple(_lines(*texts)),
        "change": change,
        "plan": planned,
        "standing": [] if planned is None else [one for one in planned.versions if one.users],
    }
    return Shown("comparing.html", values)


def _chosen(visit: Visit, known: Sequence[Listed]) -> tuple[int, int]:
    """The two numbers: the newest, and the one before, unless said. Raises NotFound."""
    numbers = [one.number for one in known]
    new = visit.query.whole("to") or numbers[0]
    earlier = [number for number in numbers if number < new]
    old = visit.query.whole("from") or (earlier or numbers)[0]
    for number in (old, new):
        if number not in numbers:
            raise NotFound(f"there is no version {number}; the newest is {numbers[0]}")
    return old, new


def _changes(name: str, old: str, new: str) -> Changes | None:
    """None where a text isn't one that this engine reads."""
    try:
        return changes(load(old.encode(), name), load(new.encode(), name))
    except DefinitionError:
        return None


def _plan(connection: Connection, name: str, text: str, now: int) -> Plan | None:
    """What publishing the text again would do, and who is inside; None where it can't be."""
    try:
        return plan(connection, read_text(f"{name}.yaml", text.encode()), now=now)
    except DefinitionError:
        return None


def _lines(old: str, new: str) -> Iterator[Line]:
    found = unified_diff(old.splitlines(), new.splitlines(), n=_AROUND, lineterm="")
    for number, line in enumerate(found):
        if number < 2:  # names of files
            continue
        kind: Kind = _MARKS.get(line[:1], "")
        yield Line(kind, line if kind == "place" else line[1:])


PAGES = (Page("GET", "/journeys/{journey}/changes", Permission.JOURNEYS_READ, _show),)
