"""When a token server failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; of failures from before it isn't known, and their pauses are over."""
    op.add_column("token_states", sa.Column("failed_at", sa.BigInteger(), nullable=True))
