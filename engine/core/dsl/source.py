"""YAML text → plain data with the place of every node. Used for journeys, scenarios, apply files.

The text is read as a stream of events by PyYAML's C parser and composed here, because PyYAML's own
composer recurses (30,000 ``[`` kill the process), lets duplicate keys win in silence and reads YAML
1.1 (``on`` becomes true, ``21:30`` becomes 1290). Nothing of the text is ever looked up as a Python
object. Standard: YAML 1.2.2, core schema, one document.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.core.dsl.composer import Composer, Unreadable
from engine.core.dsl.document import Document
from engine.core.dsl.problems import Lines, Place, in_file_order
from engine.errors import DefinitionError

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class Limits(NamedTuple):
    """How much a file may hold. ``nodes`` counts what aliases stand for, too."""

    bytes: int = 1024 * 1024
    depth: int = 40
    nodes: int = 50_000


def read_yaml(source: bytes | str, file: str, *, limits: Limits | None = None) -> Document:
    """Read one YAML document; its data is ``document.root.data``.

    ``source`` is the file's content; a caller reads at most ``limits.bytes`` + 1 bytes of it.
    Raises DefinitionError with every problem found, codes ``yaml.*``.
    """
    document = compose(source, file, limits=limits)
    if document.problems:
        raise DefinitionError(file, document.problems)
    return document


def compose(source: bytes | str, file: str, *, limits: Limits | None = None) -> Document:
    """As :func:`read_yaml`; problems that leave the rest readable are in ``document.problems``."""
    limits = limits or Limits()
    text = _decode(source, file, limits)
    composer = Composer(Lines(text), depth=limits.depth, nodes=limits.nodes)
    try:
        root = composer.compose(text)
    except Unreadable as fatal:
        problems = in_file_order(composer.fatal_problems(fatal))
        raise DefinitionError(file, problems) from None
    return Document(file, root, composer.lines, in_file_order(composer.problems))


def _decode(source: bytes | str, file: str, limits: Limits) -> str:
    """The text of a file: UTF-8, not too big, no control characters, no byte order mark."""

    def refuse(
        code: str, message: str, remedy: str, place: Place, text: str = ""
    ) -> DefinitionError:
        return DefinitionError(file, (Lines(text).problem(code, message, place, remedy),))

    start = Place(1, 1)
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(raw) > limits.bytes:
        message = f"the file is larger than {limits.bytes // 1024} KiB"
        raise refuse("yaml.too_big", message, "split it: one file is one journey", start)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse("yaml.encoding", "the file is UTF-16", "save it as UTF-8", start)
    if b"\0" in raw:
        raise refuse("yaml.binary", "this isn't a text file: it holds NUL bytes", "", start)
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        place = _place_at(before, len(before))
        raise refuse("yaml.encoding", "this byte isn't UTF-8", "save it as UTF-8", place) from None
    if found := _UNREADABLE.search(text):
        message = f"a control character (U+{ord(found.group()):04X}) can't stand in a text file"
        place = _place_at(text, found.start())
        raise refuse("yaml.character", message, "take it out", place, text)
    return text


def _place_at(text: str, index: int) -> Place:
    before = text[:index]
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"), 1)
