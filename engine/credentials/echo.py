"""What a server sends back of a credential is taken out of its answer, before anybody sees it.

Some servers repeat the request in their error page; from there it would reach step history, users'
attributes and reports. Pure, and cheap where nothing is found: a handful of searches per answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from engine.core.message import Answer
from engine.credentials.credential import Credential
from engine.telemetry.redact import MASK, encodings, recodings

LARGEST_PACKED = 4 * 1024 * 1024
"""So much of a packed body is looked through."""

SHORTEST = 8
"""A shorter secret stands in honest answers by chance, and taking it out would spoil them."""

_PACKED = (b"\x1f\x8b", b"x\x01", b"x\x9c", b"x\xda")
"""How gzip and zlib begin (RFC 1952, 1950)."""

_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}"
    r"|\\x[0-9a-fA-F]{2}|\\[\"'/tnr]|%[0-9a-fA-F]{2}"
    r"|&#0*[0-9]{1,7};|&#[xX]0*[0-9a-fA-F]{1,6};|&(?:quot|apos|amp|lt|gt|nbsp);"
)
"""Characters as JSON, Python, URLs and HTML escape them."""

_COMMON = {'\\"': '"', "\\n": "\n", "\\/": "/", "\\t": "\t", "\\r": "\r", "\\'": "'"}
"""Those of which a large answer may hold very many."""

_ENTITIES = {"&quot;": '"', "&apos;": "'", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&nbsp;": " "}

_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")
_UNRESERVED_HEX = r"(?:2[dDeE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])"
_ESCAPED_UNRESERVED = re.compile(rf"(?:%|\\x|\\u00){_UNRESERVED_HEX}|&#")
"""Where a character is escaped that hardly anybody escapes (RFC 3986, 2.3)."""


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
    marks = _marks(secrets)
    for mark in marks.plain:
        if mark in said:
            return True
    if "\0" in said and any(mark in said for mark in marks.wide):
        return True
    if not (marks.escaped and ("\\" in said or "%" in said or "&" in said)):
        return False
    if marks.unreserved and _ESCAPED_UNRESERVED.search(said) is None:
        return False
    read = said
    for escaped, meant in _COMMON.items():
        read = read.replace(escaped, meant)
    read = _ESCAPE.sub(lambda escape: _meant(escape[0]), read).replace("+", " ")
    return any(mark in read for mark in marks.escaped)


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
    marks = _marks(secrets)
    for mark in marks.escaped:  # first: of an escaped character nothing may be left
        text = _without_escaped(text, mark)
    for mark in (*marks.wide, *marks.plain):
        text = text.replace(mark, MASK)
    return text


def _without_escaped(text: str, mark: str) -> str:
    """``text`` without what is ``mark`` once its escapes are read."""
    read: list[str] = []
    spans: list[tuple[int, int]] = []  # where in the text each character that was read stands
    position = 0
    for escape in _ESCAPE.finditer(text):
        read += text[position : escape.start()]
        spans += ((at, at + 1) for at in range(position, escape.start()))
        meant = _meant(escape[0])
        read += meant
        spans += [escape.span()] * len(meant)
        position = escape.end()
    whole = ("".join(read) + text[position:]).replace("+", " ")
    spans += ((at, at + 1) for at in range(position, len(text)))
    kept, position, found = [], 0, whole.find(mark)
    while found >= 0:
        after = found + len(mark)
        kept += [text[position : spans[found][0]], MASK]
        position = spans[after - 1][1]
        found = whole.find(mark, after)
    return "".join((*kept, text[position:]))


@lru_cache(maxsize=1024)
def _meant(text: str) -> str:
    """The character of an escape; one beyond ASCII in its UTF-8, one a byte."""
    if text[0] == "%" or text[1] == "x":
        return chr(int(text[-2:], 16))
    if text[1] == "u":
        units = bytes.fromhex(text.replace("\\u", ""))
        return _latin(units.decode("utf-16-be", "surrogatepass"))
    if text[1] == "#":
        digits = text[2:-1]
        number = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
        return _latin(chr(number)) if number <= 0x10FFFF else text
    return _COMMON.get(text) or _ENTITIES[text]


def _latin(text: str) -> str:
    """The UTF-8 of ``text``, one character a byte."""
    if text.isascii():
        return text
    try:
        return text.encode(errors="surrogateescape").decode("latin-1")
    except UnicodeEncodeError:  # half of a pair that was escaped
        return text.encode(errors="surrogatepass").decode("latin-1")


@dataclass(frozen=True, slots=True)
class _Marks:
    """What is looked for, the longest first: one may hold another.

    ``wide`` are those with NULs. ``escaped`` are the secrets for texts whose escapes were read, a
    plus sign as a space; ``unreserved``: none of them has a character that is often escaped.
    """

    plain: tuple[str, ...]
    wide: tuple[str, ...]
    escaped: tuple[str, ...]
    unreserved: bool


@lru_cache(maxsize=4096)
def _marks(secrets: tuple[str, ...]) -> _Marks:
    # Made again for each call where more profiles are in use than are kept: it has to be quick.
    long = [secret for secret in secrets if len(secret) >= SHORTEST]
    forms = {_latin(form) for secret in long for form in _forms(secret)}
    wide = {form for form in forms if "\0" in form}
    for way in ("utf-16-le", "utf-16-be"):
        wide |= {secret.encode(way, "surrogatepass").decode("latin-1") for secret in long}
    plain = {form for form in forms - wide if len(form) >= SHORTEST}
    escaped = {_latin(secret).replace("+", " ") for secret in long}
    unreserved = all(_UNRESERVED.fullmatch(secret) for secret in long)
    return _Marks(_longest_first(plain), _longest_first(wide), _longest_first(escaped), unreserved)


def forget_marks() -> None:
    """Keep nothing of the secrets that were looked for; what is needed is made again."""
    _marks.cache_clear()


def _forms(secret: str) -> tuple[str, ...]:
    """Forms besides those that are found by reading escapes."""
    ambiguous = any(each in secret for each in "\\%& ")
    return encodings(secret) if ambiguous else recodings(secret)


def _longest_first(marks: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(marks, key=lambda mark: (-len(mark), mark)))
