"""Anonymous users who turn out to be known ones: one person from then on.

The owner of the anonymous user lets go of him, and sends on whatever still comes for him; the owner
of the known one takes over what was his. Each is part of an ordinary turn, and nothing of what is
handed over is heard or decided twice.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import bucket_of
from engine.core.guarded_json import text_of
from engine.core.interpreter.state import Advanced, State
from engine.db.statements import write_rows
from engine.enrollments.coming import Rejoin
from engine.enrollments.store import links, load_users
from engine.enrollments.store.ending import MERGED
from engine.enrollments.store.facts import CATCH_UP, CHANGE, FILL, JOIN, LINK, append, become
from engine.enrollments.store.holding import facts_beyond
from engine.users.incoming import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.core.interpreter.state import User
    from engine.db.connect import Connection
    from engine.enrollments.hearing import Hearing
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.present import Present, Surroundings
    from engine.enrollments.store.facts import Told
    from engine.enrollments.turn import Turn


class Linking:
    """One turn's part of links. ``new_id`` makes ids of rows of the inbox, as instants rise."""

    def __init__(
        self,
        connection: Connection,
        turn: Turn,
        around: Surroundings,
        ledger: Ledger,
        new_id: Callable[[int], int],
    ) -> None:
        self._connection = connection
        self._turn = turn
        self._around = around
        self._ledger = ledger
        self._new_id = new_id
        self._behind: list[Told] = []

    def settle(self) -> None:
        """Take out of the turn what isn't to be heard in it, and bring about what follows."""
        turn, around = self._turn, self._around
        if around.lingering:
            over = {one.held.passage.user.id for one in turn.answered}
            busy = {held.passage.user.id for held in around.calls.calls_of(around.lingering)}
            over |= around.lingering - busy
            if not around.lingering.isdisjoint(over):
                self._ledger.look_again = True
                around.lingering -= over
        if not turn.told:
            return
        strangers = {t.user_id: t.bucket for t in turn.told if t.user_id.startswith(ANONYMOUS)}
        if strangers:
            self._send_on(strangers)
        if any(told.kind in (JOIN, CATCH_UP) for told in turn.told):
            self._take_over()

    # --- whoever was anonymous ------------------------------------------------------------------

    def _send_on(self, strangers: Mapping[str, int]) -> None:
        """Link the anonymous users of the turn who are to be, and send on what is told of those who
        are linked.
        """
        wanted = [(bucket, id_) for id_, bucket in strangers.items()]
        known = links.links_of(self._connection, wanted)
        first: dict[str, Told] = {}
        wishes: dict[str, Told] = {}
        for told in self._turn.told:
            if told.user_id in strangers:
                first.setdefault(told.user_id, told)
                if told.kind == LINK and told.user_id not in known:
                    wishes.setdefault(told.user_id, told)
        for id_, wish in wishes.items():
            if self._let_go(wish, first[id_] is wish):
                known[id_] = wish.name
        kept: list[Told] = []
        for told in self._turn.told:
            target = known.get(told.user_id) if told.user_id in strangers else None
            if target is not None:
                self._ledger.changes.received.append((told.bucket, told.id))
                if told.kind != LINK:
                    self._append(_for(told, target))
            elif told.kind != LINK:
                kept.append(told)
        self._turn.told = kept

    def _let_go(self, wish: Told, is_first: bool) -> bool:
        """Link an anonymous user, unless something of him is under way in this turn or on the wire:
        then the wish stays in the inbox until that is over.
        """
        turn, around, id_ = self._turn, self._around, wish.user_id
        moving = [*(one.held for one in turn.answered), *turn.starting]
        if not is_first or any(held.passage.user.id == id_ for held in moving):
            self._ledger.look_again = True
            return False
        held_calls = around.calls.calls_of({id_})
        on_wire = [held for held in held_calls if not around.calls.withdraw(held)]
        if on_wire:
            for held in held_calls:
                self._ledger.retries.append((held.lane, self._ledger.now))
            self._put_off(wish)
            return False
        around.lingering.discard(id_)
        around.users.forget(id_)
        turn.due = [passage for passage in turn.due if passage.user.id != id_]
        turn.calls = [held for held in turn.calls if held.passage.user.id != id_]
        self._ledger.changes.last.append(partial(self._depart, wish))
        self._ledger.look_again = True
        return True

    def _put_off(self, wish: Told) -> None:
        """Wait for the calls on the wire: behind all else in the inbox, in nobody's way."""
        self._around.lingering.add(wish.user_id)
        self._ledger.changes.received.append((wish.bucket, wish.id))
        self._append(wish)

    def _depart(self, wish: Told, connection: Connection) -> None:
        now, person = self._ledger.now, (wish.bucket, wish.user_id)
        ledger = self._ledger
        ledger.calls = [held for held in ledger.calls if held.passage.user.id != wish.user_id]
        if links.depart(connection, person, wish.name, now):
            join = replace(_for(wish, wish.name), kind=JOIN, name=wish.user_id, data="{}")
            append(connection, [replace(join, id=self._new_id(now))])

    def _append(self, told: Told) -> None:
        """Have something told in a later turn."""
        ledger = self._ledger
        ledger.look_again = ledger.look_again or told.kind != LINK
        row = replace(told, id=self._new_id(ledger.now))
        ledger.changes.last.append(partial(append, rows=[row]))

    # --- whom he turned out to be ---------------------------------------------------------------

    def _take_over(self) -> None:
        """Of each known user of the turn the first who turned out to be him. What is told of him
        behind that waits for the next turn, in which all is his.
        """
        kept: list[Told] = []
        busy: set[str] = set()
        for told in self._turn.told:
            if told.user_id in busy:
                self._ledger.look_again = True
                continue
            if told.kind == CATCH_UP:
                self._ledger.changes.received.append((told.bucket, told.id))
                self._behind.append(told)
            elif told.kind == JOIN:
                busy.add(told.user_id)
                kept.append(self._taken_over(told))
                self._ledger.look_again = True
            else:
                kept.append(told)
        self._turn.told = kept

    def _taken_over(self, told: Told) -> Told:
        ledger, around, now = self._ledger, self._around, self._ledger.now
        coming = links.in_transit(self._connection, told.name, now)
        for version_id in coming.versions:
            program = around.versions.get(self._connection, version_id).program
            around.listening.add(version_id, program)
        if coming.wake_at is not None:
            at = coming.wake_at
            ledger.next_wake = at if ledger.next_wake is None else min(at, ledger.next_wake)
        ledger.retries += coming.calls
        ledger.changes.last.append(partial(self._arrive, told))
        said = {"attributes": coming.attributes, "contacts": coming.contacts}
        return replace(told, id=0, data=text_of(said))

    def _arrive(self, told: Told, connection: Connection) -> None:
        """Make his what was the anonymous user's. The row of the inbox stays where his passages
        have something to catch up with.
        """
        person = (told.bucket, told.user_id)
        seqs = links.facts_since(connection, person, told.at)
        arrived = links.arrive(connection, told.name, person, self._ledger.now)
        self._around.users.read_past_anew(told.user_id)
        if arrived.awaiting or (seqs and arrived.passages):
            missed = {"passages": arrived.passages, "seqs": seqs, "awaiting": arrived.awaiting}
            data = text_of(missed)
            become(connection, told, CATCH_UP, data)
        else:
            write_rows(connection, "delete_inbox", [(told.bucket, told.id)])

    def catch_up(self, present: Present, hearing: Hearing) -> None:
        """Tell passages that became a user's what he was told of since he was known and before they
        were his: they may have seen facts of theirs at that very moment, or later ones. One that
        waited for a passage which was merged waits for the one that goes on.
        """
        if not self._behind:
            return
        places = [(told.bucket, told.user_id) for told in self._behind]
        users = load_users(self._connection, places, self._around.users)
        for told in self._behind:
            user, missed = users.get(told.user_id), json.loads(told.data)
            if user is None:
                continue
            for parent_id, into in missed.get("awaiting", ()):
                self._await_instead(user, parent_id, into, present, hearing)
            if not missed["seqs"]:
                continue
            first = min(missed["seqs"])
            since = facts_beyond(self._connection, user.bucket, user.id, first - 1)
            found = [fact for fact in since if fact.seq in missed["seqs"]]
            for passage_id in missed["passages"]:
                passage = present.find(user, passage_id)
                if passage is None:
                    continue
                seen = passage.seen_seq
                for fact in found:
                    passage.seen_seq = fact.seq - 1
                    hearing.hear_late(passage, fact)
                passage.seen_seq = max(passage.seen_seq, seen)

    def _await_instead(
        self, user: User, parent_id: int, into: int, present: Present, hearing: Hearing
    ) -> None:
        """Let a passage wait for the one ``into`` which another was merged that it waited for. If
        that is over, or awaited by another one already, it goes on.
        """
        child = present.find(user, into)
        if child is None or child.state is State.ENDED:
            hearing.tell(user, Rejoin(parent_id, MERGED))
            return
        other = present.find(user, child.parent) if child.parent else None
        if other is not None and other.state is not State.ENDED:
            hearing.tell(user, Rejoin(parent_id, MERGED))
            return
        child.parent = parent_id
        if child.state is not State.CALLING:
            self._ledger.moves(child)
        self._ledger.note(child, Advanced(), None)


def _for(told: Told, user_id: str) -> Told:
    """What is told of an anonymous user, told of the one he is. What an anonymous user says of
    himself never takes the place of what is known.
    """
    kind = FILL if told.kind == CHANGE else told.kind
    return replace(told, bucket=bucket_of(user_id), user_id=user_id, kind=kind)
