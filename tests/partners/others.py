"""Authorization servers that others wrote, in processes of their own: what they count, and a
resource that wants their tokens.

Each runs by ``python -m MODULE SETTINGS`` (JSON: client, secret, user, password, life), says its
addresses as a line of JSON, and ends when its standard input does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, make_server

from tests.partners.processes import Remote

ROOT = Path(__file__).parents[2]
SERVERS = ("django_toolkit", "authlib_flask")


@dataclass
class Other(Remote):
    """One of them. ``issuer`` names its token server; its resource is ``POST /api/tasks``."""

    url: str
    issuer: str
    token_url: str
    revocation_url: str


@contextmanager
def other(name: str, **settings: object) -> Iterator[Other]:
    """Run the server ``name`` while the block lasts."""
    command = [sys.executable, "-W", "ignore", "-m", f"tests.partners.{name}", json.dumps(settings)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} didn't start")
        try:
            yield Other(**json.loads(line))
        finally:
            process.stdin.close()
            process.wait(10)


@dataclass
class Counting:
    """WSGI around a server: counts its answers by path, grant and status; ``/__counts`` tells."""

    app: Callable[..., Any]
    revoke_all: Callable[[], None]
    counts: Counter[str] = field(default_factory=Counter)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        """One request."""
        path = environ["PATH_INFO"]
        if path == "/__counts":
            return self._said(start, dict(self.counts))
        if path == "/__set":
            self.revoke_all()
            return self._said(start, {})
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = BytesIO(body)
        grant = parse_qs(body.decode()).get("grant_type", [""])[0]

        def counted(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            self.counts[" ".join(filter(None, (path, grant, status[:3])))] += 1
            return start(status, headers, *rest)

        return self.app(environ, counted)

    def _said(self, start: Callable[..., Any], value: object) -> list[bytes]:
        body = json.dumps(value).encode()
        start("200 OK", [("content-type", "application/json"), ("content-length", str(len(body)))])
        return [body]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


def serve(make: Callable[[str], tuple[Counting, dict[str, str]]]) -> None:
    """Serve what ``make`` makes for a URL, until standard input ends."""
    server = make_server("127.0.0.1", 0, lambda *_: [], handler_class=_Quiet)
    url = f"http://127.0.0.1:{server.server_port}"
    app, addresses = make(url)
    server.set_app(app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": url, **addresses}), flush=True)
    sys.stdin.read()
