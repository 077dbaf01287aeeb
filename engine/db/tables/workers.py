"""Who works: workers with their leases, and which of them owns which users."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, SmallInteger
from sqlmodel import Field, SQLModel


class WorkerRow(SQLModel, table=True):
    """A worker. ``epoch`` rises when its buckets are taken from it, so that what it still writes is
    refused; ``lease_until`` is the database's own clock. ``commits`` counts its commits: after a
    lost connection it tells whether the last one was made. ``name`` says host and process. One
    that is ``alone`` has a task of its own, as a run's, and works nothing else.
    """

    __tablename__ = "workers"

    id: str = Field(primary_key=True)
    epoch: int = Field(default=1, sa_type=BigInteger)
    lease_until: int = Field(sa_type=BigInteger)
    commits: int = Field(default=0, sa_type=BigInteger)
    name: str = ""
    alone: bool = False
    started_at: int = Field(sa_type=BigInteger)


class BucketRow(SQLModel, table=True):
    """A bucket of users, and the worker that owns it."""

    __tablename__ = "buckets"
    __table_args__ = (Index("buckets_owner", "owner"),)

    bucket: int = Field(
        sa_column=Column("bucket", SmallInteger, primary_key=True, autoincrement=False)
    )
    owner: str | None = None
