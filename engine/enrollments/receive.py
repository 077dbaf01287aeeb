"""Receive: a set of users is admitted to a journey, or refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import bucket_of
from engine.core.interpreter.admit import admit
from engine.core.interpreter.advance import leave
from engine.core.interpreter.state import Passage, User
from engine.enrollments import store
from engine.enrollments.ledger import Written
from engine.enrollments.listening import Listening

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.interpreter.admit import Earlier
    from engine.core.interpreter.advance import World
    from engine.db.connect import Connection
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.users_held import UsersHeld
    from engine.users.row import UserRow
    from engine.versions.store import Published, Versions


@dataclass(slots=True, frozen=True)
class Arrivals:
    """Users of a run who are to be admitted; ``position`` is how many of all are then done."""

    rows: Sequence[UserRow]
    position: int


class Receiver:
    """Admits the users of one run to one version; ``listening`` wakes whom attributes touch."""

    __slots__ = ("_new_id", "_published", "_run_id", "_users", "_versions", "listening")

    def __init__(
        self,
        run_id: int,
        published: Published,
        versions: Versions,
        users: UsersHeld,
        new_id: Callable[[int], int],
    ) -> None:
        self._run_id = run_id
        self._published = published
        self._versions = versions
        self._users = users
        self._new_id = new_id
        self.listening = Listening(versions)

    def receive(
        self, connection: Connection, arrivals: Arrivals, world: World, ledger: Ledger
    ) -> list[Passage]:
        """The passages of those who entered, ready to be advanced or ended as held out.

        Users are created, or their attributes changed as the rows say (null removes), whether they
        enter or not.
        """
        wanted = [(bucket_of(row.id), row.id) for row in arrivals.rows]
        known = store.load_users(connection, wanted, self._users)
        earlier = store.earlier_passages(connection, self._published.journey, wanted)
        ledger.changes.position = arrivals.position
        entered: list[Passage] = []
        for row, (bucket, user_id) in zip(arrivals.rows, wanted, strict=True):
            fresh = partial(User, user_id, bucket, None, {})
            user = known.get(user_id) or self._users.keep(user_id, fresh)
            changed = _update(user, row)
            if changed and user_id in known:
                ledger.written.append(Written(user, frozenset(changed)))
            ledger.changes.users[user_id] = user
            passage = self._passage(user, row, ledger.now)
            admission = admit(passage, world, earlier.get(user_id, ()))
            if admission.refusal is not None:
                ledger.refuse(passage, admission.refusal)
                continue
            if admission.restarts is not None:
                self._restart(connection, admission.restarts, world, ledger)
            ledger.enter(passage)
            entered.append(passage)
        return entered

    def _passage(self, user: User, row: UserRow, now: int) -> Passage:
        return Passage(
            id=self._new_id(now),
            user=user,
            program=self._published.program,
            key="",
            entered_at=now,
            inputs=row.inputs,
            version_id=self._published.id,
            version=self._published.number,
            run_id=self._run_id,
            position=self._published.program.first,
        )

    def _restart(
        self, connection: Connection, earlier: Earlier, world: World, ledger: Ledger
    ) -> None:
        passage, held = store.one_passage(
            connection, earlier.bucket, earlier.id, self._versions, self._users
        )
        attempts = held.call.attempts if held else 0
        advanced = leave(passage, ledger.now, world, "restarted", attempts=attempts)
        ledger.note(passage, advanced, held.call if held else None)


def _update(user: User, row: UserRow) -> list[str]:
    """Write what a row says; the names of what is another now."""
    changed: list[str] = []
    if row.timezone is not None and row.timezone != user.timezone:
        user.timezone = row.timezone
        changed.append("timezone")
    attributes = user.attributes
    for name, value in row.attributes.items():
        old = attributes.get(name)
        if old != value or type(old) is not type(value):
            changed.append(name)
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value
    return changed
