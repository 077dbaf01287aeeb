"""The tables as of the first release."""

from __future__ import annotations

from alembic import op
from sqlmodel import SQLModel

import engine.db.tables  # noqa: F401

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table. (Before the first release there is nothing to migrate from.)"""
    SQLModel.metadata.create_all(op.get_bind())
