"""The declared catalogue: attributes of users, and events with their properties."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class AttributeRow(SQLModel, table=True):
    """An attribute that is declared, and the type of its values."""

    __tablename__ = "attributes"

    name: str = Field(primary_key=True)
    type: str
    changed_at: int = Field(sa_type=BigInteger)


class EventTypeRow(SQLModel, table=True):
    """An event that is declared. ``properties`` is JSON: property → type."""

    __tablename__ = "event_types"

    name: str = Field(primary_key=True)
    properties: str
    changed_at: int = Field(sa_type=BigInteger)
