"""What event a foreign webhook is."""

from __future__ import annotations

import pytest

from engine.errors import OperatorError
from engine.hooks.mapping import CompiledMapping, Mapped
from engine.hooks.signatures import Delivery

NOW = 1_700_000_000_000_000
BODY = {"type": "invoice.paid", "customer": {"id": 7, "vip": False}, "total": 12.5}
MADE = Delivery("d1", None, NOW - 5)


def test_the_mapping_says_whose_event_it_is_and_what_it_holds() -> None:
    mapped = Mapped(
        "event.customer.id", "paid {{ event_name }}", None, {"sum": "{{ event.total }}"}
    )
    event = CompiledMapping(mapped).event_of("shop", BODY, MADE, NOW)
    assert event is not None
    assert (event.user, event.name, event.at) == ("7", "paid invoice.paid", NOW - 5)
    assert event.properties == {"sum": 12.5}
    assert event.message_id == "shop:d1"


def test_without_more_the_event_is_the_whole_body() -> None:
    event = CompiledMapping(Mapped("event.customer.id")).event_of("shop", BODY, MADE, NOW)
    assert event is not None
    assert (event.name, event.properties) == ("invoice.paid", BODY)


@pytest.mark.parametrize(
    "mapped",
    [
        Mapped("event.customer.id", when="event.customer.vip"),
        Mapped("event.nobody"),
        Mapped("event.customer"),
    ],
)
def test_a_webhook_that_is_no_users_event_is_none(mapped: Mapped) -> None:
    assert CompiledMapping(mapped).event_of("shop", BODY, MADE, NOW) is None


@pytest.mark.parametrize(
    ("mapped", "part"),
    [
        (Mapped("event."), "user"),
        (Mapped("user.id"), "user"),
        (Mapped("event.id", when="secrets.x"), "when"),
        (Mapped("event.id", "{{ env.HOME }}"), "event"),
        (Mapped("event.id", properties={"x": "{{"}), "properties"),
    ],
)
def test_what_cannot_be_used_is_said_when_it_is_set(mapped: Mapped, part: str) -> None:
    with pytest.raises(OperatorError, match=f"^{part}: "):
        CompiledMapping(mapped)
