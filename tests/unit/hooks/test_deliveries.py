"""What came to hooks, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.hooks import store
from engine.hooks.deliveries import KEPT, Delivery, add, count_old, forget, of_hook
from tests.contract.people import insert
from tests.databases import database_url

NOW = 1_790_000_000_000_000
pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    yield database
    database.close()


def _event(hook: int, id_: int, message: str = "shop:1", user: str = "ada") -> Delivery:
    return Delivery(hook, False, id_, NOW, 9, "", "", "ordered", message, user, id_)


def _results(connection: Connection, hook: int) -> list[tuple[str, str | None, int | None]]:
    return [(one.result, one.user, one.seq) for one in of_hook(connection, hook)]


def test_strangers_who_send_nonsense_push_out_nothing_that_was_taken(database: Database) -> None:
    with database.write() as connection:
        shop = store.add(connection, "shop", "shopify", "{}", NOW)
        other = store.add(connection, "other", "shopify", "{}", NOW)
        add(connection, [_event(shop, 1), _event(other, 2), _event(other + 1, 3)])
        for first in (10, 10 + KEPT):
            ids = range(first, first + KEPT)
            add(connection, [Delivery(shop, True, n, NOW, 9, "hooks.not_signed") for n in ids])
        kept = [one.delivery.id for one in of_hook(connection, shop)]
        assert kept == [*range(9 + 2 * KEPT, 9 + KEPT, -1), 1]
        assert [one.delivery.id for one in of_hook(connection, shop, before=12 + KEPT)] == [
            11 + KEPT,
            10 + KEPT,
            1,
        ]
        assert of_hook(connection, other + 1) == []  # there is no such hook
        assert (count_old(connection, NOW), count_old(connection, NOW + 1)) == (0, KEPT + 2)
        forget(connection, NOW + 1)
        assert of_hook(connection, shop) == []


def test_a_delivery_is_the_event_that_it_became(database: Database) -> None:
    place = {"bucket": bucket_of("ada"), "user_id": "ada"}
    event = {"kind": 0, "name": "ordered", "at": NOW, "message_id": "shop:1", "data": "{}"}
    with database.write() as connection:
        shop = store.add(connection, "shop", "shopify", "{}", NOW)
        ignored = Delivery(shop, False, 5, NOW, 9)
        add(connection, [_event(shop, 1), _event(shop, 2), ignored])
        insert(connection, "inbox", **place, id=1, **event)
        insert(connection, "inbox", **place, id=2, **event)
        assert _results(connection, shop) == [
            ("ignored", None, None),
            ("repeated", "ada", None),
            ("waits", "ada", None),
        ]
        connection.exec_driver_sql("DELETE FROM inbox")
        assert _results(connection, shop)[1:] == [("forgotten", "ada", None)] * 2
        insert(connection, "facts", **place, seq=NOW + 1, **event, depth=0)
        assert _results(connection, shop)[1:] == [
            ("repeated", "ada", NOW + 1),
            ("event", "ada", NOW + 1),
        ]
        # The first one was pushed out: what was counted long before is a repetition all the same.
        connection.exec_driver_sql("DELETE FROM hook_deliveries WHERE id = 1")
        connection.exec_driver_sql("UPDATE facts SET seq = seq - 100000000")
        assert _results(connection, shop)[1:] == [("repeated", "ada", NOW + 1 - 100_000_000)]


def test_what_an_anonymous_user_did_is_found_at_the_known_one(database: Database) -> None:
    with database.write() as connection:
        shop = store.add(connection, "shop", "shopify", "{}", NOW)
        add(connection, [_event(shop, 1, user="anon:1")])
        linked = {"bucket": bucket_of("anon:1"), "id": "anon:1", "user_id": "ada", "at": NOW}
        insert(connection, "links", **linked)
        event = {"kind": 0, "name": "ordered", "at": NOW, "message_id": "shop:1", "data": "{}"}
        place = {"bucket": bucket_of("ada"), "user_id": "ada"}
        insert(connection, "facts", **place, seq=NOW, **event, depth=0)
        assert _results(connection, shop) == [("event", "ada", NOW)]
