"""A server that does everything wrong; the path says what."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from tests.partners.partner import Partner
from tests.partners.traffic import Reply, Request

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


class Faulty(Partner):
    """The last two parts of the path choose the fault:

    ``/status/NNN``; ``/slow/SECONDS`` (then 200); ``/drip/SECONDS`` (a byte each 50 ms for so
    long, no end before); ``/stall/BYTES`` (so many of the announced 1,000 bytes, then silence);
    ``/huge/BYTES``; ``/endless/0`` (chunks, for ever); ``/garbage/0`` (not HTTP);
    ``/badjson/0``; ``/nojson/0`` (HTML called JSON); ``/deep/LEVELS``; ``/redirect/NNN`` (to
    ``/status/200`` here); ``/close/0`` (after reading, no answer); ``/reset/0``;
    ``/half/0`` (closes in the middle of the body); ``/header/BYTES`` (one header so long);
    ``/headers/N`` (so many); ``/informational/N`` (so many 103 first); ``/html/0`` (and says so);
    ``/nan/0``; ``/twice/0`` (a key that stands twice); ``/gzip/MEBIBYTES`` (a bomb, in JSON).
    Anything else is answered 200 ``{}``.
    """

    def answer(self, request: Request) -> Reply:
        parts = request.path.rstrip("/").rsplit("/", 2)
        fault = _FAULTS.get(parts[-2]) if len(parts) > 1 else None
        return Reply.json(200, {}) if fault is None else fault(parts[-1], self)


def _status(how: str, partner: Faulty) -> Reply:
    return partner.failing(int(how))


def _slow(how: str, _: Faulty) -> Reply:
    reply = Reply.json(200, {})
    reply.delay = float(how)
    return reply


def _drip(how: str, _: Faulty) -> Reply:
    count = int(float(how) / 0.05)
    head = HEAD + b"content-length: %d\r\n\r\n" % (count + 2)
    body = [(0.05, b" ")] * count
    return Reply(pieces=[(0.0, head), *body, (0.0, b"{}")])


def _stall(how: str, _: Faulty) -> Reply:
    sent = HEAD + b"content-length: 1000\r\n\r\n" + b" " * int(how)
    return Reply(pieces=[(0.0, sent), (3600.0, b"")])


def _huge(how: str, _: Faulty) -> Reply:
    return Reply(200, b'"' + b"x" * (int(how) - 2) + b'"', (("content-type", "application/json"),))


def _endless(_: str, __: Faulty) -> Reply:
    def pieces() -> Iterator[tuple[float, bytes]]:
        yield 0.0, HEAD + b"transfer-encoding: chunked\r\n\r\n"
        while True:
            yield 0.001, b"4000\r\n" + b"x" * 0x4000 + b"\r\n"

    return Reply(pieces=pieces())


def _garbage(_: str, __: Faulty) -> Reply:
    return Reply(pieces=[(0.0, b"\x16\x03\x01 220 mail.example.com ESMTP\r\n\r\n")], close=True)


def _redirect(how: str, partner: Faulty) -> Reply:
    return Reply(int(how), b"", (("location", f"{partner.url}/status/200"),))


def _close(_: str, __: Faulty) -> Reply:
    return Reply(pieces=[], close=True)


def _reset(_: str, __: Faulty) -> Reply:
    return Reply(abort=True)


def _half(_: str, __: Faulty) -> Reply:
    return Reply(pieces=[(0.0, HEAD + b'content-length: 100\r\n\r\n{"half":')], close=True)


def _header(how: str, _: Faulty) -> Reply:
    return Reply(200, b"{}", (("x-long", "x" * int(how)),))


def _headers(how: str, _: Faulty) -> Reply:
    return Reply(200, b"{}", [(f"x-{n}", "x") for n in range(int(how))])


def _html(_: str, __: Faulty) -> Reply:
    return Reply(200, b"<html>It works!</html>", (("content-type", "text/html"),))


def _gzip(how: str, _: Faulty) -> Reply:
    packed = zlib.compressobj(wbits=31)
    head = packed.compress(b'"') + packed.flush(zlib.Z_FULL_FLUSH)
    mebibyte = packed.compress(b" " * 2**20) + packed.flush(zlib.Z_FULL_FLUSH)
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    return Reply(200, head + mebibyte * int(how), headers)


def _informational(how: str, _: Faulty) -> Reply:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * int(how)
    return Reply(pieces=[(0.0, hints), (0.0, HEAD + b"content-length: 2\r\n\r\n{}")])


def _text(body: Callable[[int], bytes]) -> Callable[[str, Faulty], Reply]:
    def reply(how: str, _: Faulty) -> Reply:
        return Reply(200, body(int(how)), (("content-type", "application/json"),))

    return reply


_FAULTS: dict[str, Callable[[str, Faulty], Reply]] = {
    "status": _status,
    "slow": _slow,
    "drip": _drip,
    "stall": _stall,
    "huge": _huge,
    "endless": _endless,
    "garbage": _garbage,
    "badjson": _text(lambda _: b'{"a": 1, "a": NaN'),
    "nojson": _text(lambda _: b"<html>It works!</html>"),
    "deep": _text(lambda levels: b"[" * levels + b"]" * levels),
    "redirect": _redirect,
    "close": _close,
    "reset": _reset,
    "half": _half,
    "header": _header,
    "headers": _headers,
    "html": _html,
    "nan": _text(lambda _: b'{"a": NaN}'),
    "twice": _text(lambda _: b'{"a": 1, "a": 2}'),
    "gzip": _gzip,
    "informational": _informational,
}
