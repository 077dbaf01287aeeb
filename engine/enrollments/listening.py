"""Receive's other half: what was written of users wakes those of their passages that wait for it.

A wait on an attribute follows it, whoever writes it: a later row, or a step of another passage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.dsl.listening import ANY
from engine.core.interpreter.listens import listens
from engine.core.interpreter.state import State
from engine.core.steps.facts import Change
from engine.enrollments import store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.interpreter.state import Passage
    from engine.db.connect import Connection
    from engine.enrollments.ledger import Ledger, Written
    from engine.versions.store import Versions


class Listening:
    """Who is touched by attributes, of all versions that users may be in."""

    __slots__ = ("_listened", "_versions")

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._listened: frozenset[str] | None = None

    def wake(self, connection: Connection, ledger: Ledger, moved: Iterable[Passage]) -> None:
        """Make those due now that what the ledger has ``written`` touches. ``moved`` are the
        passages of this turn, which stand elsewhere than the database has them.
        """
        by_user: dict[str, list[Written]] = {}
        for one in ledger.written:
            if self._anybody_listens(connection, one.names):
                by_user.setdefault(one.user.id, []).append(one)
        if not by_user:
            return
        places = [(found[0].user.bucket, user) for user, found in by_user.items()]
        waiting = store.waiting_passages(connection, places, ledger.now)
        for passage in moved:
            waiting.pop(passage.id, None)
            if passage.user.id in by_user and _waits(passage):
                place = store.Waiting(passage.user.bucket, passage.user.id, passage.version_id)
                waiting[passage.id] = place
        for id_, place in waiting.items():
            # Whoever writes looks at it himself.
            names = [n for one in by_user[place.user] if one.writer != id_ for n in one.names]
            program = self._versions.get(connection, place.version_id).program
            if names and listens(program, Change(0, ledger.now, dict.fromkeys(names), {})):
                ledger.wake(place.bucket, id_)

    def _anybody_listens(self, connection: Connection, names: frozenset[str]) -> bool:
        if self._listened is None:
            every = store.entered_versions(connection)
            heard = [self._versions.get(connection, one).program.listens for one in every]
            self._listened = frozenset().union(*(one.attributes for one in heard))
        return ANY in self._listened or not self._listened.isdisjoint(names)


def _waits(passage: Passage) -> bool:
    return passage.state is State.WAITING and passage.outcome is None and passage.started > 0
