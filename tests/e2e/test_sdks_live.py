"""What the SDKs of Segment and RudderStack send, as they are installed, moves journeys: each event
once, whatever happens on its way.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.databases import BOTH_IN_SOAK
from tests.e2e.in_process import InProcess
from tests.e2e.test_up import Up, up
from tests.e2e.unreliable import BEFORE, BEHIND, BUSY, unreliable
from tests.partners import Answers, running

USERS = 40
JOURNEY = """\
dsl: 1
journey: greet
entry: {triggers: [{event: signed_up}]}
steps:
  - {id: greet, type: call_api, endpoint: api, path: "/greet/{{ user.id }}"}
  - {id: buys, type: wait_for, any: [{event: bought}], since: entry, within: P1D}
  - {id: thank, type: call_api, endpoint: api, path: "/thank/{{ user.id }}"}
"""


def _client(sdk: str, token: str, url: str, failed: list[Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if sdk == "segment":
            from segment.analytics.client import Client
        else:
            from rudderstack.analytics.client import Client
    return Client(
        token,
        host=url,
        gzip=True,
        on_error=lambda error, items: failed.append(error),
        max_queue_size=20_000,
        upload_interval=0.1,
    )


def _send(client: Any, who: str, count: int) -> None:
    """So many events in all: everybody is seen, signs up, and buys at the end."""
    client.identify(f"{who}0", {"plan": "pro"})
    for user in range(USERS):
        client.track(f"{who}{user}", "signed_up", {"plan": "free"})
    for number in range(count - 2 * USERS - 1):
        client.track(f"{who}{number % USERS}", "seen", {"n": number})
    for user in range(USERS):
        client.track(f"{who}{user}", "bought", {"total": 12.5})
    client.shutdown()


def port_of(it: Up) -> int:
    """Where a process that serves is reached."""
    it.says("HTTP API: http://")
    found = re.search(r"HTTP API: http://127\.0\.0\.1:(\d+)", "\n".join(it.lines))
    assert found is not None
    return int(found[1])


def _installed(folder: Path, api: str) -> tuple[InProcess, str]:
    """An installation with the journey, and a token for events."""
    here = InProcess(folder)
    here.write("greet.yaml", JOURNEY)
    here.write("setup.yaml", f"endpoints: {{api: {{base_url: {api}}}}}\n")
    assert here.call("journey", "apply", "setup.yaml").code == 0
    assert here.call("journey", "publish", "greet.yaml").code == 0
    made = here.call("journey", "tokens", "create", "shop", "--kind", "user_data")
    token = re.search(r"jrn_user_data_\w+", made.out)
    assert token is not None, made.err
    return here, token[0]


@pytest.mark.usefixtures("either_database")
@BOTH_IN_SOAK
@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.soak)])
def test_each_event_of_both_sdks_counts_once_over_requests_and_answers_that_get_lost(
    tmp_path: Path, count: int
) -> None:
    """Both send ``count`` events each, through a way that loses every third request or answer."""
    with running(Answers()) as api:
        here, token = _installed(tmp_path, api.url)
        with up(here, "up") as it, unreliable(port_of(it)) as way:
            failed: list[Any] = []
            for sdk in ("segment", "rudder"):
                _send(_client(sdk, token, way.url, failed), sdk, count)
            assert not failed
            ended = "SELECT count(*) FROM enrollments WHERE outcome = 'completed'"
            it.until(lambda: here.query(ended) == [(2 * USERS,)])
            it.until(lambda: here.query("SELECT count(*) FROM inbox") == [(0,)])
            facts = here.query("SELECT count(*), count(DISTINCT message_id) FROM facts")
            assert facts == [(2 * count, 2 * count)]
            numbers = "SELECT name, count(*) FROM facts GROUP BY name ORDER BY name"
            assert here.query(numbers) == [
                ("", 2),
                ("bought", 2 * USERS),
                ("seen", 2 * (count - 2 * USERS - 1)),
                ("signed_up", 2 * USERS),
            ]
    assert set(way.faults) == {BEFORE, BUSY, BEHIND}
    everybody = [f"{sdk}{user}" for sdk in ("segment", "rudder") for user in range(USERS)]
    called = Counter(f"/{path}/{user}" for path in ("greet", "thank") for user in everybody)
    assert Counter(request.path for request in api.log) == called
