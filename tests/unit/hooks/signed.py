"""Webhooks signed as their senders sign them, by the letter of their documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac

STANDARD = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
PLAIN = "a secret of many characters"


def _hmac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def standard(body: bytes, at: int, *, own: str = "msg_1", secret: str = STANDARD) -> dict[str, str]:
    """Headers of Standard Webhooks; ``at`` is in seconds."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(_hmac(key, f"{own}.{at}.".encode() + body)).decode()
    return {
        "webhook-id": own,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1a,AAAA v1,{signature}",
    }


def github(body: bytes, secret: str = PLAIN) -> dict[str, str]:
    """Headers of GitHub."""
    signature = _hmac(secret.encode(), body).hex()
    return {"x-hub-signature-256": f"sha256={signature}", "x-github-event": "push"}


def stripe(body: bytes, at: int, secret: str = PLAIN) -> dict[str, str]:
    """Headers of Stripe; ``at`` is in seconds."""
    signature = _hmac(secret.encode(), f"{at}.".encode() + body).hex()
    return {"stripe-signature": f"t={at},v0=x,v1={'0' * 64},v1={signature}"}


def shopify(body: bytes, secret: str = PLAIN) -> dict[str, str]:
    """Headers of Shopify."""
    signature = base64.b64encode(_hmac(secret.encode(), body)).decode()
    return {"x-shopify-hmac-sha256": signature, "x-shopify-topic": "orders/create"}
