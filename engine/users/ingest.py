"""The way in: facts are appended to the inbox, in sets; the owner of their users receives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import OperatorError
from engine.users import store
from engine.users.incoming import CHANGE, ENTRY, EVENT, inbox_row
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.db.connect import Connection
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

    @property
    def total(self) -> int:
        """All of them."""
        return self.events + self.changes + self.entries

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(
            self.events + other.events, self.changes + other.changes, self.entries + other.entries
        )


def ingest(
    connection: Connection,
    facts: Sequence[Incoming],
    *,
    now: int,
    new_id: Callable[[int], int],
) -> Ingested:
    """Append ``facts`` to the inbox in the transaction of ``connection``; they count as soon as it
    is committed. ``now`` is journey time in microseconds UTC; ``new_id`` makes an id for it.

    All of the set or nothing: raises :class:`FactRefused` for the first that can't be taken. A fact
    whose message id was received before is left out when the owner of its user receives it.
    """
    rows: list[InboxRow] = []
    kinds = [0, 0, 0]
    for index, fact in enumerate(facts):
        try:
            row = inbox_row(fact, new_id(now), now)
        except BadRow as bad:
            raise FactRefused(bad, index) from None
        kinds[row[3]] += 1
        rows.append(row)
    store.append(connection, rows)
    return Ingested(kinds[EVENT], kinds[CHANGE], kinds[ENTRY])
