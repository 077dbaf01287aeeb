"""What happened to users: events, changes of attributes, and entries by command.

Whoever tells of something appends it to the inbox. The owner of the user's bucket takes it from
there, gives it its place among the user's facts, and lets it move who it touches.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, SmallInteger, text
from sqlmodel import Field, SQLModel


class InboxRow(SQLModel, table=True):
    """Something that wasn't received yet. ``id`` is made by whoever tells of it and rises with
    time. ``kind``: 0 an event ``name``, 1 a change of attributes, 2 an entry into journey ``name``,
    3 a user to erase, 4 an anonymous user who is the user ``name``, 5 the user takes over what was
    the anonymous user ``name``'s, 6 attributes that count where he has none, 7 passages that he
    took over hear what he was told of meanwhile. ``data`` (JSON) are the properties, the attributes
    (null removes one), what the entry brings, or which passages and facts. ``at`` is its own time;
    ``message_id`` makes it happen once.
    """

    __tablename__ = "inbox"
    __table_args__ = {"sqlite_with_rowid": False}

    bucket: int = Field(
        sa_column=Column("bucket", SmallInteger, primary_key=True, autoincrement=False)
    )
    id: int = Field(sa_column=Column("id", BigInteger, primary_key=True, autoincrement=False))
    user_id: str
    kind: int = Field(sa_type=SmallInteger)
    name: str = ""
    at: int = Field(sa_type=BigInteger)
    message_id: str | None = None
    data: str = "{}"


class FactRow(SQLModel, table=True):
    """Something that was received. ``seq`` is when (microseconds UTC of journey time), made to rise
    among the user's facts: the order in which they are applied. ``kind`` 0 is an event ``name``
    with the properties ``data``; 1 a change, whose ``data`` is {attribute: [before, after]}.
    ``depth`` counts the facts and entries that led to it.
    """

    __tablename__ = "facts"
    __table_args__ = (
        Index(
            "facts_message",
            "bucket",
            "user_id",
            "message_id",
            unique=True,
            sqlite_where=text("message_id IS NOT NULL"),
            postgresql_where=text("message_id IS NOT NULL"),
        ),
        Index(
            "facts_named",
            "bucket",
            "user_id",
            "name",
            "at",
            sqlite_where=text("kind = 0"),
            postgresql_where=text("kind = 0"),
        ),
        {"sqlite_with_rowid": False},
    )

    bucket: int = Field(
        sa_column=Column("bucket", SmallInteger, primary_key=True, autoincrement=False)
    )
    user_id: str = Field(primary_key=True)
    seq: int = Field(sa_column=Column("seq", BigInteger, primary_key=True, autoincrement=False))
    kind: int = Field(sa_type=SmallInteger)
    name: str = ""
    at: int = Field(sa_type=BigInteger)
    depth: int = Field(default=0, sa_type=SmallInteger)
    message_id: str | None = None
    data: str = "{}"


class LinkRow(SQLModel, table=True):
    """An anonymous user ``id`` who turned out to be the user ``user_id``, known since ``at``:
    whatever is told of him belongs to that one from then on.
    """

    __tablename__ = "links"
    __table_args__ = (Index("links_user", "user_id"), {"sqlite_with_rowid": False})

    bucket: int = Field(
        sa_column=Column("bucket", SmallInteger, primary_key=True, autoincrement=False)
    )
    id: str = Field(primary_key=True)
    user_id: str
    at: int = Field(sa_type=BigInteger)
