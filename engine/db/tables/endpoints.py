"""Endpoints: where calls go, and how."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class EndpointRow(SQLModel, table=True):
    """One endpoint. ``settings`` is the JSON of its model without ``auth``; ``version`` rises with
    every change. ``auth_lost`` names a profile that was deleted by force: its calls fail as
    ``credential.missing`` until another one is assigned.
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
