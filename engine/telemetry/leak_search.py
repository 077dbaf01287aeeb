"""A search for known secrets in bytes, in every encoding that redaction knows."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING

from engine.telemetry.redact import encodings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

SHORTEST = 8
"""Shorter marks stand in other text by chance: a password of ``secret``, say."""

_BLOCK = 4 * 1024 * 1024


class LeakSearch:
    """Finds secrets. ``secrets`` are pairs of what a secret is called and its value (bytes: keys).

    ``too_short`` are the names of those whose plain text can't be told from other text; their
    longer encodings are looked for.
    """

    def __init__(self, secrets: Iterable[tuple[str, str | bytes]]) -> None:
        self._marks: dict[bytes, str] = {}
        self.too_short: list[str] = []
        for name, value in secrets:
            forms = _forms(value)
            if len(value) < SHORTEST:
                self.too_short.append(name)
            for form in forms:
                if len(form) >= SHORTEST:
                    self._marks.setdefault(form, name)
        self._by_beginning: dict[bytes, list[bytes]] = {}
        for mark in self._marks:
            self._by_beginning.setdefault(mark[:SHORTEST], []).append(mark)
        self._beginning = re.compile(_pattern(_tree(self._by_beginning))) if self._marks else None
        self._longest = max(map(len, self._marks), default=0)

    def find(self, content: bytes) -> dict[str, int]:
        """The secrets that stand in ``content``, each with the offset of its first place."""
        found: dict[str, int] = {}
        for name, at in self._each(content):
            found.setdefault(name, at)
        return found

    def find_in_file(self, file: BinaryIO) -> dict[str, int]:
        """The same of a file of any size, from where it stands."""
        found: dict[str, int] = {}
        start, kept = 0, b""
        while block := file.read(_BLOCK):
            content = kept + block
            for name, at in self.find(content).items():
                found.setdefault(name, start + at)
            kept = content[max(0, len(content) - self._longest + 1) :]
            start += len(content) - len(kept)
        return found

    def _each(self, content: bytes) -> Iterator[tuple[str, int]]:
        position = 0
        while self._beginning and (match := self._beginning.search(content, position)):
            at = match.start()
            for mark in self._by_beginning[match[0]]:
                if content.startswith(mark, at):
                    yield self._marks[mark], at
            position = at + 1


class _Tree(dict[int, "_Tree"]):
    """What may come next, by its first byte; empty at an end."""


def _tree(beginnings: Iterable[bytes]) -> _Tree:
    root = _Tree()
    for beginning in beginnings:
        node = root
        for byte in beginning:
            node = node.setdefault(byte, _Tree())
    return root


def _pattern(tree: _Tree) -> bytes:
    """An expression for what a tree holds: its time doesn't grow with the number of marks."""
    by_rest: dict[bytes, list[int]] = {}
    for byte, below in tree.items():
        by_rest.setdefault(_pattern(below), []).append(byte)
    ways = [
        b"[" + b"".join(b"\\x%02x" % byte for byte in some) + b"]" + rest
        for rest, some in by_rest.items()
    ]
    return ways[0] if len(ways) == 1 else b"(?:" + b"|".join(ways) + b")" if ways else b""


def _forms(value: str | bytes) -> set[bytes]:
    if isinstance(value, bytes):
        text = value.hex()
        return {value, *_forms(text), *_forms(text.upper()), *_in_base64(value)}
    wide = {value.encode(way, "surrogatepass") for way in ("utf-16-le", "utf-16-be")}
    return wide | {form.encode("utf-8", "surrogatepass") for form in encodings(value)}


def _in_base64(value: bytes) -> set[bytes]:
    return {b64encode(value).rstrip(b"="), urlsafe_b64encode(value).rstrip(b"=")}
