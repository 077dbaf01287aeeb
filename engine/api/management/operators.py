"""Operators: who logs in to the console, as what."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from engine.access import operators
from engine.access.roles import Permission
from engine.access.store.operators import StoredOperator
from engine.access.store.operators import operators as stored_operators
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import Cursor, Given, Instant, Limit, Page, Shown, sorted_page

router = APIRouter(prefix="/operators", tags=["operators"])

OperatorName = Annotated[str, Path(max_length=100, pattern=r"^[0-9A-Za-z][0-9A-Za-z._@+-]*$")]
Role = Literal["admin", "builder", "viewer"]
LinkLife = Annotated[int, Field(ge=60, le=7 * 86_400, description="Seconds.")]
_HOUR_S = 3_600


class Operator(Shown):
    """Who may log in. `password` says whether he has one."""

    name: str
    role: Role
    password: bool
    created_by: str
    created_at: Instant
    last_login_at: Instant | None

    @classmethod
    def of(cls, stored: StoredOperator) -> Operator:
        """What is shown of a row: never the hash."""
        return cls(
            name=stored.name,
            role=stored.role,
            password=stored.password is not None,
            created_by=stored.created_by,
            created_at=stored.created_at,
            last_login_at=stored.last_login_at,
        )


class NewOperator(Given):
    """Who is to log in; his first link is good for `link_life_s` seconds."""

    name: Annotated[str, Field(max_length=100)]
    role: Role
    link_life_s: LinkLife = _HOUR_S


class AnotherRole(Given):
    """What he is to be."""

    role: Role


class LinkGiven(Given):
    """How long the link is good."""

    link_life_s: LinkLife = _HOUR_S


class LoginLink(Shown):
    """A path of the console that lets him in once: shown now, and never again."""

    name: str = Field(validation_alias="operator")
    path: str
    expires_at: Instant


class LoggedOut(Shown):
    """How many sessions were ended."""

    sessions: int


@router.get("")
def list_operators(
    limit: Limit = 100, cursor: Cursor = None, caller: Caller = allowed(Permission.OPERATORS_READ)
) -> Page[Operator]:
    """The operators by name."""
    with caller.backend.database.read() as connection:
        found = stored_operators(connection)
    return sorted_page(found, Operator.of, lambda one: one.name, limit, cursor)


@router.post("", status_code=201)
def add_operator(
    given: NewOperator, caller: Caller = allowed(Permission.OPERATORS_WRITE)
) -> LoginLink:
    """Let somebody log in: by the link that is answered, once."""
    who, now, life = caller.actor, caller.now, given.link_life_s * 1_000_000
    with caller.backend.database.write() as connection:
        operators.add(connection, given.name, given.role, actor=who, now=now)
        link = operators.make_link(connection, given.name, actor=who, now=now, life=life)
    return LoginLink.model_validate(link)


@router.post("/{name}/login-link", status_code=201)
def make_login_link(
    name: OperatorName,
    given: LinkGiven | None = None,
    caller: Caller = allowed(Permission.OPERATORS_WRITE),
) -> LoginLink:
    """Another link for one login; the one before it is good no more."""
    life = (given or LinkGiven()).link_life_s * 1_000_000
    with caller.backend.database.write() as connection:
        link = operators.make_link(connection, name, actor=caller.actor, now=caller.now, life=life)
    return LoginLink.model_validate(link)


@router.put("/{name}/role", status_code=204)
def set_role(
    name: OperatorName, given: AnotherRole, caller: Caller = allowed(Permission.OPERATORS_WRITE)
) -> None:
    """Give an operator another role; he has to log in anew. The last admin stays one."""
    with caller.backend.database.write() as connection:
        operators.set_role(connection, name, given.role, actor=caller.actor, now=caller.now)


@router.post("/{name}/logout")
def log_out(name: OperatorName, caller: Caller = allowed(Permission.OPERATORS_WRITE)) -> LoggedOut:
    """Log an operator out everywhere, at once."""
    with caller.backend.database.write() as connection:
        sessions = operators.log_out(connection, name, actor=caller.actor, now=caller.now)
    return LoggedOut(sessions=sessions)


@router.delete("/{name}", status_code=204)
def remove_operator(
    name: OperatorName, caller: Caller = allowed(Permission.OPERATORS_WRITE)
) -> None:
    """Let an operator in no more, at once. The last admin stays."""
    with caller.backend.database.write() as connection:
        operators.remove(connection, name, actor=caller.actor, now=caller.now)
