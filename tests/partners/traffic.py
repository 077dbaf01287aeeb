"""What a partner gets and what it answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit


class Request:
    """A request as it came in. Kept raw, because load tests record a million of them.

    ``at`` is wall time in microseconds; ``status`` what was answered (0: no answer);
    ``credential`` the password, key or client secret that stands behind an accepted request.
    """

    __slots__ = ("at", "body", "credential", "method", "raw_headers", "raw_target", "status")

    def __init__(
        self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        self.method = method
        self.raw_target = target
        self.raw_headers = headers
        self.body = body
        self.at = time.time_ns() // 1000
        self.status = 0
        self.credential = ""

    @property
    def target(self) -> str:
        """Path and query, as they were on the wire."""
        return self.raw_target.decode("latin-1")

    @property
    def raw_path(self) -> str:
        """The path as it was on the wire."""
        return urlsplit(self.target).path

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        return unquote(self.raw_path)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def headers(self) -> dict[str, str]:
        """The headers, names in lower case; of a repeated one the last."""
        return {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self.raw_headers
        }

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        wanted = name.lower().encode()
        for raw, value in self.raw_headers:
            if raw.lower() == wanted:
                return value.decode("latin-1")
        return None

    def json(self) -> object:
        """The body as JSON, None if it isn't."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def as_record(self) -> dict[str, object]:
        """As the admin endpoint shows it."""
        return {
            "method": self.method,
            "target": self.target,
            "headers": self.headers,
            "body": self.body.decode("utf-8", "replace"),
            "at": self.at,
            "status": self.status,
            "credential": self.credential,
        }


class Reply:
    """What goes back. ``delay`` (seconds) passes first.

    ``pieces``, (pause in seconds, bytes) pairs, take the place of everything else on the wire.
    ``close`` ends the connection afterwards; ``abort`` resets it without an answer.
    """

    __slots__ = ("abort", "body", "close", "delay", "headers", "pieces", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        *,
        delay: float = 0.0,
        pieces: Iterable[tuple[float, bytes]] | None = None,
        close: bool = False,
        abort: bool = False,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.delay = delay
        self.pieces = pieces
        self.close = close
        self.abort = abort

    @classmethod
    def json(cls, status: int, value: object, headers: Sequence[tuple[str, str]] = ()) -> Reply:
        """A JSON answer."""
        return cls(
            status, json.dumps(value).encode(), (("content-type", "application/json"), *headers)
        )

    def on_the_wire(self, *, body: bool = True) -> bytes:
        """The answer's bytes; without the body for HEAD."""
        lines = [f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status >= 200 and self.status not in (204, 304):
            lines.append(f"content-length: {len(self.body)}")
        if self.close:
            lines.append("connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return head + self.body if body else head


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def bodies_by_key(
    log: Iterable[Request], header: str = "Idempotency-Key"
) -> dict[str, list[bytes]]:
    """Per idempotency key the bodies that came with it, in order; requests without a key under ''.

    'Each repeat with its first key and body': every list's elements are equal.
    """
    bodies: dict[str, list[bytes]] = {}
    for request in log:
        bodies.setdefault(request.header(header) or "", []).append(request.body)
    return bodies
