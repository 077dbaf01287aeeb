"""Receive: what was told is taken in, and a run's users with what their rows say of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import bucket_of
from engine.core.interpreter.state import User
from engine.core.interpreter.writes import write
from engine.core.steps.facts import Change, Event
from engine.enrollments import store
from engine.enrollments.coming import Entry, Fill
from engine.enrollments.store import facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.core.interpreter.state import Passage
    from engine.db.connect import Connection
    from engine.enrollments.coming import Coming
    from engine.enrollments.entering import Door
    from engine.enrollments.hearing import Hearing
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.store.facts import Told
    from engine.enrollments.users_held import UsersHeld
    from engine.users.row import UserRow
    from engine.versions.store import Published


@dataclass(slots=True, frozen=True)
class Arrivals:
    """Users of a run who are to be admitted; ``position`` is how many of all are then done."""

    rows: Sequence[UserRow]
    position: int


def receive(
    connection: Connection, told: Sequence[Told], users: UsersHeld, ledger: Ledger, hearing: Hearing
) -> None:
    """Take in a set of what was told: each message once, users created as they are met."""
    changes = ledger.changes
    known = _users(connection, {(one.bucket, one.user_id) for one in told}, users)
    messages = [(t.bucket, t.user_id, t.message_id) for t in told if t.message_id is not None]
    seen = facts.known_messages(connection, messages) if messages else set()
    for one in told:
        if one.id:  # it was in the inbox
            changes.received.append((one.bucket, one.id))
        if one.message_id is not None:
            message = (one.user_id, one.message_id)
            if message in seen:
                continue
            seen.add(message)
        fact, user = _fact(one), known.get(one.user_id)
        if user is None:
            fresh = partial(User, one.user_id, one.bucket, None, {})
            user = known[one.user_id] = users.keep(one.user_id, fresh)
            changes.users[user.id] = user
            if isinstance(fact, Entry):
                fact.known = False
        if one.kind == facts.JOIN:
            user.contacts = sorted({*user.contacts, *json.loads(one.data)["contacts"]})
            changes.users[user.id] = user
        hearing.tell(user, fact)


def arrive(
    connection: Connection,
    arrivals: Arrivals,
    published: Published,
    users: UsersHeld,
    ledger: Ledger,
    hearing: Hearing,
    door: Door,
) -> list[Passage]:
    """The passages of a run's users who entered, ready to be advanced or ended as held out.

    Users are created, or their attributes changed as the rows say (null removes), whether they
    enter or not.
    """
    wanted = [(bucket_of(row.id), row.id) for row in arrivals.rows]
    known = _users(connection, wanted, users)
    ledger.changes.position = arrivals.position
    entered: list[Passage] = []
    candidates: list[tuple[User, UserRow]] = []
    for row, (bucket, user_id) in zip(arrivals.rows, wanted, strict=True):
        fresh = partial(User, user_id, bucket, None, {})
        user = known.get(user_id) or users.keep(user_id, fresh)
        before = write(user, said_of(row))
        if before and user_id in known:
            hearing.changed(user, before)
        ledger.changes.users[user_id] = user
        candidates.append((user, row))
    hearing.play()  # what a row changes is heard by those who are there already
    door.prepare((user, published) for user, _ in candidates)
    for user, row in candidates:
        passage = door.candidate(user, published, row.inputs)
        if hearing.admit(passage):
            entered.append(passage)
    return entered


def _users(
    connection: Connection, wanted: Iterable[tuple[int, str]], users: UsersHeld
) -> dict[str, User]:
    return store.load_users(connection, wanted, users)


def said_of(row: UserRow) -> dict[str, object]:
    """What a row says of a user; a zone that it doesn't name stays."""
    if row.timezone is None:
        return dict(row.attributes)
    return {**row.attributes, "timezone": row.timezone}


def _fact(told: Told) -> Coming | Fill:
    said = json.loads(told.data)
    if told.kind == facts.EVENT:
        return Event(0, told.at, told.name, said, told.message_id)
    if told.kind == facts.CHANGE:
        return Change(0, told.at, said, {}, id=told.message_id)
    if told.kind == facts.FILL:
        return Fill(told.at, said, told.message_id)
    if told.kind == facts.JOIN:
        return Fill(told.at, said["attributes"])
    return Entry(
        told.name,
        said.get("inputs", {}),
        run_id=said.get("run", 0),
        version_id=said.get("version", 0),
        attributes=said.get("attributes"),
    )
