"""API tokens: what they look like, and whether one lets somebody in now.

``jrn_<kind>_<32 base62><6 base62 CRC32>``: 190 random bits, and a check sum over all that stands
before it (the idea is GitHub's), so that a slip of the pen is known for one without a look-up.
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import zlib
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from engine.access.store import tokens as store
from engine.access.throttling import Budget
from engine.clock import stopwatch
from engine.core.expressions.calendar import MINUTE, SECOND
from engine.db.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.db.connect import Database
    from engine.db.watch import Watch

KINDS = ("user_data", "journeys", "admin")
"""What a token may be for; what each may do stands in :mod:`engine.access.roles`."""

LOOK_EACH_S = 0.5
"""A revoked token is refused so soon after the commit in every process."""

LOOKS_AGAIN = Budget(10, SECOND // 10)
"""Looks because of a token that isn't known: it may be new. Who guesses causes no more of them."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECK = 32, 6
_TOKEN = re.compile(rf"jrn_(?:{'|'.join(KINDS)})_[0-9A-Za-z]{{{_RANDOM + _CHECK}}}")
_NOBODYS = "0" * 64


def make(kind: str) -> str:
    """A new token of one of :data:`KINDS`."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    text = f"jrn_{kind}_{random}"
    return text + _check(text)


def well_formed(text: str) -> bool:
    """Whether a text can be a token at all; one that was mistyped can't."""
    return _TOKEN.fullmatch(text) is not None and _check(text[:-_CHECK]) == text[-_CHECK:]


def digest(text: str) -> str:
    """What is kept of a token, as of a login link and of a session: so many random bits need no
    slow hash.
    """
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def masked(kind: str, hint: str) -> str:
    """A token as lists show it: its beginning and its last four characters."""
    return f"jrn_{kind}_…{hint}"


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody was let in by an API token, until ``expires_at`` (wall time; None: for good): the
    token's end, or that of the overlap if it was its previous secret.
    """

    token_id: int
    kind: str
    name: str
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: str
    grant: Grant


class LiveTokens:
    """Which tokens let somebody in now. All live ones are in memory; a counter that rises with
    every change of them is read each half second, by whoever comes first, and, within
    :data:`LOOKS_AGAIN`, when somebody isn't let in. For any thread.

    ``elapsed`` gives seconds that only rise.
    """

    def __init__(self, database: Database, *, elapsed: Callable[[], float] = stopwatch) -> None:
        self._database = database
        self._elapsed = elapsed
        self._entries: dict[str, _Entry] = {}
        self._change = -1
        self._looked_at: float | None = None
        self._looking = threading.Lock()
        self._watch: Watch | None = None
        self._stale = True
        self._again_used_until = 0
        self._used: dict[str, int] = {}
        self._written: dict[str, int] = {}

    def check(self, text: str, now: int) -> Grant | None:
        """Whom this token stands for at ``now`` (wall time); None: nobody. Unknown, expired and
        revoked are told by nothing, not by the time it takes either.

        Raises :class:`~engine.errors.DatabaseUnavailable` where it can't be told.
        """
        if not well_formed(text):
            return None
        self._stay_current()
        given = digest(text)
        found = self._live(given, now)
        if found is None and self._look_again():
            found = self._live(given, now)
        if found is None:
            return None
        self._used[given] = now
        return found.grant

    def _live(self, given: str, now: int) -> _Entry | None:
        found = self._entries.get(given)
        same = hmac.compare_digest(given, found.digest if found is not None else _NOBODYS)
        if found is None or not same:
            return None
        until = found.grant.expires_at
        return None if until is not None and until <= now else found

    def is_stale(self) -> bool:
        """Whether there may be something to :meth:`look` for; where there isn't, that is as good as
        a look, and costs next to nothing. To be called by one thread, which closes it at the end.
        """
        at = self._elapsed()
        if self._watch is None:
            self._watch = watch(self._database)
        self._stale = self._watch.changed() or self._stale
        if not self._stale:
            self._looked_at = at
        return self._stale

    def close(self) -> None:
        """Look no more for what changes."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def look(self) -> None:
        """Read what has changed. :meth:`check` does it where the last look is half a second ago;
        a process that calls it more often, in a thread, never has a request wait for it.

        Raises :class:`~engine.errors.DatabaseUnavailable`.
        """
        with self._looking:
            self._look()

    def _look(self) -> None:
        at = self._elapsed()  # what is committed from now on may be missed by this look
        with self._database.read() as connection:
            change = store.change(connection)
            if change != self._change:
                rows = store.live_tokens(connection)
                self._entries = {each.digest: each for row in rows for each in _entries(row)}
                self._change = change
        self._looked_at = at
        self._stale = False

    def write_uses(self) -> None:
        """Write down when tokens were last used, to the minute: one short transaction for all, and
        none where nothing is new. To be called each minute and at the end, off the event loop.
        """
        new = {
            used: at
            for used, at in self._used.copy().items()
            if at >= self._written.get(used, -MINUTE) + MINUTE
        }
        if not new:
            return
        with self._database.write() as connection:
            for used, at in sorted(new.items()):
                store.note_use(connection, used, at)
        self._written |= new

    def _stay_current(self) -> None:
        if self._is_current():
            return
        with self._looking:
            if not self._is_current():
                self._look()

    def _look_again(self) -> bool:
        """Look for a token that may have been made a moment ago, unless that was done too often;
        whether it was.
        """
        with self._looking:
            at = int(self._elapsed() * SECOND)
            if LOOKS_AGAIN.wait(self._again_used_until, at):
                return False
            self._again_used_until = LOOKS_AGAIN.spend(self._again_used_until, at)
            self._look()
        return True

    def _is_current(self) -> bool:
        looked_at = self._looked_at
        return looked_at is not None and self._elapsed() - looked_at < LOOK_EACH_S


def _entries(row: store.StoredToken) -> list[_Entry]:
    grant = Grant(row.id, row.kind, row.name, row.expires_at)
    entries = [_Entry(row.digest, grant)]
    if row.previous_digest is not None and row.previous_until is not None:
        previous = replace(grant, expires_at=row.previous_until)
        entries.append(_Entry(row.previous_digest, previous))
    return entries


def _check(text: str) -> str:
    """CRC32 in base62, most significant digit first."""
    rest = zlib.crc32(text.encode("ascii"))
    digits = ""
    for _ in range(_CHECK):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
