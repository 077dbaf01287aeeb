"""Published journeys: text, hash, number; and which endpoints their steps name."""

from __future__ import annotations

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel


class VersionRow(SQLModel, table=True):
    """One unchangeable version. ``hash`` is SHA-256 of the text; ``triggers_on`` is False for a
    version that only commands enter.
    """

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("journey", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    journey: str
    number: int
    hash: str
    source: str
    triggers_on: bool = False
    published_at: int = Field(sa_type=BigInteger)
    published_by: str = ""


class VersionEndpoint(SQLModel, table=True):
    """A step of a version names this endpoint."""

    __tablename__ = "version_endpoints"
    __table_args__ = {"sqlite_with_rowid": False}

    endpoint: str = Field(primary_key=True)
    version_id: int = Field(primary_key=True, foreign_key="versions.id")
    step: str = Field(primary_key=True)
