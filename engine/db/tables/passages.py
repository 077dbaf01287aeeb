"""Users and their passages: the tables of the hot path.

Statuses are small integers (``engine/core/interpreter/state.py``). Everything is clustered by
bucket. Which step a number means is in the version's text.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, SmallInteger, text
from sqlmodel import Field, SQLModel


def _bucket() -> Column[int]:
    return Column("bucket", SmallInteger, primary_key=True, autoincrement=False)


class UserRow(SQLModel, table=True):
    """A user as he stands now. ``attributes`` is a JSON object; ``contacts`` (JSON list) is when he
    was contacted, as far back as a frequency cap asks.
    """

    __tablename__ = "users"
    __table_args__ = {"sqlite_with_rowid": False}

    bucket: int = Field(sa_column=_bucket())
    id: str = Field(primary_key=True)
    timezone: str | None = None
    attributes: str
    contacts: str | None = None


class RunRow(SQLModel, table=True):
    """One launch over users. ``source`` identifies the users' input; ``position`` is how many of
    its rows were admitted or refused; ``token_base`` (JSON) is each profile's token requests
    before, ``token_end`` those when it was finished. ``block`` is how many users are put in order
    together (NULL: as many as before that was written down), ``stripe`` how many neighbouring
    buckets come one after another there (NULL: all).
    """

    __tablename__ = "runs"
    __table_args__ = (Index("runs_journey", "journey", "source"),)

    id: int = Field(sa_column=Column("id", BigInteger, primary_key=True, autoincrement=False))
    journey: str
    version_id: int = Field(foreign_key="versions.id")
    source: str
    state: str = "open"
    position: int = 0
    total: int = 0
    skipped: int = 0
    token_base: str = "{}"
    token_end: str | None = None
    opened_at: int = Field(sa_type=BigInteger)
    finished_at: int | None = Field(default=None, sa_type=BigInteger)
    block: int | None = None
    stripe: int | None = None


class EnrollmentRow(SQLModel, table=True):
    """One passage. ``slot`` is 0 while it is live and its own id afterwards: one unique index both
    keeps one live passage per (user, journey, key) and finds the earlier ones for re-entry rules.
    ``data`` is the passage's inputs, variables and step records (JSON). ``run_id`` is 0 for who
    entered by himself. ``goals_until`` is up to when facts may make a goal count, whether he has
    left or not.
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        CheckConstraint(
            "state IN (0, 1, 2) AND (state = 2) = (ended_at IS NOT NULL)"
            " AND (state <> 2 OR outcome IS NOT NULL) AND (state = 0 OR wake_at IS NULL)"
            " AND slot = CASE WHEN outcome IS NULL THEN 0 ELSE id END",
            name="state_fits",
        ),
        Index("enrollments_passage", "bucket", "user_id", "journey", "key", "slot", unique=True),
        Index(
            "enrollments_due",
            "bucket",
            "wake_at",
            sqlite_where=text("wake_at IS NOT NULL"),
            postgresql_where=text("wake_at IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    bucket: int = Field(sa_column=_bucket())
    id: int = Field(sa_column=Column("id", BigInteger, primary_key=True, autoincrement=False))
    user_id: str
    journey: str
    key: str
    slot: int = Field(sa_type=BigInteger)
    version_id: int
    run_id: int = Field(sa_type=BigInteger)
    state: int = Field(sa_type=SmallInteger)
    reason: int = Field(sa_type=SmallInteger)
    position: int
    started: int = Field(sa_type=BigInteger)
    wake_at: int | None = Field(default=None, sa_type=BigInteger)
    entered_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    outcome: str | None = None
    data: str
    goals_until: int | None = Field(default=None, sa_type=BigInteger)


class ExecutionRow(SQLModel, table=True):
    """One step taken: appended, never changed. ``status`` 1 succeeded, 2 failed, 3 skipped.
    ``seen`` (JSON) is what a decision was made of: what its expressions read.
    """

    __tablename__ = "executions"
    __table_args__ = {"sqlite_with_rowid": False}

    bucket: int = Field(sa_column=_bucket())
    enrollment: int = Field(
        sa_column=Column("enrollment", BigInteger, primary_key=True, autoincrement=False)
    )
    step: int = Field(sa_column=Column("step", SmallInteger, primary_key=True, autoincrement=False))
    visit: int = Field(
        sa_column=Column("visit", SmallInteger, primary_key=True, autoincrement=False)
    )
    redrive: int = Field(
        sa_column=Column("redrive", SmallInteger, primary_key=True, autoincrement=False)
    )
    status: int = Field(sa_type=SmallInteger)
    failure: str | None = None
    text: str | None = None
    http_status: int | None = Field(default=None, sa_type=SmallInteger)
    attempts: int = Field(sa_type=SmallInteger)
    arm: str | None = None
    credential_version: int | None = None
    started_at: int = Field(sa_type=BigInteger)
    ended_at: int = Field(sa_type=BigInteger)
    seen: str | None = None


class CallRow(SQLModel, table=True):
    """The outbox: a call that was decided and isn't answered yet, or one kept for redrive.

    ``next_try_at`` is NULL once it failed for good (``finished_at`` then says when). Target,
    headers and body are stored, so a repeat is the same to the bit; credentials never are.
    ``redrive`` is how often it was sent again after it had failed for good; ``apply_outputs`` says
    that what it then gives for ``user`` is kept. ``journey`` is whose it is: each has its turn.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index(
            "calls_due",
            "bucket",
            "endpoint",
            "journey",
            "next_try_at",
            sqlite_where=text("next_try_at IS NOT NULL"),
            postgresql_where=text("next_try_at IS NOT NULL"),
        ),
        Index(
            "calls_redriven",
            "endpoint",
            "journey",
            "next_try_at",
            sqlite_where=text("redrive > 0 AND next_try_at IS NOT NULL"),
            postgresql_where=text("redrive > 0 AND next_try_at IS NOT NULL"),
        ),
        Index(
            "calls_failed",
            "finished_at",
            sqlite_where=text("finished_at IS NOT NULL"),
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    bucket: int = Field(sa_column=_bucket())
    enrollment: int = Field(
        sa_column=Column("enrollment", BigInteger, primary_key=True, autoincrement=False)
    )
    step: int = Field(sa_column=Column("step", SmallInteger, primary_key=True, autoincrement=False))
    visit: int = Field(
        sa_column=Column("visit", SmallInteger, primary_key=True, autoincrement=False)
    )
    redrive: int = Field(
        sa_column=Column("redrive", SmallInteger, primary_key=True, autoincrement=False)
    )
    run_id: int = Field(sa_type=BigInteger)
    endpoint: str
    method: str
    target: str
    headers: str
    content_type: str | None = None
    body: bytes = Field(sa_column=Column("body", LargeBinary, nullable=False))
    key: str
    attempts: int = Field(default=0, sa_type=SmallInteger)
    tries: int = Field(default=0, sa_type=SmallInteger)
    first_at: int | None = Field(default=None, sa_type=BigInteger)
    next_try_at: int | None = Field(default=None, sa_type=BigInteger)
    started_by: str | None = None
    failure: str | None = None
    finished_at: int | None = Field(default=None, sa_type=BigInteger)
    journey: str | None = None
    apply_outputs: bool | None = None


class StepCount(SQLModel, table=True):
    """What happened how often, added to in the same transaction as the executions it counts.

    ``kind``: 0 entered the step, 1 succeeded, 2 failed, 3 skipped, 4 took arm ``name``; with
    ``step`` -1: 5 ended with outcome ``name``, 6 refused for ``name``, 7 admitted, 8 goal ``name``
    counted, 9 goal ``name`` counted for somebody held out. ``run_id`` 0 is who entered by himself.
    """

    __tablename__ = "step_counts"
    __table_args__ = {"sqlite_with_rowid": False}

    bucket: int = Field(sa_column=_bucket())
    run_id: int = Field(
        sa_column=Column("run_id", BigInteger, primary_key=True, autoincrement=False)
    )
    version_id: int = Field(primary_key=True)
    step: int = Field(sa_column=Column("step", SmallInteger, primary_key=True, autoincrement=False))
    kind: int = Field(sa_column=Column("kind", SmallInteger, primary_key=True, autoincrement=False))
    name: str = Field(primary_key=True)
    n: int = Field(sa_type=BigInteger)
    attempts: int = Field(sa_type=BigInteger)


class Refusal(SQLModel, table=True):
    """A user who was not admitted, and why: by a run or command (``seq`` 0), or by the fact ``seq``
    that set off trigger ``trigger`` (-1: a command) of a version. ``seen`` (JSON) is what the rule
    that was false read.
    """

    __tablename__ = "refusals"
    __table_args__ = {"sqlite_with_rowid": False}

    bucket: int = Field(sa_column=_bucket())
    user_id: str = Field(primary_key=True)
    seq: int = Field(sa_column=Column("seq", BigInteger, primary_key=True, autoincrement=False))
    run_id: int = Field(
        sa_column=Column("run_id", BigInteger, primary_key=True, autoincrement=False)
    )
    version_id: int = Field(
        sa_column=Column("version_id", BigInteger, primary_key=True, autoincrement=False)
    )
    trigger: int = Field(
        sa_column=Column("trigger", SmallInteger, primary_key=True, autoincrement=False)
    )
    reason: str
    at: int = Field(sa_type=BigInteger)
    seen: str | None = None
