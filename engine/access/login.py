"""Logging in: by a link or a password, throttled, into a session of one's own.

What was tried is written down as failed before it is looked at, and taken back if it was right: so
a hundred tries at once are a hundred tries. Unknown names take as long as wrong passwords.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access import passwords, sessions
from engine.access.operators import AUDITED, normal, set_password
from engine.access.store import failed_logins
from engine.access.store import operators as store
from engine.access.throttling import OF_ADDRESS, OF_NAME, Budget, address_key, name_key
from engine.access.tokens import digest
from engine.audit.store import record
from engine.core.expressions.calendar import MINUTE

if TYPE_CHECKING:
    from engine.access.store.operators import StoredOperator
    from engine.db.connect import Connection, Database

FRESH = 10 * MINUTE
"""So long after a login one needn't say one's password to set another."""
MOST_KEYS = 50_000
"""Of so many addresses and names at most failures are remembered."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Somebody came in. ``session`` is a new session's id, for the cookie."""

    session: str
    operator_id: int
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody came in. ``wait`` is how long nothing is tried any more from this address, or under
    this name, in microseconds; 0 where it just wasn't right. Why, is told to nobody.
    """

    wait: int = 0


def by_password(
    database: Database, name: str, password: str, *, address: str, now: int, replaces: str = ""
) -> LoggedIn | Refused:
    """Log in by name and password; ``now`` is wall time. ``address`` is the client's, ``replaces``
    the id of a session that the browser came with: it is over, so nobody is given a known one.

    Takes a moment on purpose: not for an event loop. Raises DatabaseUnavailable.
    """
    name = normal(name)
    tried = {address_key(address): OF_ADDRESS, name_key(name): OF_NAME}
    with database.write() as connection:
        wait = _begin(connection, tried, now)
        if wait:
            return Refused(wait)
        found = store.by_name(connection, name)
    kept = None if found is None else found.password
    if not passwords.fits(kept, password) or found is None or kept is None:
        return Refused()
    anew = passwords.hashed(password) if passwords.is_outdated(kept) else None
    with database.write() as connection:
        operator = store.by_id(connection, found.id)
        if operator is None or operator.password != kept:  # changed meanwhile
            return Refused()
        if anew is not None:
            store.set_password(connection, operator.id, anew)
        _take_back(connection, address_key(address))
        failed_logins.forget(connection, name_key(name))
        return _enter(connection, operator, "by password", replaces, now)


def by_link(
    database: Database, text: str, *, address: str, now: int, replaces: str = ""
) -> LoggedIn | Refused:
    """Log in by a link, which is used up by it: of several who try at once one comes in.

    As :func:`by_password` otherwise.
    """
    with database.write() as connection:
        wait = _begin(connection, {address_key(address): OF_ADDRESS}, now)
        if wait:
            return Refused(wait)
        operator_id = store.take_link(connection, digest(text), now)
        operator = None if operator_id is None else store.by_id(connection, operator_id)
        if operator is None:
            return Refused()
        _take_back(connection, address_key(address))
        failed_logins.forget(connection, name_key(operator.name))
        return _enter(connection, operator, "by link", replaces, now)


def change_password(
    database: Database, session: str, password: str, *, current: str = "", now: int
) -> str | Refused:
    """Set the password of whoever has this session; the session's new id, for the cookie. He is
    logged out everywhere else. Who has a password gives it in ``current``, unless he has logged in
    a few minutes ago, perhaps by a link because he lost it.

    Takes a moment on purpose: not for an event loop. Raises OperatorError for a password that is
    too short or too long, and DatabaseUnavailable.
    """
    kept = passwords.hashed(password)
    with database.write() as connection:
        found = sessions.find(connection, session, now)
        operator = None if found is None else store.by_id(connection, found.operator_id)
        if found is None or operator is None:
            return Refused()
        before, key = operator.password, name_key(operator.name)
        asks = before is not None and now - found.made_at >= FRESH
        wait = _begin(connection, {key: OF_NAME}, now) if asks else 0
    if wait:
        return Refused(wait)
    if asks and not passwords.fits(before, current):
        return Refused()
    with database.write() as connection:
        again = store.by_id(connection, operator.id)
        if again is None or again.password != before:  # changed meanwhile
            return Refused()
        new = sessions.rotate(connection, session, now)
        if new is None:
            return Refused()
        set_password(connection, again.name, kept, actor=again.name, now=now, but=new)
        failed_logins.forget(connection, key)
        return new


def _begin(connection: Connection, tried: dict[str, Budget], now: int) -> int:
    """Write a failure down, unless one has to wait: how long."""
    failed_logins.forget_over(connection, now)
    used = {key: failed_logins.used_until(connection, key) for key in tried}
    wait = max(budget.wait(used[key], now) for key, budget in tried.items())
    if not wait:
        for key, budget in tried.items():
            failed_logins.put(connection, key, budget.spend(used[key], now))
        failed_logins.keep(connection, MOST_KEYS)
    return wait


def _take_back(connection: Connection, address: str) -> None:
    """It was no failure. What others from there have failed with stays: whoever knows one password
    can't wash off his guesses at others'.
    """
    used = failed_logins.used_until(connection, address)
    if used:
        failed_logins.put(connection, address, OF_ADDRESS.give_back(used))


def _enter(
    connection: Connection, operator: StoredOperator, how: str, replaces: str, now: int
) -> LoggedIn:
    if replaces:
        sessions.close(connection, replaces)
    session = sessions.open_session(connection, operator.id, now)
    store.set_last_login(connection, operator.id, now)
    record(connection, now, operator.name, "log in", AUDITED, operator.name, (how,))
    return LoggedIn(session, operator.id, operator.name, operator.role)
