"""Auth profiles, their sealed secrets, their access tokens, and the key ring.

Nothing here holds a plain secret: values are sealed (``engine/credentials/vault.py``) before the
store sees them, fingerprints are keyed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel


class AuthProfile(SQLModel, table=True):
    """How to authenticate against one service. ``version`` rises with every change of the profile
    or of one of its secrets. ``settings`` (JSON) are its fields that are no secrets, and
    references; ``origins`` (JSON list) are where its credential may be sent. An ``inline`` profile
    belongs to the endpoint whose name it has.
    """

    __tablename__ = "auth_profiles"
    __table_args__ = {"sqlite_autoincrement": True}  # ids are cache keys: never used twice

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    title: str = ""
    kind: str
    settings: str
    origins: str = "[]"
    version: int = 1
    inline: bool = False
    changed_at: int = Field(sa_type=BigInteger)


class AuthSecret(SQLModel, table=True):
    """One sealed value of one field, in a slot: current, previous or next. ``fingerprint`` is
    keyed; ``hint`` is the last four characters of what is no password; of a client certificate its
    end. ``valid_from`` is when a next value becomes current, ``valid_until`` when a previous one is
    tried no more (of a next value: the one that it will take the place of).
    """

    __tablename__ = "auth_secrets"
    __table_args__ = (
        UniqueConstraint("profile_id", "field", "slot"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    profile_id: int = Field(foreign_key="auth_profiles.id", ondelete="CASCADE")
    field: str
    slot: str = "current"
    version: int = 1
    sealed: str
    fingerprint: str
    hint: str = ""
    valid_until: int | None = Field(default=None, sa_type=BigInteger)
    set_at: int = Field(sa_type=BigInteger)
    valid_from: int | None = Field(default=None, sa_type=BigInteger)


class SecretFingerprint(SQLModel, table=True):
    """A keyed fingerprint of a value that a field has held: an old file never undoes a rotation."""

    __tablename__ = "secret_fingerprints"
    __table_args__ = {"sqlite_with_rowid": False}

    profile_id: int = Field(primary_key=True, foreign_key="auth_profiles.id", ondelete="CASCADE")
    field: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)
    first_held_at: int = Field(sa_type=BigInteger)


class TokenState(SQLModel, table=True):
    """The shared access token of one OAuth profile: life, back-off, lease and fence.

    ``requests`` counts every request to the token server. ``failed_with`` is the keyed fingerprint
    of the secrets that the last failure was met with. ``sealed_fence`` is the fence under which
    token and refresh token were sealed, ``secret_version`` the version of the secret that the token
    was got with: an earlier one than the profile's where the previous secret was needed.
    ``failed_at`` is when the failure was that set ``next_try_at``. Lease instants are the
    database's clock, all others journey time.
    """

    __tablename__ = "token_states"

    profile_id: int = Field(primary_key=True, foreign_key="auth_profiles.id", ondelete="CASCADE")
    profile_version: int = 0
    fence: int = 0
    lease_owner: str | None = None
    lease_until: int = Field(default=0, sa_type=BigInteger)
    sealed_token: str | None = None
    sealed_refresh: str | None = None
    sealed_fence: int = 0
    fingerprint: str | None = None
    soft_expiry: int = Field(default=0, sa_type=BigInteger)
    hard_expiry: int = Field(default=0, sa_type=BigInteger)
    failures: int = 0
    failure: str | None = None
    failure_text: str | None = None
    failed_with: str | None = None
    next_try_at: int = Field(default=0, sa_type=BigInteger)
    forced_count: int = 0
    next_forced_at: int = Field(default=0, sa_type=BigInteger)
    requests: int = 0
    secret_version: int | None = None
    failed_at: int | None = Field(default=None, sa_type=BigInteger)


class DataKey(SQLModel, table=True):
    """A data key wrapped by the key-encryption key. ``state`` is pending, active, decrypt_only or
    retired.
    """

    __tablename__ = "data_keys"

    id: str = Field(primary_key=True)
    state: str
    wrapped: str
    made_at: int = Field(sa_type=BigInteger)
