"""Who enters by the clock: how far schedules have let users in, and whose dates are near."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, SmallInteger, text
from sqlmodel import Field, SQLModel


def _part_of_key(name: str, kind: type[SmallInteger | BigInteger]) -> Column[int]:
    return Column(name, kind, primary_key=True, autoincrement=False)


class ScheduleFire(SQLModel, table=True):
    """How far the users of a bucket were read for a clock of a journey: at a schedule's fire, or to
    look at their dates. ``trigger`` stands for what the trigger says of time (see
    ``engine/core/interpreter/clock_triggers.py``); ``zone`` is that of the users read, '' for all
    or for those without a zone of their own. Those up to ``cursor`` were read for the fire
    ``fire_at``; NULL: all were.
    """

    __tablename__ = "schedule_fires"
    __table_args__ = {"sqlite_with_rowid": False}

    bucket: int = Field(sa_column=_part_of_key("bucket", SmallInteger))
    journey: str = Field(primary_key=True)
    trigger: int = Field(sa_column=_part_of_key("trigger", BigInteger))
    zone: str = Field(primary_key=True)
    fire_at: int = Field(sa_type=BigInteger)
    cursor: str | None = None


class DateFire(SQLModel, table=True):
    """A user's date that is near, or that let him in: each value of it once. ``value`` and
    ``due_at`` (the moment that belongs to it) are microseconds UTC of journey time, as is
    ``done_at``, when it let him in (NULL: not yet).
    """

    __tablename__ = "date_fires"
    __table_args__ = (
        Index(
            "date_fires_due",
            "bucket",
            "journey",
            "trigger",
            "due_at",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    bucket: int = Field(sa_column=_part_of_key("bucket", SmallInteger))
    user_id: str = Field(primary_key=True)
    journey: str = Field(primary_key=True)
    trigger: int = Field(sa_column=_part_of_key("trigger", BigInteger))
    value: int = Field(sa_column=_part_of_key("value", BigInteger))
    due_at: int = Field(sa_type=BigInteger)
    done_at: int | None = Field(default=None, sa_type=BigInteger)
