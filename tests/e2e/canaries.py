"""Secrets with known marks, and a search for them on every surface, in every encoding.

Written apart from the engine's own redaction: what that forgets must be found here.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms(secret: str) -> set[bytes]:
    """Every way in which ``secret`` may stand in a file."""
    plain = secret.encode()
    percent = quote(secret, safe="")
    found = {
        *(plain, secret.encode("utf-16-le"), secret.encode("utf-16-be")),
        *(percent.encode(), percent.lower().encode(), quote_plus(secret).encode()),
        *(json.dumps(secret)[1:-1].encode(), repr(secret)[1:-1].encode()),
        *(plain.hex().encode(), plain.hex().upper().encode(), plain.hex(" ").encode()),
        repr(plain)[2:-1].encode(),
        *(escape(secret).encode(), json.dumps(secret)[1:-1].replace("/", "\\/").encode()),
        "".join(f"\\u{ord(each):04x}" for each in secret).encode(),
        "".join(f"\\u{ord(each):04X}" for each in secret).encode(),
        "".join(f"&#{ord(each)};" for each in secret).encode(),
        "".join(f"&#x{ord(each):x};" for each in secret).encode(),
        "".join(f"%{octet:02x}" for octet in plain).encode(),
        *(secret.swapcase().encode(), secret.upper().encode(), secret.lower().encode()),
    }
    for inner in (plain, quote_plus(secret).encode()):
        for before in range(3):
            for encode in (b64encode, urlsafe_b64encode):
                # Characters that hold bits of a neighbour are no mark of this secret.
                text = encode(b"\0" * before + inner).rstrip(b"=")
                whole = (before + len(inner)) * 8 // 6
                found.add(text[(before * 8 + 5) // 6 : whole])
    return found


def leaks(secrets: Iterable[str], surfaces: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """Which secret stands on which surface, and how; nothing where nothing leaks."""
    marks = [(secret, form) for secret in secrets for form in forms(secret)]
    for where, content in surfaces:
        for secret, form in marks:
            at = content.find(form)
            if at >= 0:
                yield f"{secret!r} in {where} at {at}: {content[max(0, at - 60) : at + 60]!r}"


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder, but the key that seals secrets."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "kek":
            with suppress(FileNotFoundError):  # a write-ahead log goes with the last connection
                yield str(path.relative_to(folder)), path.read_bytes()


def command_lines() -> Iterator[tuple[str, bytes]]:
    """What everybody on this machine sees of running processes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield str(path), path.read_bytes()
        except OSError:
            continue
