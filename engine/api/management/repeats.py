"""Requests that may come twice: the answer that an ``Idempotency-Key`` was given is given again.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from engine.access.store import repeats as store
from engine.api.problems import Refused
from engine.core.expressions.calendar import DAY
from engine.core.guarded_json import dumps

if TYPE_CHECKING:
    from engine.api.management.calling import Caller
    from engine.db.connect import Connection

KEPT = DAY


@dataclass(frozen=True, slots=True)
class Once:
    """A request in its write transaction. ``before`` is what was answered to the same one; None:
    it comes for the first time.
    """

    token_id: int
    key: str | None
    digest: str
    now: int
    before: int | None = None

    def keep(self, connection: Connection, answer: int) -> None:
        """Keep what is answered now, in the transaction that does what was asked for."""
        if self.key is not None:
            store.forget_before(connection, self.now - KEPT)
            store.put(connection, self.token_id, self.key, self.digest, str(answer), self.now)


def answered_once(connection: Connection, caller: Caller, key: str | None, asked: object) -> Once:
    """Whether ``asked`` (JSON data) came before under ``key`` from the same token.

    Raises Refused (422) where something else came under it.
    """
    now = caller.now
    digest = sha256(dumps(asked)).hexdigest()
    found = None if key is None else store.find(connection, caller.token_id, key)
    if found is None:
        return Once(caller.token_id, key, digest, now)
    if found[0] != digest:
        raise Refused(
            422, "request.key_reused", "this Idempotency-Key was used for another request"
        )
    return Once(caller.token_id, key, digest, now, int(found[1]))
