"""An endpoint that moves takes its credential along: who moves it shows that he knows the secret.

Otherwise anybody who may change an endpoint could point a stored secret at a server of his own.
Giving an endpoint another profile isn't moving it: that is for an admin to do, by the profile's
name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.credentials.attach import origin_text
from engine.credentials.changes import require_settled, unknown_secrets
from engine.credentials.loaded import profile_of
from engine.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.credentials.store.profiles import StoredProfile
    from engine.endpoints.model import Endpoint


@dataclass(slots=True, frozen=True)
class Move:
    """``what`` of the endpoint moves, with the auth profile ``profile`` and its sealed ``secrets``,
    by name.
    """

    endpoint: str
    what: str
    profile: StoredProfile
    secrets: tuple[str, ...]


def move_of(before: Endpoint, after: Endpoint, profile: StoredProfile) -> Move | None:
    """How ``after`` takes the credential of ``profile`` to where it wasn't sent before: to another
    host, or to whom other certificates vouch for. None where it stays or changes its profile.
    """
    if after.profile is None or before.auth != after.auth:
        return None
    if origin_text(after.base_url) not in profile.columns.origins:
        what = "base_url"
    elif before.network.ca != after.network.ca:
        what = "network.ca"
    else:
        return None
    secrets = unknown_secrets(profile, profile_of(profile), ())
    return Move(after.name, what, profile, secrets)


def require_known(move: Move, known: Collection[str], now: int) -> None:
    """Raise OperatorError unless the values of all its secrets are ``known`` to who moves it, and
    where other values than the current ones would go along. ``now`` is wall time.
    """
    name = move.profile.columns.name
    missing = [each for each in move.secrets if each not in known]
    if missing:
        raise OperatorError(
            f"endpoint {move.endpoint}: changing {move.what} demands {', '.join(missing)} of auth"
            f" profile {name} again: give the present value along with the change, or take"
            " the profile away with auth none",
            code="auth.secret_again",
        )
    if move.secrets:
        require_settled(move.profile, move.what, now)
