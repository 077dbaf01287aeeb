"""The way in: facts are appended to the inbox, in sets; the owner of their users receives them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from engine.errors import OperatorError
from engine.users import store
from engine.users.incoming import CHANGE, ENTRY, EVENT, inbox_row
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.db.connect import Connection
    from engine.users.incoming import InboxRow, Incoming

Fact = TypeVar("Fact")


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
        kinds = Counter(row[3] for row in rows)
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
    return append(connection, rows_of(facts, now=now, new_id=new_id, row=inbox_row))


def rows_of(
    facts: Sequence[Fact],
    *,
    now: int,
    new_id: Callable[[int], int],
    row: Callable[[Fact, int, int], InboxRow],
) -> list[InboxRow]:
    """The rows that ``row`` makes of facts, of an id and the time for each; it needs no database.
    Raises as :func:`ingest`.
    """
    rows: list[InboxRow] = []
    for index, fact in enumerate(facts):
        try:
            rows.append(row(fact, new_id(now), now))
        except BadRow as bad:
            raise FactRefused(bad, index) from None
    return rows
