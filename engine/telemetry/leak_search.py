"""A search for known secrets in bytes, in every encoding that redaction knows."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING

from engine.telemetry.redact import encodings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

SHORTEST = 8
"""Shorter marks stand in other text by chance: a password of ``secret``, say."""

_FEW = 300
"""Up to so many marks each is looked for alone; more of them all at once, at 100 ns a byte."""
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
        self._longest = max(map(len, self._marks), default=0)

    def find(self, content: bytes) -> dict[str, int]:
        """The secrets that stand in ``content``, each with the offset of its first place."""
        found: dict[str, int] = {}
        hits = self._each(content) if len(self._marks) <= _FEW else self._all(content)
        for name, at in hits:
            found[name] = min(at, found.get(name, at))
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
        for mark, name in self._marks.items():
            at = content.find(mark)
            if at >= 0:
                yield name, at

    def _all(self, content: bytes) -> Iterator[tuple[str, int]]:
        beginnings = self._by_beginning
        for at in range(len(content) - SHORTEST + 1):
            marks = beginnings.get(content[at : at + SHORTEST])
            if marks is not None:
                for mark in marks:
                    if content.startswith(mark, at):
                        yield self._marks[mark], at


def _forms(value: str | bytes) -> set[bytes]:
    if isinstance(value, bytes):
        text = value.hex()
        return {value, *_forms(text), *_forms(text.upper()), *_in_base64(value)}
    return {form.encode("utf-8", "surrogatepass") for form in encodings(value)}


def _in_base64(value: bytes) -> set[bytes]:
    return {b64encode(value).rstrip(b"="), urlsafe_b64encode(value).rstrip(b"=")}
