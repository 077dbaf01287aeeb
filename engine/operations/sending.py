"""Facts on their way into the inbox, set by set: from files and from requests alike."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from engine.clock import RealClock, rest, stopwatch
from engine.db.ids import IdMaker, entropy
from engine.enrollments.store.runs import installation as installation_of
from engine.errors import OperatorError
from engine.users.incoming import IncomingChange, inbox_row
from engine.users.ingest import append
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from engine.db.connect import Database
    from engine.users.incoming import InboxRow
    from engine.users.ingest import Ingested
    from engine.users.row import UserRow

Fact = TypeVar("Fact")

SET = 2_560
"""Facts in one transaction."""

_BREATH_S = 0.005
"""From one transaction to the next: whoever waits to write a row tries it each four milliseconds.
The next set is made ready meanwhile."""


def in_sets(
    database: Database,
    facts: Iterable[Fact],
    ready: Callable[[Sequence[Fact], int, IdMaker], list[InboxRow]],
) -> Iterator[Ingested]:
    """Append facts to the inbox; what each set was, once it is committed. Whoever stops asking has
    sent what he was told of. ``ready`` makes a set the rows it is, of the time and ids.

    Raises FactRefused for the first fact of a set that can't be taken, and OperatorError where the
    database runs on a virtual clock: nobody knows its time but the run.
    """
    with database.read() as connection:
        if installation_of(connection).clock == "virtual":
            raise OperatorError(
                "this database runs on the virtual clock since its first run; name another one",
                code="operator.clock",
            )
    clock, new_id, waiting = RealClock(), IdMaker(entropy), iter(facts)
    free = stopwatch()
    while some := list(islice(waiting, SET)):
        rows = ready(some, clock.now(), new_id)
        rest(max(0.0, free - stopwatch()))
        with database.write() as connection:
            added = append(connection, rows)
        free = stopwatch() + _BREATH_S
        yield added


def change_of(row: UserRow) -> IncomingChange:
    """What a user of a file is told of: his attributes, and his zone among them."""
    zone = {} if row.timezone is None else {"timezone": row.timezone}
    return IncomingChange(row.id, {**row.attributes, **zone})


def require_importable(row: UserRow) -> None:
    """What a user of a file must be besides, to be imported. Raises BadRow."""
    if row.event is not None:
        remedy = "`journey events send` takes events"
        raise BadRow("users.unknown_key", "a user who is imported brings no event", remedy)
    inbox_row(change_of(row), 0, 0)
