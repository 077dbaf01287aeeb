"""What a server sends back of a credential is taken out of its answer, before anybody sees it.

Some servers repeat the request in their error page; from there it would reach step history, users'
attributes and reports. Pure, and cheap where nothing is found: a handful of searches per answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from engine.core.message import Answer
from engine.credentials.credential import Credential
from engine.telemetry.redact import MASK, encodings

LARGEST_PACKED = 4 * 1024 * 1024
"""So much of a packed body is looked through."""

LONGEST_ESCAPED = 4096
"""Escapes are looked for in secrets of up to so many characters."""

SHORTEST = 8
"""A shorter secret stands in honest answers by chance, and taking it out would spoil them."""

_PACKED = (b"\x1f\x8b", b"x\x01", b"x\x9c", b"x\xda")
"""How gzip and zlib begin (RFC 1952, 1950)."""

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
    return without_secrets(answer, credential.secrets)


def without_secrets(answer: Answer, secrets: tuple[str, ...]) -> Answer:
    """``answer`` with every form of these secrets as ``[redacted]``."""
    headers, body = answer.headers, answer.body
    # One text to search, one character a byte: finding in text is twice as fast as in bytes.
    said = _latin("\n".join(headers.values())) + "\n" + body.decode("latin-1")
    if not _echoes(said, secrets):
        if body[:2] in _PACKED and _echoes(_unpacked(body), secrets):
            return replace(answer, body=MASK.encode())
        return answer
    return replace(
        answer,
        headers={name: _without(value, secrets) for name, value in headers.items()},
        body=_replaced(body.decode("latin-1"), secrets).encode("latin-1"),
    )


def _echoes(said: str, secrets: tuple[str, ...]) -> bool:
    plain, wide = _marks(secrets)
    for mark in plain:
        if mark in said:
            return True
    if "\0" in said and any(mark in said for mark in wide):
        return True
    if not ("\\" in said or "%" in said or "&" in said):
        return False
    escaped = _escaped(secrets)
    return escaped is not None and escaped.search(said) is not None


def _unpacked(body: bytes) -> str:
    """What a body that was packed for another reason than the way here holds, as far as it goes."""
    import zlib  # noqa: PLC0415 - hardly ever needed

    try:
        return zlib.decompressobj(wbits=47).decompress(body, LARGEST_PACKED).decode("latin-1")
    except zlib.error:
        return ""


def _without(value: str, secrets: tuple[str, ...]) -> str:
    clean = _replaced(_latin(value), secrets)
    return clean.encode("latin-1").decode(errors="surrogateescape")


def _replaced(text: str, secrets: tuple[str, ...]) -> str:
    plain, wide = _marks(secrets)
    for mark in (*wide, *plain):
        text = text.replace(mark, MASK)
    escaped = _escaped(secrets)
    return text if escaped is None else escaped.sub(MASK, text)


def _latin(text: str) -> str:
    """The UTF-8 of ``text``, one character a byte."""
    if text.isascii():
        return text
    try:
        return text.encode(errors="surrogateescape").decode("latin-1")
    except UnicodeEncodeError:  # half of a pair that was escaped
        return text.encode(errors="surrogatepass").decode("latin-1")


@lru_cache(maxsize=1024)
def _marks(secrets: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Forms to look for, those with NULs apart; the longest first: one may hold another. Those
    with characters escaped aren't among them: an expression of their own finds every mix.
    """
    long = [secret for secret in secrets if len(secret) >= SHORTEST]
    forms = {_latin(form) for secret in long for form in encodings(secret)}
    escaped = _escaped(secrets)
    if escaped is not None:
        forms = {form for form in forms if escaped.fullmatch(form) is None}
    forms |= {_latin(secret) for secret in long}
    wide = {form for form in forms if "\0" in form}
    for way in ("utf-16-le", "utf-16-be"):
        wide |= {secret.encode(way, "surrogatepass").decode("latin-1") for secret in long}
    plain = {form for form in forms - wide if len(form) >= SHORTEST}
    return _longest_first(plain), _longest_first(wide)


def _longest_first(marks: Iterable[str]) -> tuple[str, ...]:
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
