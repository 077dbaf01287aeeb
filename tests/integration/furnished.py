"""The console over a database with something of everything, and browsers of its operators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from engine.access import operators, sessions
from engine.access.store.operators import by_name
from engine.clock import wall
from engine.console.app import open_console
from engine.core.guarded_json import text_of
from engine.credentials import profiles
from engine.credentials.kinds.base import AuthKind
from engine.credentials.kinds.registry import read_profile
from engine.credentials.references import Given, References
from engine.operations.edit_endpoint import set_endpoint
from engine.operations.publish import publish, read_text
from tests.integration.serving import NO_TLS, Served, serving

SECRET = "s3cret-of-the-crm-client"
JOURNEY = """\
dsl: 1
journey: greet
title: A warm greeting
entry: {triggers: [{event: hello, where: event.total > 50}]}
steps:
  - {id: score, type: call_api, endpoint: crm, method: POST, path: "/users/{{ user.id }}/score", body: {n: 1}}
  - {id: rest, type: wait, for: P1D}
"""  # noqa: E501
COOKIE = "journey_session"


@dataclass
class Furnished:
    """A console with operators ``ada`` (admin), ``ben`` (builder) and ``vic`` (viewer)."""

    served: Served

    def log_in(self, name: str) -> tuple[str, str]:
        """A new session of an operator, and what its forms carry."""
        with self.served.database.write() as connection:
            operator = by_name(connection, name)
            assert operator is not None
            session = sessions.open_session(connection, operator.id, wall())
        return session, sessions.csrf_token(session)

    def browser(self, name: str | None = None) -> Browser:
        """A browser in which an operator is logged in, or nobody."""
        if name is None:
            return Browser(self.served.url, "", "")
        return Browser(self.served.url, *self.log_in(name))


class Browser:
    """Follows no redirects; posts forms with the CSRF token of its session."""

    def __init__(self, url: str, session: str, csrf: str) -> None:
        cookies = {COOKIE: session} if session else {}
        closing = {"connection": "close"}  # hundreds of them are never closed
        self.http = httpx.Client(
            base_url=url, cookies=cookies, headers=closing, timeout=30, verify=NO_TLS
        )
        self.csrf = csrf

    def get(self, path: str, **headers: str) -> httpx.Response:
        """A page."""
        return self.http.get(path, headers=headers)

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        """What becomes of a form."""
        return self.http.post(path, data={"csrf": self.csrf, **(form or {})}, headers=headers)


@contextmanager
def furnished(folder: Path) -> Iterator[Furnished]:
    """A console over a fresh database with an endpoint, a profile, a journey, and a user."""
    with serving(folder, pages=open_console, egress_allow="127.0.0.0/8") as served:
        _furnish(served)
        yield Furnished(served)


def _furnish(served: Served) -> None:
    now, who = wall(), "ada"
    written = read_profile(
        {
            "kind": "oauth2",
            "token_url": "http://127.0.0.1:9/oauth/token",
            "client_id": "crm-client",
            "client_secret": Given(SECRET),
        }
    )
    assert isinstance(written, AuthKind)
    vault = served.post.vault()
    with served.database.write() as connection:
        for name, role in (("ada", "admin"), ("ben", "builder"), ("vic", "viewer")):
            operators.add(connection, name, role, actor=who, now=now)
        profiles.set_profile(
            connection, vault, References({}, ()), "crm-oauth", written, actor=who, now=now
        )
        fields = {"base_url": "http://127.0.0.1:9/v2", "auth": "crm-oauth"}
        set_endpoint(connection, "crm", fields, actor=who, now=now)
        set_endpoint(
            connection, "ping", {"base_url": "http://127.0.0.1:9/ping"}, actor=who, now=now
        )
        text = read_text("greet.yaml", JOURNEY.encode())
        publish(connection, [text], now=now, actor=who)
    put_user(served, "u_1", {"plan": "free"})


def put_user(served: Served, user: str, attributes: dict[str, object]) -> None:
    """A user as receive would write him down."""
    from engine.core.expressions.assignment import bucket_of

    with served.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (bucket, id, timezone, attributes) VALUES (?, ?, NULL, ?)",
            (bucket_of(user), user, text_of(attributes)),
        )


def put_event(served: Served, user: str, name: str, data: dict[str, object], seq: int) -> None:
    """An event as receive would write it down."""
    from engine.core.expressions.assignment import bucket_of

    with served.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO facts (bucket, user_id, seq, kind, name, at, data, depth)"
            " VALUES (?, ?, ?, 0, ?, ?, ?, 0)",
            (bucket_of(user), user, seq, name, seq, text_of(data)),
        )
