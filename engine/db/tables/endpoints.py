"""Endpoints: where calls go, and how."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class EndpointRow(SQLModel, table=True):
    """One endpoint. ``settings`` is the JSON of its model without ``auth``; ``version`` rises with
    every change. ``auth_lost`` names a profile that was deleted by force: its calls fail as
    ``credential.missing`` until another one is assigned, or ``none`` is said.
    """

    __tablename__ = "endpoints"
    __table_args__ = {"sqlite_autoincrement": True}  # ids are cache keys: never used twice

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    settings: str
    profile_id: int | None = Field(
        default=None, foreign_key="auth_profiles.id", ondelete="RESTRICT"
    )
    auth_lost: str | None = None
    version: int = 1
    changed_at: int = Field(sa_type=BigInteger)


class EndpointState(SQLModel, table=True):
    """How an endpoint fares, for all processes. Instants are journey time.

    ``taken`` (JSON object) is how many permits of its rate limit were used by an instant, or may
    be. It is shut to calls ``shut_since`` then, for ``code`` (``text`` in words), and is looked at
    again at ``probe_at``; nothing is sent before ``paused_until``; ``failures`` (JSON list) are the
    latest that its breaker counts. ``change`` rises whenever something but ``taken`` changes.
    """

    __tablename__ = "endpoint_states"
    __table_args__ = {"sqlite_with_rowid": False}

    endpoint: str = Field(primary_key=True)
    taken: str = "{}"
    shut_since: int | None = Field(default=None, sa_type=BigInteger)
    code: str = ""
    text: str = ""
    probe_at: int = Field(default=0, sa_type=BigInteger)
    paused_until: int = Field(default=0, sa_type=BigInteger)
    failures: str = "[]"
    change: int = Field(default=0, sa_type=BigInteger)
