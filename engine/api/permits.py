"""Who may: the API token of a request, and what its kind allows."""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.access.roles import Permission, allows
from engine.api.asgi import header
from engine.api.problems import Refused
from engine.clock import wall
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

    def require(self, scope: Scope, permission: Permission, *, basic: bool = False) -> Grant:
        """Whom the request's token stands for. ``basic``: it may be the user name of Basic
        authentication, as SDKs send a write key.

        Raises Refused: 401 without a token that is good now, 403 for one that may not do this.
        """
        text = _token_of(header(scope, b"authorization"), basic=basic)
        grant = self._tokens.check(text, wall()) if text else None
        if grant is None:
            raise Refused(
                401,
                "access.token",
                "an API token is needed, as `Authorization: Bearer jrn_...`; this one isn't good",
                _CHALLENGE,
            )
        if not allows(grant.kind, permission):
            raise Refused(
                403,
                "access.kind",
                f"a token of kind {grant.kind} may not do this; it takes {permission}",
            )
        return grant

    async def stay_current(self, stopping: Callable[[], Awaitable[object]]) -> None:
        """Look for changes until told to stop, and write down which tokens were used."""
        looks = 0
        waiting = asyncio.ensure_future(stopping())
        while not waiting.done():
            with suppress(DatabaseUnavailable):  # whoever comes with a token meets the reason
                await asyncio.to_thread(self._tokens.look)
                if looks % int(USES_EACH_S / LOOK_EACH_S) == 0:
                    await asyncio.to_thread(self._tokens.write_uses)
            looks += 1
            await asyncio.wait({waiting}, timeout=LOOK_EACH_S)
        with suppress(DatabaseUnavailable):
            await asyncio.to_thread(self._tokens.write_uses)


def _token_of(given: bytes | None, *, basic: bool) -> str:
    """The token in an Authorization header; '' for none."""
    scheme, _, rest = (given or b"").partition(b" ")
    scheme = scheme.lower()
    with suppress(binascii.Error, UnicodeDecodeError):
        if scheme == b"bearer":
            return rest.strip().decode("ascii")
        if basic and scheme == b"basic":
            return b64decode(rest.strip(), validate=True).decode("ascii").partition(":")[0]
    return ""
