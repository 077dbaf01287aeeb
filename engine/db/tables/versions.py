"""Journeys and their published versions; and which endpoints their steps name."""

from __future__ import annotations

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel


class JourneyRow(SQLModel, table=True):
    """A journey that was published. ``state`` is active, paused or archived, since ``since``
    (journey time). ``change`` rises with whatever is changed of the journey, publishing included,
    so a process sees by it what it has to read anew.
    """

    __tablename__ = "journeys"

    journey: str = Field(primary_key=True)
    state: str = "active"
    since: int = Field(sa_type=BigInteger)
    change: int = 1


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
