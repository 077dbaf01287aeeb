"""Passages in memory before they are due: what a worker does for a crowd while nobody is due."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from engine.core.interpreter.state import Passage
    from engine.enrollments.ledger import Ledger

SOON_US = 2_000_000
"""Whoever is due in so long is to be in memory: enough to load :data:`MOST` even where a passage
takes 100 µs, and hardly anybody is moved by something else meanwhile, which is loaded in vain."""
SPAN_US = 3_000_000
"""And with him whoever is due in so long: a look at all buckets each second, not each time."""
PORTION = 128
"""So many are loaded before it is seen whether something came in: for 3 to 6 ms."""
MOST = 10_240
"""In memory at most: some 15 MB."""
VAIN_US, VAIN_EACH_US = 50_000, 1_000
"""After a turn by which some were loaded in vain nothing is loaded for so long, and for each of
them so long: all that is in vain takes a few percent of a core."""

_wake_at = attrgetter("wake_at")


class LoadedAhead:
    """Sleepers who are due soon. Of a bucket that is covered up to an instant everybody is here who
    is due by then and wasn't handed out, of any other nobody.

    They are what is stored, since nobody but the owner of a bucket writes who sleeps there: what is
    here lasts until a turn of this very process moves it (:meth:`turned`), or the buckets go.
    """

    __slots__ = ("_covered", "_handed", "_line", "_of_user")

    def __init__(self) -> None:
        self._covered: dict[int, int] = {}
        self._line: list[Passage] = []
        self._of_user: Counter[str] = Counter()
        self._handed: list[Passage] = []

    @property
    def has_room(self) -> bool:
        """Whether a portion more may be loaded."""
        return len(self._line) + PORTION <= MOST

    @property
    def is_unsure(self) -> bool:
        """Whether some were handed out for a turn that was never decided."""
        return bool(self._handed)

    @property
    def first(self) -> int | None:
        """When the first of them is due."""
        return self._line[0].wake_at if self._line else None

    def is_due(self, now: int) -> bool:
        """Whether somebody's time has come."""
        first = self.first
        return first is not None and first <= now

    def due(self, now: int) -> int:
        """How many are due."""
        return bisect_right(self._line, now, key=_wake_at)

    def covered(self, bucket: int) -> int:
        """Up to which instant a bucket is covered; -1: it isn't."""
        return self._covered.get(bucket, -1)

    def cover(self, buckets: Iterable[int], until: int, passages: Sequence[Passage]) -> None:
        """Everybody of these buckets who is due by ``until``, and later than they were covered, is
        among ``passages``, which are in due order within each.
        """
        self._covered.update(dict.fromkeys(buckets, until))
        self._line += passages
        self._of_user.update(passage.user.id for passage in passages)
        self._line.sort(key=_wake_at)  # those of a bucket stay as they were: quick, too

    def hand_out(self, now: int, most: int) -> list[Passage]:
        """Up to ``most`` of those whose time has come, the first due first, for a turn that is told
        of by :meth:`turned` once it is decided.
        """
        if not self.is_due(now):
            return []
        end = min(most, self.due(now))
        handed = self._line[:end]
        del self._line[:end]
        self._forget(handed)
        self._handed += handed
        return handed

    def turned(self, ledger: Ledger) -> list[Passage]:
        """A turn was decided: the buckets are dropped of those whom it moved beside those handed
        out, or who sleep by it for so short that they belong here; all of them where it wrote more
        than it decided. Who sleeps and would be here.
        """
        handed, self._handed = self._handed, []
        gone = [passage for passage in handed if not ledger.moved(passage)]
        if ledger.changes.last:
            return gone + self.clear()
        covered, here = self._covered, self._of_user
        stale = {passage.user.bucket for passage in gone}
        if covered:
            for passage in ledger.passages:
                user, at = passage.user, passage.wake_at
                if at is not None and at <= covered.get(user.bucket, -1):
                    gone.append(passage)
                    stale.add(user.bucket)
                elif user.id in here:
                    stale.add(user.bucket)
            stale.update(one.bucket for one in ledger.changes.users.values() if one.id in here)
        return gone + self._drop(stale)

    def clear(self) -> list[Passage]:
        """Drop everything; who was dropped, those handed out among them."""
        dropped = self._handed + self._line
        self._covered, self._line, self._handed = {}, [], []
        self._of_user.clear()
        return dropped

    def _drop(self, buckets: Collection[int]) -> list[Passage]:
        if not buckets:
            return []
        for bucket in buckets:
            self._covered.pop(bucket, None)
        dropped = [passage for passage in self._line if passage.user.bucket in buckets]
        if dropped:
            self._line = [passage for passage in self._line if passage.user.bucket not in buckets]
            self._forget(dropped)
        return dropped

    def _forget(self, passages: Iterable[Passage]) -> None:
        """These aren't in line any more."""
        here = self._of_user
        for passage in passages:
            user_id = passage.user.id
            if here[user_id] == 1:
                del here[user_id]
            else:
                here[user_id] -= 1


def first_of(passages: Iterable[Passage]) -> int | None:
    """When the first of them is due."""
    return min((p.wake_at for p in passages if p.wake_at is not None), default=None)
