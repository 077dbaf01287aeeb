"""Asking the token server: one request, or two where a refresh token turns out to be withdrawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.credentials.access_tokens.answer import LARGEST_ANSWER, Grant, Refused, read_answer
from engine.credentials.access_tokens.request import token_request
from engine.wire.transport import Network

if TYPE_CHECKING:
    from engine.core.message import Answer
    from engine.credentials.kinds.oauth2 import OAuth2
    from engine.telemetry.redact import Redactor
    from engine.wire.transport import Transport

DEADLINE_S = 10.0
"""A token request has this time of its own, before the call's."""

_NETWORK = Network(max_response=LARGEST_ANSWER)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it; ``unsent`` counts requests that certainly never reached the server."""

    outcome: Grant | Refused
    unsent: int = 0


async def ask(
    transport: Transport,
    profile: OAuth2,
    values: Mapping[str, str],
    refresh_token: str | None,
    redactor: Redactor,
    fall_back: Callable[[], Awaitable[bool]],
) -> Asked | None:
    """A token or a failure whose text holds no secret.

    A refresh token is tried first. If the server has withdrawn it, ``fall_back`` counts one more
    request and says whether it may still be made; None if not.
    """
    redactor.learn(values.values())
    unsent = 0
    if refresh_token is not None:
        redactor.learn((refresh_token,))
        asked = await _once(transport, profile, values, refresh_token, redactor)
        if not _is_withdrawn(asked.outcome):
            return asked
        unsent = asked.unsent
        if not await fall_back():
            return None
    asked = await _once(transport, profile, values, None, redactor)
    return Asked(asked.outcome, unsent + asked.unsent)


def _is_withdrawn(outcome: Grant | Refused) -> bool:
    """A refused client would be refused again, whatever it shows."""
    return isinstance(outcome, Refused) and outcome.permanent and outcome.error == "invalid_grant"


async def _once(
    transport: Transport,
    profile: OAuth2,
    values: Mapping[str, str],
    refresh_token: str | None,
    redactor: Redactor,
) -> Asked:
    request = token_request(profile, values, refresh_token)
    for name, value in request.headers:
        if name == "authorization":
            redactor.learn((value.partition(" ")[2],))
    answer: Answer = await transport.send(request, DEADLINE_S, network=_NETWORK)
    if answer.stale_connection:
        # The connection had died of idleness before the server read anything: not a request.
        answer = await transport.send(request, DEADLINE_S, network=_NETWORK)
    outcome = read_answer(answer, profile)
    if isinstance(outcome, Grant):
        redactor.learn(filter(None, (outcome.access_token, outcome.refresh_token)))
    else:
        outcome = Refused(
            redactor.redact(outcome.text), outcome.permanent, outcome.error, outcome.retry_after
        )
    unsent = int(answer.failure is not None and not answer.may_have_been_sent)
    return Asked(outcome, unsent)
