"""Facts from a file, on their way into the inbox: checked whole, then handed on, in its order.

Nothing is kept in memory: what was checked stands in a temporary file, as the rows that it becomes.
What a file of events may hold stands in :mod:`engine.users.event_rows`.
"""

from __future__ import annotations

import marshal
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from engine.users.event_blocks import inbox_rows
from engine.users.events import opened_rows
from engine.users.findings import EventsFileError, Findings, unusable
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO
    from zoneinfo import ZoneInfo

    from engine.users.event_rows import EventRows
    from engine.users.incoming import InboxRow
    from engine.users.source import Source

_SIZE = 8
"""Bytes that say how many follow."""


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
            for some in inbox_rows(rows, findings, now):
                self._keep(some, source.name)
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
        while size := self._checked.read(_SIZE):
            some = self._checked.read(int.from_bytes(size, "big"))
            yield from marshal.loads(some)  # noqa: S302 - nobody else has that file

    def close(self) -> None:
        """Give the temporary file back."""
        with suppress(OSError):  # what found no room finds none now
            self._checked.close()

    def _keep(self, rows: list[InboxRow], name: str) -> None:
        """Write rows to the temporary file, in a third of the time that JSON takes."""
        said = marshal.dumps(rows)
        with _room_for(name):
            self._checked.write(len(said).to_bytes(_SIZE, "big"))
            self._checked.write(said)
        self.count += len(rows)


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
