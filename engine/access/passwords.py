"""Operators' passwords: argon2id, with the parameters that RFC 9106 recommends second (64 MiB)."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from engine.errors import OperatorError

SHORTEST, LONGEST = 12, 256
"""Characters."""

_AT_ONCE = BoundedSemaphore(2)
"""Each takes 64 MiB: whoever tries many passwords at once waits in line."""

HASHER = PasswordHasher()


def hashed(password: str) -> str:
    """What is kept of a password. Raises OperatorError for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise OperatorError(
            f"a password has {SHORTEST} to {LONGEST} characters", code="operators.password"
        )
    with _AT_ONCE:
        return HASHER.hash(_normal(password))


def fits(kept: str | None, password: str) -> bool:
    """Whether it is the password of which ``kept`` is kept. Where there is none (None) the answer
    is no, and takes as long.
    """
    against = _nobodys()
    if len(password) > LONGEST:
        return False
    with _AT_ONCE:
        try:
            HASHER.verify(kept if kept is not None else against, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with other parameters than today's."""
    return HASHER.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return HASHER.hash(secrets.token_hex())


def _normal(password: str) -> bytes:
    """As NIST SP 800-63B has it: a letter typed on another keyboard is the same letter."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
