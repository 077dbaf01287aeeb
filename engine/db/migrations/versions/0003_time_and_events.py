"""Facts, journeys' states, workers' leases, and what passages need to be moved by events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the new tables and columns."""
    _facts()
    _journeys()
    _workers()
    _passages()
    _refusals()
    _clocks()
    _contact_policy()
    _orders()
    _running()
    _outages()


def _facts() -> None:
    op.create_table(
        "inbox",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("data", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "facts",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("data", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "user_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "facts_message",
        "facts",
        ["bucket", "user_id", "message_id"],
        unique=True,
        sqlite_where=sa.text("message_id IS NOT NULL"),
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.create_index(
        "facts_named",
        "facts",
        ["bucket", "user_id", "name", "at"],
        sqlite_where=sa.text("kind = 0"),
        postgresql_where=sa.text("kind = 0"),
    )


def _journeys() -> None:
    op.create_table(
        "journeys",
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("journey"),
    )
    op.execute(
        "INSERT INTO journeys (journey, state, since, change)"
        " SELECT journey, 'active', min(published_at), 1 FROM versions GROUP BY journey"
    )


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("commits", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "buckets",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("bucket"),
    )
    op.create_index("buckets_owner", "buckets", ["owner"])


def _passages() -> None:
    op.add_column("users", sa.Column("contacts", sa.String(), nullable=True))
    op.add_column("enrollments", sa.Column("goals_until", sa.BigInteger(), nullable=True))
    op.add_column("executions", sa.Column("seen", sa.String(), nullable=True))


def _refusals() -> None:
    op.rename_table("refusals", "refusals_before")
    if op.get_bind().dialect.name == "postgresql":  # the index keeps its name, and it is wanted
        op.execute("ALTER INDEX refusals_pkey RENAME TO refusals_before_pkey")
    op.create_table(
        "refusals",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("trigger", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("bucket", "user_id", "seq", "run_id", "version_id", "trigger"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO refusals (bucket, user_id, seq, run_id, version_id, trigger, reason, at)"
        " SELECT b.bucket, b.user_id, 0, b.run_id, r.version_id, -1, b.reason, b.at"
        " FROM refusals_before AS b JOIN runs AS r ON r.id = b.run_id"
    )
    op.drop_table("refusals_before")


def _clocks() -> None:
    op.create_table(
        "schedule_fires",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("trigger", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("fire_at", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("bucket", "journey", "trigger", "zone"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "date_fires",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("trigger", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("bucket", "user_id", "journey", "trigger", "value"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "date_fires_due",
        "date_fires",
        ["bucket", "journey", "trigger", "due_at"],
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )


def _contact_policy() -> None:
    op.create_table(
        "contact_policy",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _orders() -> None:
    op.create_table(
        "journey_orders",
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("journey", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bucket_orders",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "journey"),
        sqlite_with_rowid=False,
    )


def _running() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("health", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "duties",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _outages() -> None:
    op.create_table(
        "endpoint_states",
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("taken", sa.String(), nullable=False),
        sa.Column("shut_since", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("probe_at", sa.BigInteger(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.String(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint"),
        sqlite_with_rowid=False,
    )
    op.add_column("calls", sa.Column("journey", sa.String(), nullable=True))
    op.add_column("calls", sa.Column("apply_outputs", sa.Boolean(), nullable=True))
    op.execute(
        "UPDATE calls SET journey = (SELECT e.journey FROM enrollments AS e"
        " WHERE e.bucket = calls.bucket AND e.id = calls.enrollment)"
    )
    op.drop_index("calls_due", "calls")
    op.create_index(
        "calls_due",
        "calls",
        ["bucket", "endpoint", "journey", "next_try_at"],
        unique=False,
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.create_index(
        "calls_redriven",
        "calls",
        ["endpoint", "journey", "next_try_at"],
        unique=False,
        sqlite_where=sa.text("redrive > 0 AND next_try_at IS NOT NULL"),
        postgresql_where=sa.text("redrive > 0 AND next_try_at IS NOT NULL"),
    )
