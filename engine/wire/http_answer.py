"""An answer from its bytes, however they are cut: what it is, or why it is none. No I/O.

The parser is llhttp (Node's), which refuses what smuggles: a length beside chunks, two lengths,
folded lines, bare line ends. What it lets pass and isn't taken stands in ``_problem``.
"""

from __future__ import annotations

from functools import lru_cache

import httptools

MAX_HEAD = 64 * 1024
"""Bytes of an answer's head, interim answers included; also of framing between pieces of a body."""

MAX_FIELDS = 128
"""Header fields of an answer, trailers included."""

NOT_HTTP = "the answer is not HTTP"
BAD_BODY = "the answer's body is not valid HTTP"
HEAD_TOO_LARGE = "the answer's head is too large"
SWITCHED = "the server switched protocols (101)"

_DECISIVE = frozenset({"content-encoding", "transfer-encoding"})
"""Fields that say how to read the body: one that can't be read is no reason to go on without it."""

_TELLING = _DECISIVE | {"connection"}
"""Fields for which a head is looked at more closely."""

_VERSIONS = ("1.1", "1.0")
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_FIRST_BYTE = ord("H")
_HEAD, _BODY, _DONE = range(3)


class Refused(Exception):
    """These bytes are not an answer that is taken; says why, without quoting any of them."""


