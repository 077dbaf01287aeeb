"""Who comes in: API tokens, operators with their login links and sessions, failed logins.

Nothing here lets anybody in: tokens, links and sessions are kept as SHA-256, passwords as argon2.
Instants are wall time.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, SmallInteger, text
from sqlmodel import Field, SQLModel


class ApiToken(SQLModel, table=True):
    """An API token, whose secret may be replaced: ``previous_digest`` is let in until
    ``previous_until``. ``hint`` is the last four characters. ``issued_at`` is when the present
    secret was made. It is over at ``ended_at``: revoked, or found expired. A live one of kind
    ``user_data`` has a ``slot``, so there can't be more than five.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'user_data' AND ended_at IS NULL) = (slot IS NOT NULL)"
            " AND (slot IS NULL OR slot BETWEEN 1 AND 5)",
            name="slot_fits",
        ),
        Index(
            "api_tokens_live_name",
            "name",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str
    kind: str
    slot: int | None = Field(sa_column=Column("slot", SmallInteger, unique=True, nullable=True))
    digest: str = Field(unique=True)
    hint: str
    previous_digest: str | None = Field(default=None, unique=True)
    previous_hint: str | None = None
    previous_until: int | None = Field(default=None, sa_type=BigInteger)
    previous_used_at: int | None = Field(default=None, sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    created_by: str
    issued_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)


class ApiTokenChange(SQLModel, table=True):
    """One row: ``change`` rises with whatever is changed of API tokens, their use excepted, so a
    process sees by it that it has to read them anew.
    """

    __tablename__ = "api_token_changes"

    id: int = Field(default=1, primary_key=True)
    change: int = Field(sa_type=BigInteger)


class OperatorRow(SQLModel, table=True):
    """Somebody who may log in. ``password`` is an argon2 hash; NULL: only links let him in."""

    __tablename__ = "operators"
    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    role: str
    password: str | None = None
    created_at: int = Field(sa_type=BigInteger)
    created_by: str
    last_login_at: int | None = Field(default=None, sa_type=BigInteger)


class LoginLink(SQLModel, table=True):
    """An operator's login link that wasn't used yet: one at most, gone once it is used."""

    __tablename__ = "login_links"

    operator_id: int = Field(primary_key=True, foreign_key="operators.id", ondelete="CASCADE")
    digest: str = Field(unique=True)
    expires_at: int = Field(sa_type=BigInteger)


class SessionRow(SQLModel, table=True):
    """A session of an operator, gone when he logs out. It is over at ``ends_at``, and before that
    if nothing came for long after ``seen_at``.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("sessions_operator", "operator_id"),)

    digest: str = Field(primary_key=True)
    operator_id: int = Field(foreign_key="operators.id", ondelete="CASCADE")
    made_at: int = Field(sa_type=BigInteger)
    seen_at: int = Field(sa_type=BigInteger)
    ends_at: int = Field(sa_type=BigInteger)


class FailedLogin(SQLModel, table=True):
    """What failed logins from an address, or under a name, have used up: ``used_until`` is the
    moment when that is forgotten. ``key`` is a hash.
    """

    __tablename__ = "failed_logins"
    __table_args__ = (Index("failed_logins_until", "used_until"),)

    key: str = Field(primary_key=True)
    used_until: int = Field(sa_type=BigInteger)
