"""What a server sends back of a credential is taken out of its answer, before anybody sees it.

Some servers repeat the request in their error page; from there it would reach step history, users'
attributes and reports. Pure, and cheap where nothing is found: a handful of searches per answer.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from engine.core.message import Answer
from engine.credentials.credential import Credential
from engine.telemetry.redact import MASK, encodings

LONGEST_ESCAPED = 4096
SHORTEST = 8
"""A shorter secret stands in honest answers by chance, and taking it out would spoil them."""

_ESCAPES = re.compile(r"\\[ux\\/\"']|&[#a-z]|%[0-9A-Fa-f]")
"""How an escaped character begins, in JSON, HTML or a URL."""

_BY_NAME = {
    '"': ('\\"', "&quot;"),
    "\\": ("\\\\",),
    "/": ("\\/",),
    "'": ("\\'", "&apos;"),
    "&": ("&amp;",),
    "<": ("&lt;",),
    ">": ("&gt;",),
    " ": ("+", "&nbsp;"),
    "\t": ("\\t",),
    "\n": ("\\n",),
    "\r": ("\\r",),
}


def without_echo(answer: Answer, credential: Credential) -> Answer:
    """``answer`` with every form of the credential's secrets as ``[redacted]``."""
    headers, body = answer.headers, answer.body
    # One text to search, one character a byte: finding in text is twice as fast as in bytes.
    said = _latin("\n".join(headers.values())) + "\n" + body.decode("latin-1")
    if not _echoes(said, credential.secrets):
        return answer
    return replace(
        answer,
        headers={name: _without(value, credential.secrets) for name, value in headers.items()},
        body=_replaced(body.decode("latin-1"), credential.secrets).encode("latin-1"),
    )


def _echoes(said: str, secrets: tuple[str, ...]) -> bool:
    for mark in _marks(secrets):
        if mark in said:
            return True
    if _ESCAPES.search(said) is None:
        return False
    escaped = _escaped(secrets)
    return escaped is not None and escaped.search(said) is not None


def _without(value: str, secrets: tuple[str, ...]) -> str:
    clean = _replaced(_latin(value), secrets)
    return clean.encode("latin-1").decode(errors="surrogateescape")


def _replaced(text: str, secrets: tuple[str, ...]) -> str:
    for mark in _marks(secrets):
        text = text.replace(mark, MASK)
    escaped = _escaped(secrets)
    return text if escaped is None else escaped.sub(MASK, text)


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
    marks |= {
        secret.encode(way, "surrogatepass").decode("latin-1")
        for secret in secrets
        if len(secret) >= SHORTEST
        for way in ("utf-16-le", "utf-16-be")
    }
    return tuple(sorted(marks, key=lambda mark: (-len(mark), mark)))


@lru_cache(maxsize=1024)
def _escaped(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """The secrets with any of their characters escaped, each in any way: who parses such an answer
    has them as they were.
    """
    long = sorted({each for each in secrets if len(each) >= SHORTEST}, key=len, reverse=True)
    ways = ["".join(map(_any_way, secret)) for secret in long if len(secret) <= LONGEST_ESCAPED]
    return re.compile("|".join(ways)) if ways else None


@lru_cache(maxsize=1024)
def _any_way(character: str) -> str:
    """An expression for one character of a secret, in the UTF-8 that stands as one a byte."""
    number, units = ord(character), character.encode("utf-16-be", "surrogatepass").hex()
    octets = [f"{octet:02x}" for octet in character.encode(errors="surrogatepass")]
    ways = [
        re.escape(_latin(character)),
        *(re.escape(way) for way in _BY_NAME.get(character, ())),
        "".join(rf"(?i:\\u{units[at : at + 4]})" for at in range(0, len(units), 4)),
        "".join(rf"(?i:%{octet})" for octet in octets),
        "".join(rf"(?i:\\x{octet})" for octet in octets),
        rf"(?i:&#(?:0*{number}|x0*{number:x});)",
    ]
    return f"(?:{'|'.join(ways)})"
