"""How foreign webhooks are signed, and what of one can be believed: pure functions.

A preset tells from a request who made it, when, and which one it is. Only what the signature covers
is used for that, and what the request says to be about: whoever has seen one may send it again
under another number, and it counts once all the same.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote_to_bytes

from engine.core import guarded_json
from engine.core.expressions.calendar import MINUTE, SECOND

_FORM = b"payload="
_STRIPE_EVENT = re.compile(r"evt_[A-Za-z0-9_]{1,200}")

TOLERANCE = 5 * MINUTE
"""How far a signed time may be from ours."""


class NotSigned(Exception):
    """The signature isn't there, isn't right, or is too old; the message says which."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that its sender signed. ``id`` is the same each time it is sent; ``kind`` is what
    it says it is about, None where the body tells it (``type``). ``at`` is when it was signed
    (microseconds UTC), None if it doesn't say.
    """

    id: str | None
    kind: str | None
    at: int | None


Headers = Mapping[str, str]
Verify = Callable[[Headers, bytes, Sequence[str], int], Delivery]


def verify(
    preset: str, headers: Headers, body: bytes, secrets: Sequence[str], now: int
) -> Delivery:
    """The delivery, signed with one of ``secrets``. ``headers`` have names in lower case; ``body``
    is as it came. Raises :class:`NotSigned`.
    """
    return PRESETS[preset](headers, body, secrets, now)


def _standard(headers: Headers, body: bytes, secrets: Sequence[str], now: int) -> Delivery:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    own, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not own:  # it tells one webhook from another: all without one would count as one
        raise NotSigned("the webhook's id is missing")
    at = _recent(stamp, now)
    signed = f"{own}.{stamp}.".encode() + body
    given = [
        value
        for each in headers.get("webhook-signature", "").split(" ")
        for version, _, value in [each.partition(",")]
        if version == "v1"
    ]
    right = [b64encode(_digest(standard_key(secret), signed)).decode() for secret in secrets]
    _require_one(given, right)
    return Delivery(own, None, at)


def _github(headers: Headers, body: bytes, secrets: Sequence[str], _now: int) -> Delivery:
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
    given = headers.get("x-hub-signature-256", "").removeprefix("sha256=")
    _require_one([given], [_digest(secret.encode(), body).hex() for secret in secrets])
    kind = headers.get("x-github-event")
    return Delivery(_id_of(body, kind), kind, None)


def _stripe(headers: Headers, body: bytes, secrets: Sequence[str], now: int) -> Delivery:
    # https://docs.stripe.com/webhooks#verify-manually
    parts = [each.partition("=") for each in headers.get("stripe-signature", "").split(",")]
    stamp = next((value for name, _, value in parts if name.strip() == "t"), "")
    at = _recent(stamp, now)
    signed = stamp.encode() + b"." + body
    given = [value for name, _, value in parts if name.strip() == "v1"]
    _require_one(given, [_digest(secret.encode(), signed).hex() for secret in secrets])
    return Delivery(_stripe_event(body) or _id_of(body, None), None, at)


def _shopify(headers: Headers, body: bytes, secrets: Sequence[str], _now: int) -> Delivery:
    # https://shopify.dev/docs/apps/build/webhooks/subscribe/https
    given = headers.get("x-shopify-hmac-sha256", "")
    right = [b64encode(_digest(secret.encode(), body)).decode() for secret in secrets]
    _require_one([given], right)
    kind = headers.get("x-shopify-topic")
    return Delivery(_id_of(body, kind), kind, None)


PRESETS: dict[str, Verify] = {
    "standard": _standard,
    "github": _github,
    "stripe": _stripe,
    "shopify": _shopify,
}


def content_of(preset: str, body: bytes) -> bytes:
    """The JSON in a signed body: GitHub sends it as it is, or as the field ``payload`` of a form.

    The body itself tells which, as the signature doesn't cover the header that would: what somebody
    wrote into signed JSON must never be read as a form.
    """
    if preset != "github" or not body.startswith(_FORM):
        return body
    # https://docs.github.com/webhooks/using-webhooks/creating-webhooks
    written = body.removeprefix(_FORM).partition(b"&")[0]
    return unquote_to_bytes(written.replace(b"+", b" "))


def standard_key(secret: str) -> bytes:
    """The key in a secret of Standard Webhooks: ``whsec_`` and base64. Raises NotSigned."""
    try:
        return b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise NotSigned("the secret is no base64, as 'whsec_...'") from None


def _digest(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, sha256).digest()


def _id_of(body: bytes, kind: str | None) -> str:
    """What is the same each time a webhook is sent, of a body that is all that is signed. An order
    that is created and paid at once is told of twice, by the same body under two kinds: both count.
    """
    about = b"" if kind is None else kind.encode("utf-8", "replace") + b"\n"
    return sha256(about + body).hexdigest()[:32]


def _stripe_event(body: bytes) -> str | None:
    """The event's own id: a counter in the body (``pending_webhooks``) may be another when it is
    sent again.
    """
    # https://docs.stripe.com/webhooks#handle-duplicate-events
    try:
        said = guarded_json.parse(body)
    except guarded_json.NotGuardedJSON:
        return None
    own = said.get("id") if isinstance(said, dict) else None
    return own if isinstance(own, str) and _STRIPE_EVENT.fullmatch(own) else None


def _require_one(given: Sequence[str], right: Sequence[str]) -> None:
    """Raise NotSigned unless one of the signatures that came is one of the right ones."""
    matches = [
        hmac.compare_digest(each.encode("utf-8", "replace"), known.encode())
        for each in given[:16]
        for known in right
    ]
    if not any(matches):
        raise NotSigned("the signature isn't right")


def _recent(stamp: str, now: int) -> int:
    """The instant of a signed time in seconds. Raises NotSigned for one that is far from ours."""
    if not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12:
        raise NotSigned("the time of the signature is missing")
    at = int(stamp) * SECOND
    if abs(now - at) > TOLERANCE:
        raise NotSigned("the signature is more than five minutes from our time")
    return at
