"""From outside: an event over HTTP with an API token, and the console to look at all of it."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from scripts.demo_claims import Claim
from scripts.demo_workshop import DemoError, Workshop
from tests.partners import Remote

T = TypeVar("T")

PATIENCE_S = 30
READER = "ada"
JOURNEY = """\
dsl: 1
journey: cart
title: A cart was left
entry:
  inputs: {cart_id: text, total: number}
  triggers: [{event: cart_updated, where: event.total >= 50}]
  key: inputs.cart_id
goals:
  - {name: purchased, event: order_placed, where: event.cart_id == inputs.cart_id, within: P14D}
steps:
  - id: coupon
    type: call_api
    endpoint: loyalty
    path: /coupons
    body: {user: "{{ user.id }}", value: 10, currency: EUR}
    outputs: {vars.code: response.body.code}
  - id: remind
    type: call_api
    endpoint: messenger
    path: /messages
    body: {to: "{{ user.id }}", template: cart, code: "{{ vars.code | default(none) }}"}
  - {id: answer, type: wait_for, any: [{event: mail_clicked, next: done}], within: P2D}
  - {id: done, type: exit, outcome: reminded}
"""


@dataclass(frozen=True)
class Doors:
    """``journey up`` under way: where it is reached, and the link that lets one into its console,
    once; with an API token that may send events."""

    process: subprocess.Popen[str]
    url: str
    login_link: str
    token: str


@contextmanager
def doors(workshop: Workshop) -> Iterator[Doors]:
    """Publish a journey, make a token, and run ``journey up`` on a free port while the block lasts.
    Raises DemoError.
    """
    (workshop.folder / "journeys" / "cart.yaml").write_text(JOURNEY, encoding="utf-8")
    workshop.run("journey", "publish", "journeys/cart.yaml")
    made = workshop.run("journey", "tokens", "create", "shop", "--kind", "user_data")
    workshop.environment["JOURNEY_PORT"] = "0"
    with workshop.running("journey", "up", name="up") as process:
        said = workshop.folder / "up.err"

        def told() -> re.Match[str] | None:
            if process.poll() is not None:
                raise DemoError(f"journey up ended: {said.read_text(encoding='utf-8')}")
            text = said.read_text(encoding="utf-8")
            return re.search(r"console: (\S+/login/\S+) \(.*HTTP API: (\S+)\n", text, re.DOTALL)

        found = _awaited(told, "journey up doesn't say where it is")
        workshop.screen.output(f"HTTP API and console: {found[2]}")
        yield Doors(process, found[2], found[1], made.split()[0])


def knock(workshop: Workshop, partners: Mapping[str, Remote], open_doors: Doors) -> Iterator[Claim]:
    """Send one event over HTTP, and hold what it set going against the partners' counts."""
    screen = workshop.screen
    token = open_doors.token
    event = {
        "userId": READER,
        "event": "cart_updated",
        "messageId": "m1",
        "properties": {"cart_id": "c1", "total": 80},
    }
    before = _given(partners)
    screen.command("curl", f"{open_doors.url}/v1/track", "-u", f"{token}:", "-d", json.dumps(event))
    began = time.monotonic()
    status, answer = _post(open_doors.url, token, event)
    screen.output(answer)
    answered = time.monotonic()
    if status != 200:
        raise DemoError(f"the event was answered {status}")

    def given() -> list[int] | None:
        counts = [now - then for now, then in zip(_given(partners), before, strict=True)]
        return counts if all(counts) else None

    _awaited(given, "the event set nothing going")
    reached = time.monotonic()
    screen.note("The same once more, as a sender does who got no answer, and with a wrong token.")
    again, _ = _post(open_doors.url, token, event)
    refused, _ = _post(open_doors.url, _mistyped(token), {**event, "messageId": "m2"})
    why = workshop.run("journey", "why", READER, "cart")
    coupons, messages = given() or [0, 0]
    yield Claim(
        again == 200 and coupons == messages == 1 and "waits" in why,
        f"sent twice, durable after {1000 * (answered - began):.0f} ms: {READER} entered once;"
        f" {coupons} coupon given and {messages} message sent there,"
        f" {1000 * (reached - began):.0f} ms after the event, and she waits for a click",
    )
    yield Claim(refused == 401, f"a token with one letter wrong is answered {refused}")


def show(workshop: Workshop, open_doors: Doors) -> None:
    """Say how to get into the console, and stay until Ctrl-C, or until ``journey up`` ends."""
    screen = workshop.screen
    try:
        screen.note("The console, with all of it. This link logs you in, once, within the hour:")
        screen.line(open_doors.login_link)
        screen.note("Ctrl-C ends the demo.")
        open_doors.process.wait()
    except KeyboardInterrupt:
        return
    raise DemoError(f"journey up ended with exit code {open_doors.process.returncode}")


def _given(partners: Mapping[str, Remote]) -> list[int]:
    counted = {"loyalty": "coupons", "messenger": "messages"}
    return [partners[name].counts.get(what, 0) for name, what in counted.items()]


def _post(url: str, token: str, event: Mapping[str, object]) -> tuple[int, str]:
    """Status and body of the answer to ``POST /v1/track``, with the token as SDKs send it."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE_S)
    key = b64encode(f"{token}:".encode()).decode()
    try:
        connection.request(
            "POST", "/v1/track", json.dumps(event), {"Authorization": f"Basic {key}"}
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _mistyped(token: str) -> str:
    return token[:-1] + secrets.choice("abcdef".replace(token[-1], ""))


def _awaited(look: Callable[[], T | None], otherwise: str) -> T:
    """What ``look`` finds in the end. Raises DemoError if it doesn't."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if (found := look()) is not None:
            return found
        time.sleep(0.01)
    raise DemoError(f"{otherwise} within {PATIENCE_S} seconds")
