"""How many users of a run are put in order together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; runs from before have none."""
    op.add_column("runs", sa.Column("block", sa.Integer(), nullable=True))
