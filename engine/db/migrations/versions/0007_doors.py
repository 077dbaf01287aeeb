"""What came to hooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the new table."""
    op.create_table(
        "hook_deliveries",
        sa.Column("hook_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("bucket", sa.SmallInteger(), nullable=True),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("inbox_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("hook_id", "refused", "id"),
        sqlite_with_rowid=False,
    )
