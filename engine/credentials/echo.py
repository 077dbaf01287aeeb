"""What a server sends back of a credential is taken out of its answer, before anybody sees it.

Some servers repeat the request in their error page; from there it would reach step history, users'
attributes and reports. Pure, and cheap where nothing is found: a handful of searches per answer.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from engine.core.message import Answer
from engine.credentials.credential import Credential
from engine.telemetry.redact import MASK, encodings

SHORTEST = 8
"""A shorter secret stands in honest answers by chance, and taking it out would spoil them."""


def without_echo(answer: Answer, credential: Credential) -> Answer:
    """``answer`` with every form of the credential's secrets as ``[redacted]``."""
    marks = _marks(credential.secrets)
    headers, body = answer.headers, answer.body
    # One text to search, one character a byte: finding in text is twice as fast as in bytes.
    said = _latin("\n".join(headers.values())) + "\n" + body.decode("latin-1")
    for mark in marks:
        if mark in said:
            break
    else:
        return answer
    return replace(
        answer,
        headers={name: _without(value, marks) for name, value in headers.items()},
        body=_replaced(body.decode("latin-1"), marks).encode("latin-1"),
    )


def _without(value: str, marks: tuple[str, ...]) -> str:
    return _replaced(_latin(value), marks).encode("latin-1").decode(errors="surrogateescape")


def _replaced(text: str, marks: tuple[str, ...]) -> str:
    for mark in marks:
        text = text.replace(mark, MASK)
    return text


def _latin(text: str) -> str:
    """The UTF-8 of ``text``, one character a byte."""
    return text if text.isascii() else text.encode(errors="surrogateescape").decode("latin-1")


@lru_cache(maxsize=1024)
def _marks(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Every form to look for, the longest first: one may hold another."""
    marks = {
        _latin(form)
        for secret in secrets
        if len(secret) >= SHORTEST
        for form in encodings(secret)
        if len(form) >= SHORTEST
    }
    return tuple(sorted(marks, key=lambda mark: (-len(mark), mark)))
