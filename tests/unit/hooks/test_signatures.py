"""Signatures of foreign webhooks."""

from __future__ import annotations

import pytest

from engine.hooks.signatures import NotSigned, content_of, verify
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


@pytest.mark.parametrize(
    ("preset", "name"), [("github", "x-github-event"), ("shopify", "x-shopify-topic")]
)
def test_one_body_under_two_kinds_is_two_deliveries(preset: str, name: str) -> None:
    headers, secret = MADE[preset]
    paid = {**headers, name: "orders/paid"}
    first, second = (verify(preset, h, BODY, [secret], NOW * US) for h in (headers, paid))
    assert first.id != second.id


def test_an_event_of_stripe_is_known_by_its_own_id() -> None:
    def id_of(body: bytes) -> str | None:
        return verify("stripe", signed.stripe(body, NOW), body, [signed.PLAIN], NOW * US).id

    assert id_of(b'{"id": "evt_1a", "pending_webhooks": 2}') == "evt_1a"
    assert id_of(b'{"id": "evt_1a", "pending_webhooks": 1}') == "evt_1a"
    others = [
        b'{"id": 7}',
        b'{"id": "evt_\\n"}',
        b"[]",
        b"no JSON",
        b'{"id": "evt_1", "id": "evt_2"}',
    ]
    assert len({id_of(body) for body in others}) == len(others)


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


@pytest.mark.parametrize(
    ("preset", "body", "content"),
    [
        ("github", b"payload=%7B%22a%22%3A+%22x%2By%26%22%7D", b'{"a": "x+y&"}'),
        ("github", b"payload=%7B%7D&payload=%7B%22a%22%3A1%7D", b"{}"),
        ("github", b'{"title": "&payload=%7B%7D"}', b'{"title": "&payload=%7B%7D"}'),
        ("github", b"a=1&payload=%7B%7D", b"a=1&payload=%7B%7D"),
        ("shopify", b"payload=%7B%7D", b"payload=%7B%7D"),
    ],
)
def test_the_body_itself_says_whether_it_is_a_form(
    preset: str, body: bytes, content: bytes
) -> None:
    assert content_of(preset, body) == content
