"""What an authorization server and the services that trust it share: the tokens given out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Token:
    """An access token: to whom, by which client secret or password, for what, until when."""

    client: str
    secret: str
    scope: str
    ends: float
    revoked: bool = False


class TokenBook:
    """Opaque access tokens; ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    def issue(self, client: str, secret: str, scope: str, life: float) -> str:
        """A new token, good for ``life`` seconds."""
        text = f"at_{secrets.token_urlsafe(24)}"
        self._tokens[text] = Token(client, secret, scope, self._clock() + life)
        return text

    def find(self, text: str) -> tuple[Token | None, str]:
        """The token and why it isn't good: '', ``unknown``, ``revoked`` or ``expired``."""
        token = self._tokens.get(text)
        if token is None:
            return None, "unknown"
        if token.revoked:
            return token, "revoked"
        return token, "expired" if self._clock() >= token.ends else ""

    def revoke(self, secret: str | None = None) -> None:
        """Revoke the tokens got by that secret, or all."""
        for token in tuple(self._tokens.values()):
            if secret is None or token.secret == secret:
                token.revoked = True
