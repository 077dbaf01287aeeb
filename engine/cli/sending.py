"""Facts on their way into the inbox, with what a person sees of it."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import click

from engine.cli.show.progress import Progress
from engine.clock import stopwatch
from engine.operations.sending import SET, in_sets
from engine.users.ingest import Ingested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from engine.db.connect import Database
    from engine.db.ids import IdMaker
    from engine.operations.sending import Fact
    from engine.users.incoming import InboxRow


class Rows(Progress):
    """How many rows of a file were sent."""

    def line(self) -> str:
        """The bar as it stands now."""
        rate = self.users / self.elapsed
        done = self.before + self.users
        return f"{done / self.total:>4.0%}  {done:,}/{self.total:,}  {rate:,.0f} rows/s"


def send(
    database: Database,
    facts: Iterable[Fact],
    ready: Callable[[Sequence[Fact], int, IdMaker], list[InboxRow]],
    total: int,
    skip: int = 0,
) -> Ingested:
    """Append facts but the first ``skip`` to the inbox, in sets; ``total`` is how many there are,
    and ``ready`` makes a set the rows it is.

    An interrupt ends it behind the set at hand, and tells how many were sent. Raises as
    :func:`engine.operations.sending.in_sets`.
    """
    progress = Rows(sys.stderr, stopwatch, on=total > SET, total=max(total, 1), before=skip)
    sent = Ingested()
    with _noting_signals() as noted:
        for added in in_sets(database, islice(facts, skip, None), ready):
            sent += added
            progress.add(users=added.total)
            done = skip + sent.total
            if noted and done < total:
                progress.clear()
                click.echo(f"stopped after {done:,} of {total:,}: --skip {done} goes on", err=True)
                raise click.exceptions.Exit(128 + noted[0])
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
