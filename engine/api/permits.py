"""Who may: the API token of a request, and what its kind allows."""

from __future__ import annotations

import asyncio
import binascii
import math
from base64 import b64decode
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.access.roles import Permission, allows
from engine.access.throttling import OF_TOKENS, Failures, address_key
from engine.api.problems import Refused
from engine.clock import stopwatch, wall
from engine.core.expressions.calendar import SECOND
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.access.tokens import Grant, LiveTokens
    from engine.api.asgi import Scope

LOOK_EACH_S = 0.25
"""How often changes of tokens are looked for, so that no request has to."""
USES_EACH_S = 60.0

_CHALLENGE = (("www-authenticate", 'Bearer realm="journey"'),)


class Permits:
    """Asks for the token of each request, and for what its kind may do."""

    def __init__(self, tokens: LiveTokens) -> None:
        self._tokens = tokens
        self._failures = Failures(OF_TOKENS)
        self._known: dict[bytes, Grant] = {}
        self._known_since = -math.inf

    def require(self, scope: Scope, permission: Permission, *, basic: bool = False) -> Grant:
        """Whom the request's token stands for. ``basic``: it may be the user name of Basic
        authentication, as SDKs send a write key.

        Raises Refused: 401 without a token that is good now (429 where that was tried too often
        from this address), 403 for one that may not do this.
        """
        grant = self.identify(scope, basic=basic)
        if not allows(grant.kind, permission):
            raise Refused(
                403,
                "access.kind",
                f"a token of kind {grant.kind} may not do this; it takes {permission}",
            )
        return grant

    def identify(self, scope: Scope, *, basic: bool = False) -> Grant:
        """Whom the request's token stands for, whatever he may. Raises Refused as :meth:`require`,
        but no 403.
        """
        said = [value for name, value in scope["headers"] if name == b"authorization"]
        given = said[0] if len(said) == 1 else b""  # of two, a proxy may have read the other one
        grant = self._grant(given) if basic or given[:5].lower() != b"basic" else None
        if grant is None:
            raise self._failed(scope, wall())
        return grant

    def _grant(self, given: bytes) -> Grant | None:
        """Whom an Authorization header stands for; remembered for a moment, since thousands a
        second may say the same.
        """
        elapsed = stopwatch()
        if elapsed - self._known_since > LOOK_EACH_S:
            self._known, self._known_since = {}, elapsed
        found = self._known.get(given)
        if found is None or (found.expires_at is not None and found.expires_at <= wall()):
            text = _token_of(given)
            found = self._tokens.check(text, wall()) if text else None
            if found is not None:
                self._known[given] = found
        return found

    def _failed(self, scope: Scope, now: int) -> Refused:
        client = scope.get("client")
        key = address_key(client[0] if client else "")
        wait = self._failures.wait(key, now)
        if wait:
            headers = (("retry-after", str(-(-wait // SECOND))),)
            return Refused(429, "access.too_often", "too many tokens that aren't good", headers)
        self._failures.note(key, now)
        return Refused(
            401,
            "access.token",
            "an API token is needed, as `Authorization: Bearer jrn_...`; this one isn't good",
            _CHALLENGE,
        )

    async def stay_current(self, stopping: Callable[[], Awaitable[object]]) -> None:
        """Look for changes until told to stop, and write down which tokens were used."""
        looks = 0
        waiting = asyncio.ensure_future(stopping())
        while not waiting.done():
            with suppress(DatabaseUnavailable):  # whoever comes with a token meets the reason
                if self._tokens.is_stale():
                    await asyncio.to_thread(self._tokens.look)
                if looks % int(USES_EACH_S / LOOK_EACH_S) == 0:
                    await asyncio.to_thread(self._tokens.write_uses)
            looks += 1
            await asyncio.wait({waiting}, timeout=LOOK_EACH_S)
        with suppress(DatabaseUnavailable):
            await asyncio.to_thread(self._tokens.write_uses)
        self._tokens.close()


def _token_of(given: bytes) -> str:
    """The token in an Authorization header, or Basic's user name; '' for none."""
    scheme, _, rest = given.partition(b" ")
    scheme = scheme.lower()
    with suppress(binascii.Error, UnicodeDecodeError):
        if scheme == b"bearer":
            return rest.strip().decode("ascii")
        if scheme == b"basic":
            return b64decode(rest.strip(), validate=True).decode("ascii").partition(":")[0]
    return ""
