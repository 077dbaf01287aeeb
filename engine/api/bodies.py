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
MOST_MEMBERS = 1_000
"""Gzip members of one body. Each takes as long to begin as kilobytes take to unpack, and an empty
one has 20 bytes: without a bound, a body that costs its sender nothing keeps everybody waiting.
"""

_NOT_ENCODED = (b"", b"identity")
_PIECE = 64 * 1024


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
    return _unpacked(body, most) if is_packed(scope) else body


def is_packed(scope: Scope) -> bool:
    """Whether the body comes as gzip. Raises Refused (415) for another encoding."""
    encoding = header(scope, b"content-encoding")
    if encoding is None or (encoding := encoding.lower()) in _NOT_ENCODED:
        return False
    if encoding not in GZIP_NAMES:
        raise unknown_encoding()
    return True


def _unpacked(body: bytes, most: int) -> bytes:
    """What gzip members hold (RFC 1952): never more than ``most`` bytes are made of them."""
    found: list[bytes] = []
    size, members = 0, 1
    unpacker = zlib.decompressobj(GZIP)
    # By pieces: what follows a member's end is copied.
    for start in range(0, len(body), _PIECE):
        rest = body[start : start + _PIECE]
        while rest:
            if unpacker.eof:
                members += 1
                unpacker = zlib.decompressobj(GZIP)
            if members > MOST_MEMBERS:
                raise too_many_members()
            try:
                found.append(unpacker.decompress(rest, most + 1 - size))
            except zlib.error:
                raise not_gzip() from None
            size += len(found[-1])
            if size > most:
                raise too_large(most)
            rest = unpacker.unused_data
    if body and not unpacker.eof:
        raise no_end()
    return b"".join(found)


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


def too_many_members() -> Refused:
    """What is said to a body in more than :data:`MOST_MEMBERS` pieces of gzip."""
    return Refused(
        413, "request.gzip", f"the body's gzip has more than {MOST_MEMBERS:,} members; send fewer"
    )
