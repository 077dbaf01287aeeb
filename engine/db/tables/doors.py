"""What comes in by HTTP besides users' data: foreign webhooks, and requests that may come twice.

Instants are wall time.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, SmallInteger
from sqlmodel import Field, SQLModel


class HookRow(SQLModel, table=True):
    """A source of foreign webhooks, at ``/hooks/<name>``. ``mapping`` (JSON) says what event one
    is. ``sealed`` is its signing secret, of which ``secret_version`` counts the values; the one
    before, if it is still good, stands in ``previous_sealed`` until ``previous_until``.
    """

    __tablename__ = "hooks"
    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    preset: str
    mapping: str
    sealed: str
    secret_version: int
    previous_sealed: str | None = None
    previous_until: int | None = Field(default=None, sa_type=BigInteger)
    changed_at: int = Field(sa_type=BigInteger)


class HookDelivery(SQLModel, table=True):
    """A request that came to the hook ``hook_id``; of each hook the last ones that weren't refused
    are kept, and the last ones that were. ``id`` rises with time. ``code`` and ``detail`` say why
    it was refused; ``size`` are its body's bytes, as far as they were read. The rest is of the
    event that it was mapped to, if any: ``inbox_id`` is the row of the inbox that it became.
    """

    __tablename__ = "hook_deliveries"
    __table_args__ = {"sqlite_with_rowid": False}

    hook_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    refused: bool = Field(primary_key=True)
    id: int = Field(sa_column=Column("id", BigInteger, primary_key=True, autoincrement=False))
    at: int = Field(sa_type=BigInteger)
    size: int
    code: str = ""
    detail: str = ""
    event: str | None = None
    message_id: str | None = None
    bucket: int | None = Field(default=None, sa_type=SmallInteger)
    user_id: str | None = None
    inbox_id: int | None = Field(default=None, sa_type=BigInteger)


class RepeatableRequest(SQLModel, table=True):
    """A request that came with an ``Idempotency-Key``, of the token that made it: ``digest`` of
    what it asked for, and the ``answer`` that it got. Forgotten after a day.
    """

    __tablename__ = "repeatable_requests"
    __table_args__ = (
        Index("repeatable_requests_at", "at"),
        {"sqlite_with_rowid": False},
    )

    token_id: int = Field(
        sa_column=Column("token_id", BigInteger, primary_key=True, autoincrement=False)
    )
    key: str = Field(primary_key=True)
    digest: str
    answer: str
    at: int = Field(sa_type=BigInteger)
