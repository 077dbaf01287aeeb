"""Signatures of foreign webhooks."""

from __future__ import annotations

import pytest

from engine.hooks.signatures import NotSigned, verify
from tests.unit.hooks import signed

NOW = 1_700_000_000
US = 1_000_000
BODY = b'{"type": "invoice.paid", "customer": "ada"}'
MADE = {
    "standard": (signed.standard(BODY, NOW), signed.STANDARD),
    "github": (signed.github(BODY), signed.PLAIN),
    "stripe": (signed.stripe(BODY, NOW), signed.PLAIN),
    "shopify": (signed.shopify(BODY), signed.PLAIN),
}


@pytest.mark.parametrize("preset", MADE)
def test_what_its_sender_signed_is_believed_with_either_secret(preset: str) -> None:
    headers, secret = MADE[preset]
    for secrets in ([secret], ["whsec_" + "A" * 32, secret]):
        assert verify(preset, headers, BODY, secrets, NOW * US).id


@pytest.mark.parametrize("preset", MADE)
def test_anything_else_is_not(preset: str) -> None:
    headers, secret = MADE[preset]
    name = next(each for each in headers if "signature" in each or "hmac" in each)
    worse = [
        (headers, BODY + b" "),
        ({}, BODY),
        ({**headers, name: headers[name][:-4] + "AAAA"}, BODY),
        ({**headers, name: "\xff" * 10}, BODY),
        ({**headers, name: "v1,"}, BODY),
    ]
    for given, body in worse:
        with pytest.raises(NotSigned):
            verify(preset, given, body, [secret], NOW * US)
    with pytest.raises(NotSigned):
        verify(preset, headers, BODY, ["whsec_" + "A" * 32], NOW * US)
    with pytest.raises(NotSigned):
        verify(preset, headers, BODY, [], NOW * US)


@pytest.mark.parametrize("preset", ["standard", "stripe"])
def test_an_old_signature_is_not_believed_any_more(preset: str) -> None:
    headers, secret = MADE[preset]
    for late in (301, -301):
        with pytest.raises(NotSigned, match="five minutes"):
            verify(preset, headers, BODY, [secret], (NOW + late) * US)
    assert verify(preset, headers, BODY, [secret], (NOW + 299) * US).at == NOW * US


@pytest.mark.parametrize("preset", ["github", "shopify"])
def test_what_the_signature_does_not_cover_makes_no_other_delivery(preset: str) -> None:
    headers, secret = MADE[preset]
    again = {**headers, "x-github-delivery": "another", "x-shopify-webhook-id": "another"}
    first, second = (verify(preset, h, BODY, [secret], NOW * US) for h in (headers, again))
    assert first.id == second.id


def test_the_example_of_standard_webhooks_is_believed() -> None:
    """From the libraries' own tests: https://github.com/standard-webhooks/standard-webhooks."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    verify("standard", headers, b'{"test": 2432232314}', [secret], 1_614_265_330 * US)


def test_a_webhook_without_an_id_is_not_taken_for_the_one_before() -> None:
    headers = {**signed.standard(BODY, NOW, own=""), "webhook-id": ""}
    with pytest.raises(NotSigned, match="id is missing"):
        verify("standard", headers, BODY, [signed.STANDARD], NOW * US)
