"""How many neighbouring buckets of a run come one after another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; runs from before have none."""
    op.add_column("runs", sa.Column("stripe", sa.Integer(), nullable=True))
