"""Who enters: candidates are admitted by the core, or refused with the reason, in one turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.interpreter.admit import Admission, admit, earlier_of
from engine.core.interpreter.state import Passage
from engine.core.interpreter.walk import MOST_DEPTH
from engine.enrollments import store
from engine.enrollments.coming import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.core.interpreter.admit import Earlier
    from engine.core.interpreter.advance import World
    from engine.core.interpreter.state import User
    from engine.core.steps.facts import Fact
    from engine.db.connect import Connection
    from engine.enrollments.coming import Rejoin
    from engine.enrollments.present import Present
    from engine.versions.live import LiveJourneys
    from engine.versions.store import Published


class Door:
    """Admission in one turn. ``run_of`` says to which run an entry into a version belongs."""

    def __init__(
        self,
        connection: Connection,
        world: World,
        now: int,
        present: Present,
        journeys: LiveJourneys,
        new_id: Callable[[int], int],
        run_of: Callable[[Published], int],
    ) -> None:
        self._connection = connection
        self._world = world
        self._now = now
        self._present = present
        self._journeys = journeys
        self._new_id = new_id
        self._run_of = run_of
        self._earlier: dict[str, dict[str, list[Earlier]]] = {}

    def open_to(self, entry: Entry) -> Published | None:
        """The version that an entry by command, step or run goes to."""
        if entry.version_id:
            return self._journeys.version(self._connection, entry.version_id)
        return self._journeys.published(self._connection, entry.journey)

    def named(self, user: User, coming: Entry | Rejoin) -> Iterable[tuple[User, Published]]:
        """What is to be prepared for, set by set, of an entry that says its version."""
        if isinstance(coming, Entry) and coming.version_id:
            published = self._journeys.version(self._connection, coming.version_id)
            return ((user, published),)
        return ()

    def entrant(self, user: User, published: Published, entry: Entry) -> Passage:
        """A fresh passage, by an entry."""
        self.prepare([(user, published)])
        fresh = self.candidate(user, published, dict(entry.inputs), depth=entry.depth)
        fresh.parent = entry.parent
        fresh.run_id = entry.run_id or fresh.run_id
        return fresh

    def candidate(
        self,
        user: User,
        published: Published,
        inputs: dict[str, object],
        by: Fact | None = None,
        depth: int = 0,
    ) -> Passage:
        """A fresh passage, by the fact ``by`` or a command."""
        program, now = published.program, self._now
        seq = 0
        if program.listens.events or program.listens.attributes or program.recalls:
            seq = now if user.seq is None else user.seq
        return Passage(
            id=self._new_id(now),
            user=user,
            program=program,
            key="",
            entered_at=now,
            inputs=inputs,
            version_id=published.id,
            version=published.number,
            run_id=self._run_of(published),
            position=program.first,
            entered_seq=seq,
            seen_seq=seq,
            depth=depth if by is None else by.depth,
            began=now if by is None else min(now, by.at),
        )

    def prepare(self, entering: Iterable[tuple[User, Published]]) -> None:
        """Read what re-entry rules will ask about, in sets."""
        wanted: dict[str, set[tuple[int, str]]] = {}
        for user, published in entering:
            if user.id not in self._earlier.setdefault(published.journey, {}):
                wanted.setdefault(published.journey, set()).add((user.bucket, user.id))
        for journey, places in wanted.items():
            found = store.earlier_passages(self._connection, journey, sorted(places))
            for _, user_id in places:
                self._earlier[journey][user_id] = found.get(user_id, [])

    def answer(self, passage: Passage) -> Admission:
        """Whether a candidate may begin. Its user must have been prepared for."""
        if passage.depth > MOST_DEPTH:
            return Admission("depth")
        return admit(passage, self._world, self._earlier_of(passage))

    def _earlier_of(self, passage: Passage) -> Sequence[Earlier]:
        """What stands in the database, overlaid by what this turn made of it; newest first."""
        journey, user = passage.program.name, passage.user
        stored = self._earlier[journey][user.id]
        here = [p for p in self._present.known(user) if p.program.name == journey]
        if not here:
            return stored
        every = {one.id: one for one in stored} | {p.id: earlier_of(p) for p in here}
        return sorted(every.values(), key=_newest_first)


def _newest_first(earlier: Earlier) -> tuple[int, int]:
    return -earlier.entered_at, -earlier.id
