"""Facts from a file, on their way into the inbox: checked whole, then handed on, in its order.

Nothing is kept in memory: what was checked stands in a temporary file, as the rows that it becomes.
What a file of events may hold stands in :mod:`engine.users.event_rows`.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING

from engine.core.guarded_json import stored, text_of
from engine.users.events import good_rows, opened_rows
from engine.users.findings import EventsFileError, Findings, unusable
from engine.users.incoming import IncomingChange, IncomingEvent, inbox_row
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO
    from zoneinfo import ZoneInfo

    from engine.users.event_rows import EventRow, EventRows
    from engine.users.incoming import InboxRow, Incoming
    from engine.users.source import Source

_AT_ONCE = 500
"""Rows on a line of the temporary file."""


class FactsFile:
    """A checked file of events and changes of attributes; ``count`` are its rows. Each was found
    fit to be ingested at ``now`` (microseconds UTC) or later. It stays open until :meth:`close`.
    """

    def __init__(self, source: Source, rows: EventRows, now: int) -> None:
        self.count = 0
        with _room_for(source.name):
            self._checked: BinaryIO = tempfile.TemporaryFile(prefix="journey-events-")  # noqa: SIM115
        findings = Findings(source.name, EventsFileError)
        try:
            fit = self._fit(rows, findings, now)
            while some := list(islice(fit, _AT_ONCE)):
                with _room_for(source.name):
                    self._checked.write(text_of(some).encode() + b"\n")
                self.count += len(some)
            with _room_for(source.name):
                self._checked.flush()
            if source.changed():
                raise EventsFileError(
                    f"{source.name} was changed while it was being read; start again"
                )
            if findings.count:
                raise findings.error()
            if not self.count:
                raise findings.nothing("events")
        except BadRow as bad:
            self.close()
            raise unusable(source.name, bad, EventsFileError) from None
        except BaseException:
            self.close()
            raise

    def rows(self) -> Iterator[InboxRow]:
        """The rows of the inbox that they are, in file order, without their ids:
        :func:`engine.users.incoming.numbered` gives one.
        """
        self._checked.seek(0)
        for line in self._checked:
            yield from stored(line.decode())

    def close(self) -> None:
        """Give the temporary file back."""
        with suppress(OSError):  # what found no room finds none now
            self._checked.close()

    def _fit(self, rows: EventRows, findings: Findings, now: int) -> Iterator[InboxRow]:
        for row in good_rows(rows, findings):
            try:
                yield inbox_row(_incoming(row), 0, now)
            except BadRow as bad:
                findings.add(bad.at(row.line))


@contextmanager
def open_facts(
    path: str | Path, zone: ZoneInfo, now: int, stdin: BinaryIO | None = None
) -> Iterator[FactsFile]:
    """Check all facts in ``path`` (``-``: standard input); local times are of ``zone``.

    Raises EventsFileError that names the first bad rows, and for a file without any.
    """
    with opened_rows(path, zone, stdin) as (source, rows):
        facts = FactsFile(source, rows, now)
    try:
        yield facts
    finally:
        facts.close()


@contextmanager
def _room_for(name: str) -> Iterator[None]:
    """Say where there was no room, and what gives it some."""
    try:
        yield
    except OSError as error:
        raise EventsFileError(
            f"{name} was not sent: what is checked of it can't be kept in the temporary folder:"
            f" {error.strerror}; make room there, or name another one by TMPDIR"
        ) from None


def _incoming(row: EventRow) -> Incoming:
    if row.name is None:
        return IncomingChange(row.user, row.values, row.at, row.id)
    return IncomingEvent(row.user, row.name, row.values, row.at, row.id)
