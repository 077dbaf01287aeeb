"""Facts on their way into the inbox, in sets, with what a person sees of it."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import click

from engine.cli.show.progress import Progress
from engine.clock import RealClock, rest, stopwatch
from engine.db.ids import IdMaker, entropy
from engine.enrollments.store.runs import installation as installation_of
from engine.errors import OperatorError
from engine.users.ingest import Ingested, ingest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.db.connect import Database
    from engine.users.incoming import Incoming

SET = 2_000
"""Facts in one transaction."""

_BREATH_S = 0.002  # between two commits: who writes a single row gets his turn


class Rows(Progress):
    """How many rows of a file were sent."""

    def line(self) -> str:
        """The bar as it stands now."""
        rate = self.users / self.elapsed
        done = self.before + self.users
        return f"{done / self.total:>4.0%}  {done:,}/{self.total:,}  {rate:,.0f} rows/s"


def send(database: Database, facts: Iterable[Incoming], total: int, skip: int = 0) -> Ingested:
    """Append facts but the first ``skip`` to the inbox, in sets; ``total`` is how many there are.

    An interrupt ends it behind the set at hand, and tells how many were sent. Raises FactRefused,
    and OperatorError where the database runs on a virtual clock: nobody knows its time but the run.
    """
    with database.read() as connection:
        if installation_of(connection).clock == "virtual":
            raise OperatorError(
                "this database runs on the virtual clock since its first run; name another one",
                code="operator.clock",
            )
    progress = Rows(sys.stderr, stopwatch, on=total > SET, total=max(total, 1), before=skip)
    clock, new_id, sent = RealClock(), IdMaker(entropy), Ingested()
    waiting = islice(facts, skip, None)
    with _noting_signals() as noted:
        while some := list(islice(waiting, SET)):
            if noted:
                progress.clear()
                done = skip + sent.total
                click.echo(f"stopped after {done:,} of {total:,}: --skip {done} goes on", err=True)
                raise click.exceptions.Exit(128 + noted[0])
            with database.write() as connection:
                added = ingest(connection, some, now=clock.now(), new_id=new_id)
            sent += added
            progress.add(users=len(some))
            rest(_BREATH_S)
    progress.clear()
    return sent


@contextmanager
def _noting_signals() -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM is noted, to be heeded between two sets; a second one ends it."""
    noted: list[int] = []

    def note(number: int, _frame: object) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, former in before.items():
            signal.signal(number, former)
