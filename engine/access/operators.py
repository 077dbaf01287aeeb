"""Operators: who may log in, as what; their login links.

There is no default password, and no password that somebody else has set: a link, shown once and
good for one login, lets an operator in who then may set one. Every verb takes the connection of a
write transaction, the actor and ``now`` (wall time), and writes its audit row in that transaction.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access import sessions
from engine.access.roles import ROLES
from engine.access.store import operators as store
from engine.access.tokens import digest
from engine.audit.store import record
from engine.core.expressions.calendar import HOUR
from engine.errors import NotFound, OperatorError
from engine.telemetry.redact import known_secrets

if TYPE_CHECKING:
    from engine.access.store.operators import StoredOperator
    from engine.db.connect import Connection

AUDITED = "operator"
LINK_LIFE = HOUR
FIRST = "admin"
"""What the first operator is called, and is."""

_NAME = re.compile(r"[0-9a-z][0-9a-z._@+-]{0,99}")


@dataclass(frozen=True, slots=True)
class LoginLink:
    """A link for one login: ``path`` is where on the console it leads, and to be shown once."""

    operator: str
    path: str
    expires_at: int


def add(connection: Connection, name: str, role: str, *, actor: str, now: int) -> int:
    """Let somebody log in, once he has a link; his id.

    Raises OperatorError for a name that is taken or none, and a role that is none.
    """
    name = normal(name)
    if not _NAME.fullmatch(name):
        raise OperatorError(
            "an operator's name is letters, digits and '.', '_', '@', '+', '-' (at most 100), a"
            " letter or digit first",
            code="operators.name",
        )
    _require_role(role)
    if store.by_name(connection, name) is not None:
        raise OperatorError(f"there is an operator {name} already", code="operators.name")
    operator_id = store.add(connection, name, role, actor, now)
    record(connection, now, actor, "create", AUDITED, name, (f"role {role}",))
    return operator_id


def remove(connection: Connection, name: str, *, actor: str, now: int) -> None:
    """Let an operator in no more, at once: his sessions and his link are gone.

    Raises NotFound, and OperatorError for the last admin.
    """
    stored = require(connection, name)
    _require_another_admin(connection, stored)
    store.remove(connection, stored.id)
    record(connection, now, actor, "delete", AUDITED, stored.name)


def set_role(connection: Connection, name: str, role: str, *, actor: str, now: int) -> None:
    """Give an operator another role. He is logged out everywhere, so that no session lives to see
    its rights change.

    Raises NotFound, and OperatorError for a role that is none and for the last admin.
    """
    stored = require(connection, name)
    _require_role(role)
    if role == stored.role:
        return
    _require_another_admin(connection, stored)
    store.set_role(connection, stored.id, role)
    sessions.close_all(connection, stored.id)
    was = f"role {role} (was {stored.role})"
    record(connection, now, actor, "update", AUDITED, stored.name, (was,))


def set_password(
    connection: Connection, name: str, kept: str, *, actor: str, now: int, but: str | None = None
) -> None:
    """Keep an operator's new password, as :func:`engine.access.passwords.hashed` gives it. He is
    logged out everywhere except in the session ``but``. Raises NotFound.
    """
    stored = require(connection, name)
    store.set_password(connection, stored.id, kept)
    store.drop_link(connection, stored.id)
    sessions.close_all(connection, stored.id, but=but)
    record(connection, now, actor, "update", AUDITED, stored.name, ("password",))


def log_out(connection: Connection, name: str, *, actor: str, now: int) -> int:
    """Log an operator out everywhere; how many sessions that were. His link goes too. Raises
    NotFound.
    """
    stored = require(connection, name)
    store.drop_link(connection, stored.id)
    closed = sessions.close_all(connection, stored.id)
    record(connection, now, actor, "log out", AUDITED, stored.name)
    return closed


def make_link(
    connection: Connection, name: str, *, actor: str, now: int, life: int = LINK_LIFE
) -> LoginLink:
    """A link for one login within ``life`` microseconds; the one before it is good no more.

    Raises NotFound.
    """
    stored = require(connection, name)
    text = secrets.token_urlsafe(32)
    known_secrets.learn((text,))
    store.put_link(connection, stored.id, digest(text), now + life)
    record(connection, now, actor, "login link", AUDITED, stored.name)
    return LoginLink(stored.name, f"/login/{text}", now + life)


def opening_link(connection: Connection, *, actor: str, now: int) -> LoginLink | None:
    """What is to be shown at a start as long as nobody has ever logged in: a link for the operator
    ``admin``, who is made if there is no operator yet. None: it isn't needed, or others were added
    by hand, with links of their own.
    """
    known = store.operators(connection)
    if not known:
        add(connection, FIRST, "admin", actor=actor, now=now)
    elif [(each.name, each.last_login_at) for each in known] != [(FIRST, None)]:
        return None
    return make_link(connection, FIRST, actor=actor, now=now)


def require(connection: Connection, name: str) -> StoredOperator:
    """The operator of this name. Raises NotFound."""
    stored = store.by_name(connection, normal(name))
    if stored is None:
        raise NotFound(f"there is no operator {name}; `journey operators list` shows them")
    return stored


def normal(name: str) -> str:
    """A name as it is kept: whoever logs in may write it larger."""
    return name.strip().lower()


def _require_role(role: str) -> None:
    if role not in ROLES:
        raise OperatorError(f"there is no role {role!r}: {', '.join(ROLES)}", code="operators.role")


def _require_another_admin(connection: Connection, leaving: StoredOperator) -> None:
    others = (each for each in store.operators(connection) if each.id != leaving.id)
    if leaving.role == "admin" and not any(each.role == "admin" for each in others):
        raise OperatorError(
            f"{leaving.name} is the last admin; give another operator that role first",
            code="operators.last_admin",
        )
