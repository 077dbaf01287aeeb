"""The installation itself, and who changed what in it."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class Installation(SQLModel, table=True):
    """One row. ``key`` (128 random bits, hex) goes into every idempotency key, so that staging and
    production never share one; ``clock`` is ``real`` or ``virtual``, set by the first run.
    """

    __tablename__ = "installation"

    id: int = Field(default=1, primary_key=True)
    key: str
    clock: str | None = None
    made_at: int = Field(sa_type=BigInteger)


class AuditRow(SQLModel, table=True):
    """One change: who, when, what, which fields (names only, never values)."""

    __tablename__ = "audit"

    id: int | None = Field(default=None, primary_key=True)
    at: int = Field(sa_type=BigInteger)
    actor: str
    verb: str
    kind: str
    name: str
    fields: str = ""
