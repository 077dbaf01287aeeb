"""Receive: what was told is taken in, and a run's users with what their rows say of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

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
    from engine.enrollments.arriving import Comer
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
    """Users of a run who are to be admitted, each once; ``position`` is how many of all are then
    done.
    """

    rows: Sequence[Comer]
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

    Users are made known, whether they enter or not.
    """
    entering, new = make_known(connection, arrivals, users, ledger, hearing)
    door.prepare_for(published.journey, [user for user, _ in entering], new)
    return hearing.admit(door.candidates(entering, published))


def make_known(
    connection: Connection,
    arrivals: Arrivals,
    users: UsersHeld,
    ledger: Ledger,
    hearing: Hearing,
) -> tuple[list[tuple[User, dict[str, object]]], list[User]]:
    """A run's users, each with his inputs, and those of them who are new. They are created, or
    their attributes changed as the rows say (null removes).
    """
    wanted = [(bucket, row.id) for bucket, row in arrivals.rows]
    stored = _users(connection, wanted, users)
    known = users.those_of([user_id for _, user_id in wanted])  # those stored are held now
    ledger.changes.position = arrivals.position
    entering: list[tuple[User, dict[str, object]]] = []
    new: list[User] = []
    for bucket, row in arrivals.rows:
        user = known.get(row.id)
        if user is None:
            user = User(row.id, bucket, row.timezone, _given(row.attributes))
            new.append(user)
        elif (before := write(user, said_of(row))) and row.id in stored:
            hearing.changed(user, before)
        entering.append((user, row.inputs))
    users.hold(new)
    ledger.changes.users.update({user.id: user for user, _ in entering})
    hearing.play()  # what a row changes is heard by those who are there already
    return entering, new


def _users(
    connection: Connection, wanted: Iterable[tuple[int, str]], users: UsersHeld
) -> dict[str, User]:
    return store.load_users(connection, wanted, users)


def _given(values: dict[str, object]) -> dict[str, object]:
    """Those of a user of whom nothing is known yet, which null can't take away."""
    if None in values.values():
        return {name: value for name, value in values.items() if value is not None}
    return dict(values)


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
