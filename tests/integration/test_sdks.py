"""The SDKs of Segment and RudderStack, as they are installed, send events: each arrives once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.serving import Served, serving

EVENTS = 1_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


def _segment(served: Served, failed: list[Any]) -> Any:
    from segment.analytics.client import Client

    return Client(
        served.tokens["user_data"],
        host=served.url,
        gzip=True,
        on_error=lambda error, items: failed.append(error),
        max_queue_size=EVENTS * 2,
    )


def _rudder(served: Served, failed: list[Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rudderstack.analytics.client import Client

        return Client(
            served.tokens["user_data"],
            host=served.url,
            gzip=True,
            on_error=lambda error, items: failed.append(error),
            max_queue_size=EVENTS * 2,
        )


@pytest.mark.parametrize("sdk", ["segment", "rudderstack"])
def test_each_event_of_an_sdk_arrives_once(served: Served, sdk: str) -> None:
    with served.client("user_data"), served.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM inbox")
    failed: list[Any] = []
    client = (_segment if sdk == "segment" else _rudder)(served, failed)
    for n in range(EVENTS):
        client.track(f"u{n % 7}", "bought", {"n": n})
    client.identify("u1", {"plan": "pro"})
    client.page("u1", "shop", "Home", {"url": "/"})
    client.shutdown()
    assert not failed
    rows = served.inbox()
    assert len(rows) == EVENTS + 2
    assert len({row[4] for row in rows}) == EVENTS + 2
    assert {row[2] for row in rows} == {"bought", "", "page"}


def test_an_sdk_is_told_that_its_key_is_wrong_and_does_not_go_on_trying(
    served: Served, tmp_path: Path
) -> None:
    failed: list[Any] = []
    served.client("user_data")
    right, served.tokens["user_data"] = served.tokens["user_data"], "jrn_user_data_wrong"
    try:
        client = _segment(served, failed)
    finally:
        served.tokens["user_data"] = right
    client.track("ada", "bought", {})
    client.shutdown()
    assert [error.status for error in failed] == [401]
    assert "token" in failed[0].message
