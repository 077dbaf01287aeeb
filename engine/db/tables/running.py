"""What runs: processes with their health, and the duties that they have."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class ProcessRow(SQLModel, table=True):
    """A process that is meant to run until it is stopped. ``kind`` is the command that started it;
    ``seen_at`` is when it last said that it lives, ``health`` (JSON list) what it found looking at
    itself then. Instants are wall time.
    """

    __tablename__ = "processes"
    id: str = Field(primary_key=True)
    kind: str
    host: str
    pid: int
    started_at: int = Field(sa_type=BigInteger)
    seen_at: int = Field(sa_type=BigInteger)
    health: str = "[]"


class DutyRow(SQLModel, table=True):
    """A duty with a clock: when it was begun, how it ended, when it is due again (wall time).
    ``process`` did it last; ``failures`` counts those in a row, ``error`` is the last one's reason.
    """

    __tablename__ = "duties"

    name: str = Field(primary_key=True)
    process: str
    started_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    said: str = ""
    error: str | None = None
    failures: int = 0
    next_at: int = Field(sa_type=BigInteger)
