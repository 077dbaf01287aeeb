"""Foreign webhooks come in, once each, by the secret that is good now."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.clock import wall
from engine.credentials.kek import find_kek
from engine.errors import NotFound, OperatorError
from engine.hooks import keeping
from engine.hooks.keeping import HookEdit
from engine.operations import keys
from tests.integration.serving import Served, serving
from tests.unit.hooks import signed

BODY = json.dumps({"type": "paid", "customer": {"id": "ada"}, "total_price": "12.50"}).encode()
OTHER = "another secret of many characters"
pytestmark = pytest.mark.usefixtures("either_database")


def _set(served: Served, name: str = "shop", **edit: Any) -> None:
    vault = served.post.vault()
    given = {"preset": "shopify", "user": "event.customer.id", "secret": signed.PLAIN, **edit}
    with served.database.write() as connection:
        wanted = HookEdit(**given)
        keeping.set_hook(connection, vault, name, wanted, actor="ada", now=wall())


def test_webhooks_become_events_by_hooks_that_may_change_at_any_time(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.client() as client:
        assert client.post("/hooks/shop", content=BODY).status_code == 404
        _set(served)
        answer = client.post("/hooks/shop", content=BODY, headers=signed.shopify(BODY))
        assert (answer.status_code, answer.json()) == (200, {"taken": True}), answer.text
        ((user, _, name, _, message, data),) = served.inbox()
        assert (user, name) == ("ada", "orders/create")
        assert json.loads(str(data)) == json.loads(BODY)
        assert str(message).startswith("shop:")
        answer = client.post("/hooks/shop", content=BODY, headers=signed.shopify(BODY, OTHER))
        assert (answer.status_code, answer.json()["code"]) == (401, "hooks.not_signed")
        _set(served, when="event.total_price == '1'")
        answer = client.post("/hooks/shop", content=BODY, headers=signed.shopify(BODY))
        assert answer.json() == {"taken": False}
        _rotates(served, client)


def _rotates(served: Served, client: httpx.Client) -> None:
    vault = served.post.vault()

    def status(secret: str) -> int:
        headers = signed.shopify(BODY, secret)
        return client.post("/hooks/shop", content=BODY, headers=headers).status_code

    with served.database.write() as connection:
        keeping.rotate(
            connection, vault, "shop", OTHER, overlap_us=3_600_000_000, actor="ada", now=wall()
        )
    assert (status(OTHER), status(signed.PLAIN)) == (200, 200)
    # Both are sealed anew with the others.
    kek = find_kek(served.post.settings)
    assert kek is not None
    done = keys.rotate(served.database, kek, actor="ada", now=wall())
    assert (done.values, done.unreadable) == (2, [])
    assert (status(OTHER), status(signed.PLAIN)) == (200, 200)
    with served.database.write() as connection:
        keeping.rotate(connection, vault, "shop", signed.PLAIN, actor="ada", now=wall())
    assert (status(OTHER), status(signed.PLAIN)) == (401, 200)
    with served.database.write() as connection:
        connection.exec_driver_sql("UPDATE hooks SET sealed = sealed || 'AAAA'")
    done = keys.rotate(served.database, kek, actor="ada", now=wall())
    with served.database.read() as connection:
        assert keys.names_of(connection, done) == ["webhook shop.secret"]
    with served.database.write() as connection:
        keeping.delete(connection, "shop", actor="ada", now=wall())
    assert status(signed.PLAIN) == 404


def test_what_no_hook_can_be_is_refused_and_nothing_secret_is_stored(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        for name, edit in (
            ("Shop!", {}),
            ("shop", {"preset": None}),
            ("shop", {"user": None}),
            ("shop", {"user": "event."}),
            ("shop", {"secret": None}),
            ("shop", {"secret": "short"}),
            ("shop", {"preset": "standard", "secret": "no base64 at all!"}),
        ):
            with pytest.raises(OperatorError):
                _set(served, name, **edit)
        _set(served)
        with pytest.raises(OperatorError, match="secret"):
            _set(served, preset="github", secret=None)
        with served.database.write() as connection, pytest.raises(NotFound):
            keeping.delete(connection, "other", actor="ada", now=wall())
        with served.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT * FROM hooks").fetchall()
            told = connection.exec_driver_sql("SELECT verb, name, fields FROM audit").fetchall()
        assert signed.PLAIN not in repr(rows)
        assert ("create", "shop", "preset, user, secret") in [tuple(row) for row in told]


def test_a_webhook_with_a_time_is_taken_while_it_is_young(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.client() as client:
        _set(served, "pay", preset="standard", secret=signed.STANDARD)
        now = int(time.time())
        for at, status in ((now, 200), (now - 400, 401)):
            headers = signed.standard(BODY, at)
            assert client.post("/hooks/pay", content=BODY, headers=headers).status_code == status


def test_what_came_is_told_and_of_a_body_nothing_but_its_size(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.client("admin") as client:
        _set(served, properties={}, when="event.total_price == '12.50'")
        other = BODY.replace(b"12.50", b"1").replace(b"ada", b"a" * 300)
        nobody = BODY.replace(b"12.50", b"1")
        long_name = BODY.replace(b'"ada"', b'"' + b"secret-of-eve" * 30 + b'"')
        for body, headers in (
            (BODY, signed.shopify(BODY)),
            (BODY, signed.shopify(BODY)),
            (nobody, signed.shopify(nobody)),
            (other, signed.shopify(BODY)),
            (long_name, signed.shopify(long_name)),
        ):
            client.post("/hooks/shop", content=body, headers=headers)
        came: list[dict[str, Any]] = []
        until = time.monotonic() + 30
        while len(came) < 5 and time.monotonic() < until:
            came = client.get("/api/v1/hooks/shop/deliveries").json()["items"]
        told = [(one["result"], one["code"], one["user"], one["event"]) for one in came]
        assert told == [
            ("refused", "users.bad_id", None, None),
            ("refused", "hooks.not_signed", None, None),
            ("ignored", None, None, None),
            ("repeated", None, "ada", "orders/create"),
            ("waits", None, "ada", "orders/create"),
        ]
        assert [one["size"] for one in came] == [len(long_name), len(other), len(nobody)] + [
            len(BODY)
        ] * 2
        assert came[1]["detail"] == "the signature isn't right"
        first = client.get("/api/v1/hooks/shop/deliveries", params={"limit": 2}).json()
        rest = {"cursor": first["next"]}
        then = client.get("/api/v1/hooks/shop/deliveries", params=rest).json()
        assert first["items"] + then["items"] == came
        with served.database.write() as connection:
            rows = connection.exec_driver_sql("SELECT * FROM hook_deliveries").fetchall()
            assert "eve" not in repr(rows)
            assert "12.50" not in repr(rows)
            keeping.delete(connection, "shop", actor="ada", now=wall())
            count = "SELECT count(*) FROM hook_deliveries"
            assert connection.exec_driver_sql(count).scalar() == 0
