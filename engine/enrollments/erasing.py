"""A user who is to be erased: nothing of him stays in memory, and then nothing is stored."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from engine.enrollments.store.facts import ERASURE, LINK
from engine.enrollments.store.links import links_of
from engine.users.incoming import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from engine.db.connect import Connection
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.present import Surroundings
    from engine.enrollments.store.facts import Told
    from engine.enrollments.turn import Turn


def set_aside(connection: Connection, turn: Turn, around: Surroundings, ledger: Ledger) -> bool:
    """Take whoever is to be erased out of a turn, and what earlier turns left in memory of him;
    whether there is anybody. His rows are deleted when the turn is written: until then they can be
    read. An answer that still comes for him is dropped.
    """
    wishes = {told.user_id: told for told in turn.told if told.kind == ERASURE}
    if wishes:
        turn.told = _of_others(connection, turn.told, wishes, ledger)
        if turn.arrivals is not None:
            rows = [one for one in turn.arrivals.rows if one[1].id not in wishes]
            turn.arrivals = replace(turn.arrivals, rows=rows)
        turn.due = [passage for passage in turn.due if passage.user.id not in wishes]
        for held in (*around.calls.calls_of(wishes), *turn.calls):
            if held.passage.user.id in wishes:
                around.calls.withdraw(held)
                around.gone.add(held.passage.id)
        for user_id, told in wishes.items():
            around.users.forget(user_id)
            if around.erase is not None:
                ledger.changes.last.append(partial(around.erase, user_id, told.data))
    if around.gone:
        gone = around.gone
        turn.answered = [one for one in turn.answered if one.held.passage.id not in gone]
        turn.calls = [held for held in turn.calls if held.passage.id not in gone]
    return bool(wishes)


def _of_others(
    connection: Connection, told: Sequence[Told], erased: Collection[str], ledger: Ledger
) -> list[Told]:
    """What is told of nobody who is erased: nor of an anonymous user who is one of them. Who was
    about to turn out to be one is to be erased in the next turn.
    """
    strangers = {(t.bucket, t.user_id) for t in told if t.user_id.startswith(ANONYMOUS)}
    known = links_of(connection, strangers) if strangers else {}
    kept: list[Told] = []
    for one in told:
        if one.kind == LINK and one.name in erased:
            ledger.look_again = True
        elif known.get(one.user_id, one.user_id) not in erased:
            kept.append(one)
    return kept
