"""Letting users into a journey from outside: they are told of in the inbox, and their owner admits
them by the journey's rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.errors import Limit, OperatorError
from engine.users.incoming import IncomingChange, IncomingEntry
from engine.users.ingest import FactRefused, ingest
from engine.users.row import BadRow, check_inputs
from engine.versions import states, store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.db.connect import Connection
    from engine.users.incoming import Incoming
    from engine.versions.store import Versions

MOST = 1_000
"""Users in one request."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A user who is to enter, with the journey's inputs; ``attributes`` are set before."""

    id: str
    inputs: Mapping[str, object] = field(default_factory=dict)
    attributes: Mapping[str, object] = field(default_factory=dict)


def enroll(
    connection: Connection,
    versions: Versions,
    journey: str,
    entrants: Sequence[Entrant],
    *,
    now: int,
    new_id: Callable[[int], int],
) -> int:
    """Tell of users who are to enter the newest version of ``journey``, in a write transaction; how
    many. ``now`` is journey time. Whether each does enter is decided by the journey's rules when
    his owner receives it: ``journey why`` tells.

    All or none: raises NotFound for a journey that was never published, OperatorError for one that
    is archived, Limit for more than a thousand users, and FactRefused for the first who can't be
    taken.
    """
    if len(entrants) > MOST:
        raise Limit(f"{len(entrants):,} users are too many at once; send at most {MOST:,}")
    state, newest = states.load(connection, journey), store.newest(connection, journey)
    assert newest is not None  # noqa: S101 - a journey with a state was published
    if state.state == "archived":
        raise OperatorError(f"{journey} is archived: nobody enters it", code="journey.archived")
    declared = versions.get(connection, newest.id).program.journey.entry.inputs
    facts: list[Incoming] = []
    places: list[int] = []
    for index, entrant in enumerate(entrants):
        try:
            check_inputs(declared, entrant.inputs)
        except BadRow as bad:
            raise FactRefused(bad, index) from None
        if entrant.attributes:
            facts.append(IncomingChange(entrant.id, entrant.attributes))
            places.append(index)
        facts.append(IncomingEntry(entrant.id, journey, entrant.inputs))
        places.append(index)
    try:
        ingest(connection, facts, now=now, new_id=new_id)
    except FactRefused as refused:
        refused.index = places[refused.index]
        raise
    return len(entrants)
