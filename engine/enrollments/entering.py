"""Who enters: candidates are admitted by the core, or refused with the reason, in one turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.interpreter.admit import ENTERS, Admission, admit, asks_nothing, earlier_of
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
    from engine.db.ids import IdMaker
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
        new_id: IdMaker,
        run_of: Callable[[Published], int],
    ) -> None:
        self._connection = connection
        self._world = world
        self._now = now
        self._present = present
        self._journeys = journeys
        self._new_id = new_id
        self._run_of = run_of
        self._earlier: dict[str, dict[str, Sequence[Earlier]]] = {}

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
        return self.candidates([(user, inputs)], published, by, depth)[0]

    def candidates(
        self,
        entering: Sequence[tuple[User, dict[str, object]]],
        published: Published,
        by: Fact | None = None,
        depth: int = 0,
    ) -> list[Passage]:
        """Fresh passages of users, each with his inputs, by the fact ``by`` or a command."""
        program, now = published.program, self._now
        run_id, version_id, version = self._run_of(published), published.id, published.number
        hears = program.listens.events or program.listens.attributes or program.recalls
        depth, began = (depth, now) if by is None else (by.depth, min(now, by.at))
        return [
            Passage(
                id=id_,
                user=user,
                program=program,
                key="",
                entered_at=now,
                inputs=inputs,
                version_id=version_id,
                version=version,
                run_id=run_id,
                position=program.first,
                entered_seq=(seq := (now if user.seq is None else user.seq) if hears else 0),
                seen_seq=seq,
                depth=depth,
                began=began,
            )
            for id_, (user, inputs) in zip(
                self._new_id.many(now, len(entering)), entering, strict=True
            )
        ]

    def prepare(self, entering: Iterable[tuple[User, Published]]) -> None:
        """Read what re-entry rules will ask about, in sets."""
        wanted: dict[str, list[User]] = {}
        for user, published in entering:
            wanted.setdefault(published.journey, []).append(user)
        for journey, users in wanted.items():
            self.prepare_for(journey, users)

    def prepare_for(self, journey: str, users: Iterable[User], new: Iterable[User] = ()) -> None:
        """The same for users who enter one journey. Nothing is stored of ``new`` ones."""
        known = self._earlier.setdefault(journey, {})
        known.update(dict.fromkeys([user.id for user in new], ()))
        places = {(user.bucket, user.id) for user in users if user.id not in known}
        if places:
            found = store.earlier_passages(self._connection, journey, sorted(places))
            known.update({user_id: found.get(user_id, ()) for _, user_id in places})

    def answers(self, passages: Sequence[Passage]) -> list[Admission]:
        """Whether candidates of one version, each another user's, may begin. They must have been
        prepared for.
        """
        program = passages[0].program
        if not asks_nothing(program):
            return [self._answer(passage) for passage in passages]
        earlier, present = self._earlier[program.name], self._present.users
        return [
            self._answer(one)
            if one.depth or one.user.id in present or earlier[one.user.id]
            else ENTERS
            for one in passages
        ]

    def _answer(self, passage: Passage) -> Admission:
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
