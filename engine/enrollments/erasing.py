"""A user who is to be erased: nothing of him stays in memory, and then nothing is stored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.enrollments.store.facts import ERASURE

if TYPE_CHECKING:
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.present import Surroundings
    from engine.enrollments.turn import Turn


def set_aside(turn: Turn, around: Surroundings, ledger: Ledger) -> None:
    """Take whoever is to be erased out of a turn, and what earlier turns left in memory of him. His
    rows are deleted when the turn is written. An answer that still comes for him is dropped.
    """
    wishes = {told.user_id: told for told in turn.told if told.kind == ERASURE}
    if wishes:
        turn.told = [told for told in turn.told if told.user_id not in wishes]
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
