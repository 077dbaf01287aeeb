"""Which journeys users enter now, and which hold them: kept by a process, read again where a
journey has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.versions import states, store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.db.connect import Connection
    from engine.versions.states import Order, State
    from engine.versions.store import Published, Versions


class LiveJourneys:
    """The journeys as they stood at the last :meth:`refresh`.

    Whole mappings are put in place, so another thread may read them meanwhile.
    """

    __slots__ = (
        "_mark",
        "_newest",
        "_skipping",
        "_states",
        "_versions",
        "archived",
        "journeys",
        "orders",
        "paused",
        "triggered",
    )

    triggered: tuple[Published, ...]
    """The version whose triggers let users in, of each journey that isn't archived and has any: the
    newest with its triggers on. Whom that of a paused one lets in is admitted and held."""

    paused: frozenset[int]
    """The versions of paused journeys: who is in one of them is held."""

    archived: frozenset[int]
    """The versions that everybody leaves, with the outcome ``archived``."""

    orders: tuple[Order, ...]
    """What the owners of buckets have to do after pauses, and when a journey is archived."""

    journeys: Mapping[int, str]
    """Each version's journey."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._mark: tuple[int, int] | None = None
        self._states: dict[str, State] = {}
        self._newest: dict[str, int] = {}
        self._skipping: dict[int, int] = {}
        self.triggered = ()
        self.paused = self.archived = frozenset()
        self.orders = ()
        self.journeys = {}

    def refresh(self, connection: Connection) -> bool:
        """Read anew what was published, paused, resumed or archived since; whether anything was.

        Costs one small statement where nothing was.
        """
        mark = states.mark(connection)
        if mark == self._mark:
            return False
        self._read(connection)
        self._mark = mark
        return True

    def stale(self, connection: Connection) -> bool:
        """Whether :meth:`refresh` would find anything."""
        return states.mark(connection) != self._mark

    def state(self, journey: str) -> State | None:
        """How a journey stands; None if it was never published."""
        return self._states.get(journey)

    def published(self, connection: Connection, journey: str) -> Published | None:
        """The version that commands and ``start_journey`` enter: a journey's newest, None where
        nobody can enter.
        """
        if self._states.get(journey, "archived") == "archived":
            return None
        return self._versions.get(connection, self._newest[journey])

    def version(self, connection: Connection, version_id: int) -> Published:
        """A version by its id, whatever its journey's state."""
        return self._versions.get(connection, version_id)

    @property
    def skipping(self) -> bool:
        """Whether any pause was ended so that calls are skipped."""
        return bool(self._skipping)

    def skips_until(self, version_id: int) -> int:
        """A pause was ended so that calls are skipped, at this instant (microseconds UTC of journey
        time): those of who is in this version and was due by then, up to his next wait, and those
        that were decided by then and aren't answered. 0: of nobody.
        """
        return self._skipping.get(version_id, 0)

    def _read(self, connection: Connection) -> None:
        stand: dict[str, State] = {one.journey: one.state for one in states.load_all(connection)}
        journeys: dict[int, str] = {}
        newest: dict[str, int] = {}
        triggering: dict[str, int] = {}
        for id_, journey, triggers_on in store.every_version(connection):
            journeys[id_] = journey
            newest[journey] = id_
            if triggers_on:
                triggering[journey] = id_
        entered = [
            self._versions.get(connection, id_)
            for journey, id_ in triggering.items()
            if stand.get(journey) in ("active", "paused")
        ]
        self._states, self._newest, self.journeys = stand, newest, journeys
        self.triggered = tuple(one for one in entered if one.program.journey.entry.triggers)
        self.paused = frozenset(id_ for id_, of in journeys.items() if stand.get(of) == "paused")
        self._obey(states.orders(connection))

    def _obey(self, orders: tuple[Order, ...]) -> None:
        archived: set[int] = set()
        skipping: dict[int, int] = {}
        for order in orders:
            if order.what == "archive":
                archived.update(self._meant_by(order))
            elif order.what == "skip":
                skipping.update(dict.fromkeys(self._meant_by(order), order.at))
        self.archived, self._skipping, self.orders = frozenset(archived), skipping, orders

    def _meant_by(self, order: Order) -> list[int]:
        of, last = order.journey, order.version_id
        return [id_ for id_, journey in self.journeys.items() if journey == of and id_ <= last]
