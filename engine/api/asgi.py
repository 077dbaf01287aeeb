"""The types of ASGI, and the few things that every raw route does with a request.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Headers = list[tuple[bytes, bytes]]
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json"


def header(scope: Scope, name: bytes) -> bytes | None:
    """The value of a header (its name in lower case), the first where there are several."""
    for given, value in scope["headers"]:
        if given == name:
            found: bytes = value
            return found
    return None


def answer_of(body: bytes, content_type: bytes = JSON, status: int = 200) -> tuple[Message, ...]:
    """An answer as the messages that send it."""
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


async def send_answer(
    send: Send, body: bytes, content_type: bytes = JSON, status: int = 200
) -> None:
    """Answer with ``body``."""
    for message in answer_of(body, content_type, status):
        await send(message)
