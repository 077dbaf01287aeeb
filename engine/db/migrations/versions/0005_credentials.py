"""Secrets that begin at a time, and which value of a secret a token was got with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the new columns."""
    op.add_column("auth_secrets", sa.Column("valid_from", sa.BigInteger(), nullable=True))
    op.add_column("token_states", sa.Column("secret_version", sa.Integer(), nullable=True))
    op.execute("UPDATE token_states SET secret_version = profile_version")
