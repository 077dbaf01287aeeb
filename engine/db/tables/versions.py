"""Journeys and their published versions; which endpoints their steps name; orders to everybody who
is inside one.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, SmallInteger, UniqueConstraint
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


class JourneyOrder(SQLModel, table=True):
    """What the owner of each bucket does once, in order of ``number``, to the passages of a journey
    in versions up to ``version_id``. ``what``: ``run``, ``skip`` or ``shift`` after a pause that
    lasted from ``paused_at``; ``archive``. ``at`` is when it was given. Both are journey time.
    """

    __tablename__ = "journey_orders"
    __table_args__ = {"sqlite_with_rowid": False}

    journey: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    what: str
    paused_at: int | None = Field(default=None, sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
    version_id: int


class BucketOrder(SQLModel, table=True):
    """Up to which order of a journey a bucket's owner has carried them out; no row: up to none."""

    __tablename__ = "bucket_orders"
    __table_args__ = {"sqlite_with_rowid": False}

    bucket: int = Field(
        sa_column=Column("bucket", SmallInteger, primary_key=True, autoincrement=False)
    )
    journey: str = Field(primary_key=True)
    number: int
