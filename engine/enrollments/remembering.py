"""What passages ask of a user's past, read in sets before they are moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.steps.facts import Past
from engine.enrollments.store.facts import past_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.interpreter.state import User
    from engine.core.steps.facts import Event
    from engine.db.connect import Connection


class StoredPast(Past):
    """A user's past as far as it was read: the events of ``names``."""

    __slots__ = ("names",)

    def __init__(self) -> None:
        super().__init__()
        self.names: frozenset[str] = frozenset()


def remember(
    connection: Connection,
    asked: Iterable[tuple[User, frozenset[str]]],
    received: Mapping[str, list[Event]],
) -> None:
    """Give each user the past that is asked of him, by names of events. ``received`` are events of
    this turn, by user: they aren't stored yet.
    """
    users: dict[str, User] = {}
    wanted: set[tuple[int, str, str]] = set()
    for user, names in asked:
        past = user.past
        if not isinstance(past, StoredPast):
            past = user.past = StoredPast()
        missing = names - past.names
        if missing:
            users[user.id] = user
            wanted.update((user.bucket, user.id, name) for name in missing)
            past.names |= missing
    if not wanted:
        return
    found = past_events(connection, sorted(wanted))
    for user_id, user in users.items():
        assert user.past is not None  # noqa: S101 - for the type checker
        for event in (*found.get(user_id, ()), *received.get(user_id, ())):
            if (user.bucket, user_id, event.name) in wanted:
                user.past.add(event)


def recall(user: User, event: Event) -> None:
    """One more event of his, if its name was asked for."""
    if isinstance(user.past, StoredPast) and event.name in user.past.names:
        user.past.add(event)
