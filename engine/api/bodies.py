"""Bodies of requests, read whole up to a bound that holds for what is unpacked, too."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from engine.api.asgi import header
from engine.api.problems import Refused

if TYPE_CHECKING:
    from engine.api.asgi import Receive, Scope

GZIP = 16 + zlib.MAX_WBITS
GZIP_NAMES = (b"gzip", b"x-gzip")


class Gone(Exception):
    """Who sent the request hung up: there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body, of ``most`` bytes at most; unpacked, if it came as gzip.

    Raises :class:`Refused`: 413 for one that is larger, as soon as that is known, 415 for another
    encoding, 400 for what isn't gzip. Raises :class:`Gone`.
    """
    announced = header(scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > most:
        raise too_large(most)
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
            raise too_large(most)
        chunks.append(chunk)
        more = message.get("more_body", False)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = header(scope, b"content-encoding")
    if encoding is None or encoding == b"identity":
        return body
    if encoding.lower() not in GZIP_NAMES:
        raise unknown_encoding()
    return _unpacked(body, most)


def _unpacked(body: bytes, most: int) -> bytes:
    """What gzip members hold (RFC 1952): never more than ``most`` bytes are made of them."""
    found = b""
    while body:
        unpacker = zlib.decompressobj(GZIP)
        try:
            found += unpacker.decompress(body, most + 1 - len(found))
        except zlib.error:
            raise not_gzip() from None
        if len(found) > most:
            raise too_large(most)
        if not unpacker.eof:
            raise no_end()
        body = unpacker.unused_data
    return found


def unknown_encoding() -> Refused:
    """What is said to a body that is packed otherwise than with gzip."""
    return Refused(
        415, "request.encoding", "the body's encoding isn't known; send it as it is, or as gzip"
    )


def too_large(most: int) -> Refused:
    """What is said to a body of more than ``most`` bytes."""
    return Refused(413, "request.too_large", f"the body is larger than {most:,} bytes; send less")


def not_gzip() -> Refused:
    """What is said to a body that isn't what its ``Content-Encoding`` says."""
    return Refused(400, "request.gzip", "the body isn't gzip, as it says it is")


def no_end() -> Refused:
    """What is said to a body whose gzip was cut off."""
    return Refused(400, "request.gzip", "the body's gzip has no end")
