"""The idempotency keys of calls."""

from __future__ import annotations

import base64
import hashlib


def call_key(installation: str, enrollment: int, step: str, visit: int) -> str:
    """The idempotency key of a call: the same over retries, restarts and redrive, never shared by
    two installations.
    """
    text = f"v1|{installation}|{enrollment}|{step}|{visit}"
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(digest[:20]).decode()  # 20 bytes are the first 32 characters
