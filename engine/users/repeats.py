"""Which rows repeat an id that an earlier row has, in memory that hardly grows with the file.

A row costs eight bytes: a hash of its id, kept in one of 256 arrays. Hashes that occur twice point
out suspects; the file is read again, for at most ``SUSPECTS`` of them at a time, and there the ids
themselves decide, so that two ids of one hash are no false alarm.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator

from engine.users.row import UserRow

SUSPECTS = 100_000
"""How many suspected ids are held in memory at once."""

_PARTITIONS = 256

id_hash: Callable[[str], int] = hash  # 64 bits of keyed SipHash


class Repeats:
    """Gathers ids in one pass, then names the rows that repeat one."""

    def __init__(self) -> None:
        self._partitions = [array("q") for _ in range(_PARTITIONS)]

    def add(self, users: Iterable[str]) -> None:
        """Good rows have these ids."""
        partitions = self._partitions
        for value in map(id_hash, users):
            partitions[value & 255].append(value)

    def find(self, read_again: Callable[[], Iterable[UserRow]]) -> Iterator[tuple[UserRow, int]]:
        """Each row that repeats an id, with the line that has it first.

        ``read_again`` reads the good rows from the start. Rows come in file order within a round
        of suspects, and nearly always there is one round or none.
        """
        for suspects in self._rounds():
            first: dict[str, int] = {}
            for row in read_again():
                if id_hash(row.id) in suspects:
                    line = first.setdefault(row.id, row.line)
                    if line != row.line:
                        yield row, line

    def _rounds(self) -> Iterator[set[int]]:
        suspects: set[int] = set()
        for i, partition in enumerate(self._partitions):
            self._partitions[i] = array("q")
            if len({*partition}) == len(partition):
                continue
            previous = None
            for value in sorted(partition):
                if value == previous and value not in suspects:
                    if len(suspects) == SUSPECTS:
                        yield suspects
                        suspects = set()
                    suspects.add(value)
                previous = value
        if suspects:
            yield suspects
