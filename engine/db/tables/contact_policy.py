"""The contact policy, which holds for all journeys."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field, SQLModel


class ContactPolicyRow(SQLModel, table=True):
    """One row, made when a policy is set first. ``policy`` is its JSON, NULL where it was removed;
    ``version`` rises with every change.
    """

    __tablename__ = "contact_policy"

    id: int = Field(
        default=1, sa_column=Column("id", Integer, primary_key=True, autoincrement=False)
    )
    version: int = 1
    policy: str | None = None
    changed_at: int = Field(sa_type=BigInteger)