class AnswerReader:
    """Reads a connection's answers, one after another.

    While an answer is read: ``received`` is its bytes so far; once :attr:`in_body`, ``status`` and
    ``headers`` are there, and ``reusable`` says whether the connection is good for another request
    when this answer is complete.
    """

    __slots__ = (
        "_body",
        "_bodyless",
        "_feed",
        "_limit",
        "_pairs",
        "_parser",
        "_seen",
        "_seen_at",
        "_state",
        "headers",
        "received",
        "reusable",
        "status",
    )

    def __init__(self) -> None:
        self._pairs: list[tuple[bytes, bytes]] = []
        self._renew_parser()
        self.expect(bodyless=False, limit=0)

    def expect(self, *, bodyless: bool, limit: int) -> None:
        """The next answer begins.

        It has no body if it is ``bodyless`` (the request was a HEAD), else at most ``limit`` bytes.
        """
        self._bodyless = bodyless
        self._limit = limit
        self._state = _HEAD
        self._body: bytes | bytearray = b""
        self._seen = -1
        self.received = 0

    @property
    def in_body(self) -> bool:
        """Whether the head is complete."""
        return self._state != _HEAD

    @property
    def body(self) -> bytes:
        """What there is of the body."""
        return bytes(self._body)

    def feed(self, data: bytes) -> bool:
        """Read on; True when the answer is complete. Raises :class:`Refused`."""
        if not self.received and data[0] != _FIRST_BYTE:
            # llhttp also reads RTSP and ICE, and skips empty lines.
            raise Refused(NOT_HTTP)
        self.received += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserUpgrade:
            raise Refused(SWITCHED) from None
        except httptools.HttpParserError as error:
            self._stopped(error)
        if self._state == _DONE:
            return True
        self._check_progress()
        return False

    def end(self) -> bool:
        """The server sends no more; True if that is the end of a complete answer."""
        return self._state == _BODY and not _FRAMING & self.headers.keys()

    def release(self) -> None:
        """Let go of the parser; it and this object hold each other."""
        del self._parser, self._feed

    # --- what the parser says ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; a second one to the same request was never asked for."""
        if self._state == _DONE:
            raise Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header or trailer field. They are counted at the end: until then bytes are."""
        self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """An answer's head, or that of an interim one (1xx), which means nothing to us."""
        status, pairs = self._parser.get_status_code(), self._pairs
        if status < 200:
            self._check_interim(status)
            pairs.clear()
            return
        self.status = status
        self.headers = headers = _read_fields(pairs)
        self.reusable = self._parser.should_keep_alive()
        if not (
            self.reusable
            and self.received <= MAX_HEAD
            and len(pairs) <= MAX_FIELDS
            and _TELLING.isdisjoint(headers)
        ):
            self._check_head(headers)
        length = headers.get("content-length")
        if length is not None and int(length) > self._limit and not self._has_no_body():
            raise Refused(self._too_large())
        pairs.clear()
        self._state = _BODY
        if self._bodyless:
            # llhttp isn't told what was asked, and would wait for the body that HEAD announces.
            self._state = _DONE
            self._renew_parser()

    def on_body(self, data: bytes) -> None:
        """A piece of the body; mostly there is one only."""
        if self._state == _DONE:
            raise Refused
        body = self._body
        if len(body) + len(data) > self._limit:
            raise Refused(self._too_large())
        if not body:
            self._body = data
        elif isinstance(body, bytes):
            self._body = bytearray(body + data)
        else:
            body += data

    def on_message_complete(self) -> None:
        """The end of an answer."""
        if self._state == _BODY:
            self._state = _DONE
            if self._pairs:  # trailers are read and not taken
                self._count_fields()
                self._pairs.clear()

    # --- what is not taken ---------------------------------------------------------------------

    def _stopped(self, error: httptools.HttpParserError) -> None:
        """The parser gave up, or one of the above made it."""
        if self._state == _DONE:
            # What came behind the answer is nobody's; the answer stands.
            self.reusable = False
            return
        if isinstance(error, httptools.HttpParserCallbackError):
            raise error.__context__ or error
        raise Refused(BAD_BODY if self._state == _BODY else NOT_HTTP) from None

    def _check_progress(self) -> None:
        """Heads end, and so do chunk extensions and trailers."""
        if self._state == _HEAD:
            if self.received > MAX_HEAD:
                raise Refused(HEAD_TOO_LARGE)
        elif len(self._body) != self._seen:
            self._seen, self._seen_at = len(self._body), self.received
        elif self.received - self._seen_at > MAX_HEAD:
            raise Refused(BAD_BODY)

    def _count_fields(self) -> None:
        if len(self._pairs) > MAX_FIELDS:
            raise Refused(HEAD_TOO_LARGE)

    def _check_interim(self, status: int) -> None:
        """What isn't an interim answer, though its status is below 200."""
        if status < 100:
            raise Refused(NOT_HTTP)
        if status == 101:
            known = self._parser.get_http_version() in _VERSIONS
            raise Refused(SWITCHED if known else NOT_HTTP)
        self._count_fields()

    def _check_head(self, headers: dict[str, str]) -> None:
        """What the head of a usual answer can't be refused for."""
        self._count_fields()
        if not self._is_http_1(headers):
            raise Refused(NOT_HTTP)
        if self.received > MAX_HEAD and _size(self._pairs) > MAX_HEAD:
            raise Refused(HEAD_TOO_LARGE)
        encoding = headers.get("content-encoding")
        if encoding is not None and encoding.strip().lower() != "identity":
            raise Refused("the answer is compressed, unasked")
        if "transfer-encoding" in headers and not self._is_plainly_chunked():
            raise Refused(BAD_BODY)

    def _is_http_1(self, headers: dict[str, str]) -> bool:
        # Asking costs as much as all else here; other versions are reused only if they ask for it.
        if self.reusable and "connection" not in headers:
            return True
        return self._parser.get_http_version() in _VERSIONS

    def _is_plainly_chunked(self) -> bool:
        """RFC 9112, 6.1: any other coding wasn't asked for, and HTTP/1.0 has none."""
        codings = [value for name, value in self._pairs if name.lower() == b"transfer-encoding"]
        plain = len(codings) == 1 and codings[0].strip().lower() == b"chunked"
        return plain and self._parser.get_http_version() == "1.1"

    def _has_no_body(self) -> bool:
        return self._bodyless or self.status in (204, 304)

    def _too_large(self) -> str:
        return f"the answer is over {self._limit} bytes"

    def _renew_parser(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._feed = self._parser.feed_data


def _read_fields(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header fields by lower-case name; the first of a name stands, one beyond ASCII does not."""
    headers: dict[str, str] = {}
    for raw, value in pairs:
        try:
            headers.setdefault(_name(raw), value.decode("ascii").strip(" \t"))
        except UnicodeDecodeError:
            if _name(raw) in _DECISIVE:
                headers.setdefault(_name(raw), "?")
    return headers


@lru_cache(maxsize=512)
def _name(raw: bytes) -> str:
    return raw.decode("ascii").lower()


def _size(pairs: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in pairs)
