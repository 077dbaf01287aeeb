"""Facts from a file, on their way into the inbox: checked whole, then read again, in its order.

Nothing is kept in memory but where the file is read. What a file of events may hold stands in
:mod:`engine.users.event_rows`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.users.events import good_rows, opened_rows
from engine.users.findings import EventsFileError, Findings, unusable
from engine.users.incoming import Incoming, IncomingChange, IncomingEvent, inbox_row
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO
    from zoneinfo import ZoneInfo

    from engine.users.event_rows import EventRow, EventRows
    from engine.users.source import Source


class FactsFile:
    """A checked file of events and changes of attributes; ``count`` are its rows. Every row was
    found fit to be ingested at ``now`` (microseconds UTC) or later.
    """

    def __init__(self, source: Source, rows: EventRows, now: int) -> None:
        self.count = 0
        self._source = source
        self._rows = rows
        findings = Findings(source.name, EventsFileError)
        try:
            self._check(findings, now)
        except BadRow as bad:
            raise unusable(source.name, bad, EventsFileError) from None
        if findings.count:
            raise findings.error()
        if not self.count:
            raise findings.nothing("events")

    def facts(self) -> Iterator[Incoming]:
        """The facts in file order. Raises EventsFileError if the file was changed meanwhile."""
        self._require_unchanged()
        for row in self._rows.read():
            if isinstance(row, BadRow):
                break
            yield _incoming(row)
        self._require_unchanged()

    def _check(self, findings: Findings, now: int) -> None:
        for row in good_rows(self._rows, findings):
            try:
                inbox_row(_incoming(row), 0, now)
                self.count += 1
            except BadRow as bad:
                findings.add(bad.at(row.line))

    def _require_unchanged(self) -> None:
        if self._source.changed():
            raise EventsFileError(
                f"{self._source.name} was changed while it was being read; start again"
            )


@contextmanager
def open_facts(
    path: str | Path, zone: ZoneInfo, now: int, stdin: BinaryIO | None = None
) -> Iterator[FactsFile]:
    """Check all facts in ``path`` (``-``: standard input); local times are of ``zone``.

    Raises EventsFileError that names the first bad rows, and for a file without any.
    """
    with opened_rows(path, zone, stdin) as (source, rows):
        yield FactsFile(source, rows, now)


def _incoming(row: EventRow) -> Incoming:
    if row.name is None:
        return IncomingChange(row.user, row.values, row.at, row.id)
    return IncomingEvent(row.user, row.name, row.values, row.at, row.id)
