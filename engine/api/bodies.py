"""Bodies of requests, read whole up to a bound that holds for what is unpacked, too."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from engine.api.asgi import header
from engine.api.problems import Refused

if TYPE_CHECKING:
    from engine.api.asgi import Receive, Scope

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_NAMES = (b"gzip", b"x-gzip")


class Gone(Exception):
    """Who sent the request hung up: there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body, of ``most`` bytes at most; unpacked, if it came as gzip.

    Raises :class:`Refused`: 413 for one that is larger, as soon as that is known, 415 for another
    encoding, 400 for what isn't gzip. Raises :class:`Gone`.
    """
    announced = header(scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
        more = message.get("more_body", False)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = header(scope, b"content-encoding")
    if encoding is None or encoding == b"identity":
        return body
    if encoding.lower() not in _GZIP_NAMES:
        raise Refused(
            415, "request.encoding", "the body's encoding isn't known; send it as it is, or as gzip"
        )
    return _unpacked(body, most)


def _unpacked(body: bytes, most: int) -> bytes:
    """What gzip members hold (RFC 1952): never more than ``most`` bytes are made of them."""
    found = b""
    while body:
        unpacker = zlib.decompressobj(_GZIP)
        try:
            found += unpacker.decompress(body, most + 1 - len(found))
        except zlib.error:
            raise Refused(400, "request.gzip", "the body isn't gzip, as it says it is") from None
        if len(found) > most:
            raise _too_large(most)
        if not unpacker.eof:
            raise Refused(400, "request.gzip", "the body's gzip has no end")
        body = unpacker.unused_data
    return found


def _too_large(most: int) -> Refused:
    return Refused(413, "request.too_large", f"the body is larger than {most:,} bytes; send less")
