"""The way in: facts are appended to the inbox, in sets; the owner of their users receives them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from engine.errors import OperatorError
from engine.users import store
from engine.users.incoming import CHANGE, ENTRY, EVENT, inbox_row, numbered
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.db.connect import Connection
    from engine.db.ids import IdMaker
    from engine.users.incoming import InboxRow, Incoming


class FactRefused(OperatorError):
    """A fact of a set can't be taken, so none was. ``index`` is its place in the set, from 0."""

    code = "events.refused"

    def __init__(self, bad: BadRow, index: int = 0) -> None:
        remedy = f"; {bad.remedy}" if bad.remedy else ""
        super().__init__(f"{bad.message}{remedy}", code=bad.code)
        self.index = index


@dataclass(slots=True, frozen=True)
class Ingested:
    """How many facts of a set were appended, by kind."""

    events: int = 0
    changes: int = 0
    entries: int = 0

    @classmethod
    def of(cls, rows: Sequence[InboxRow]) -> Ingested:
        """Those that rows of the inbox are."""
        kinds = Counter(map(itemgetter(3), rows))
        return cls(kinds[EVENT], kinds[CHANGE], kinds[ENTRY])

    @property
    def total(self) -> int:
        """All of them."""
        return self.events + self.changes + self.entries

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(
            self.events + other.events, self.changes + other.changes, self.entries + other.entries
        )


def append(connection: Connection, rows: Sequence[InboxRow]) -> Ingested:
    """Append rows to the inbox in the transaction of ``connection``; they count as soon as it is
    committed. A fact whose message id was received before is left out when the owner of its user
    receives it.
    """
    store.append(connection, rows)
    return Ingested.of(rows)


def ingest(
    connection: Connection,
    facts: Sequence[Incoming],
    *,
    now: int,
    new_id: Callable[[int], int],
) -> Ingested:
    """:func:`append` for ``facts``. ``now`` is journey time in microseconds UTC; ``new_id`` makes
    an id for it.

    All of the set or nothing: raises :class:`FactRefused` for the first that can't be taken.
    """
    return append(connection, rows_of(facts, now, new_id))


def rows_of(facts: Sequence[Incoming], now: int, new_id: Callable[[int], int]) -> list[InboxRow]:
    """The rows that facts become, without a database. Raises as :func:`ingest`."""
    rows: list[InboxRow] = []
    for index, fact in enumerate(facts):
        try:
            rows.append(inbox_row(fact, new_id(now), now))
        except BadRow as bad:
            raise FactRefused(bad, index) from None
    return rows


def checked_rows(rows: Sequence[InboxRow], now: int, new_id: IdMaker) -> list[InboxRow]:
    """The same for rows that were checked before, and need ids."""
    return numbered(rows, new_id.many(now, len(rows)))
