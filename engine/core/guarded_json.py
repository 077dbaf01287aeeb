"""JSON from outside, read with its traps refused; JSON to outside, written in one way.

RFC 8259 leaves to the reader what a repeated key, a huge number or a depth of 100,000 means, and
Python's reader takes ``NaN`` besides. Two programs that answer differently are how checks are got
around, so here each of these is an error. It is in the core because it is pure and everything
above needs it: users' files, answers, token answers, webhooks, ``--set``.
"""

from __future__ import annotations

import json
import re
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 64
"""How many objects and arrays may stand inside one another."""

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_BLANKS = " \t\n\r"
_CONTAINERS = frozenset({dict, list})  # what the reader makes: no subclasses, so quick to tell
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotGuardedJSON(ValueError):
    """The text isn't JSON that can be taken; the message says why in a few words, without data."""


def parse(data: bytes | str, *, max_depth: int = MAX_DEPTH) -> object:
    """What ``data`` says: None, bool, int, float, str, list or dict.

    Integers come back whole, whatever their size. Bytes are UTF-8, with or without a byte-order
    mark. Raises :class:`NotGuardedJSON` for what isn't JSON, and for a repeated key, ``NaN`` and
    ``Infinity``, a number beyond what a float holds, a lone surrogate (such text can't be stored
    or sent as UTF-8) and nesting deeper than ``max_depth``.
    """
    text = _text(data)
    try:
        value = _decoded(text)
    except json.JSONDecodeError as error:
        raise NotGuardedJSON(f"not JSON at line {error.lineno}, column {error.colno}") from None
    except NotGuardedJSON:
        raise
    except ValueError:  # int() refuses thousands of digits
        raise NotGuardedJSON("a number is too long") from None
    except RecursionError:
        raise _too_deep(max_depth) from None
    if len(text) > max_depth and _deeper_than(value, max_depth, text):
        raise _too_deep(max_depth)
    if "\\u" in text and _SURROGATE_ESCAPE.search(text):
        _require_unicode(text_of(value))
    return value


def parse_lines(text: str) -> list[object]:
    """What :func:`parse` makes of each line of ``text``, which has no lone surrogate.

    Raises :class:`NotGuardedJSON` where a line can't be taken, and where :func:`parse` has to be
    asked whether it can.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    lines = text.removesuffix("\n").split("\n")
    if "\\u" in text and _SURROGATE_ESCAPE.search(text):
        raise NotGuardedJSON("perhaps a lone surrogate")
    values = []
    try:
        for line in lines:
            value, end = _scan(line, 0)
            if end != len(line):
                raise NotGuardedJSON("perhaps more than a value")
            if end > 2 * MAX_DEPTH and line.count("{") + line.count("[") > MAX_DEPTH:
                raise NotGuardedJSON("perhaps nested too deeply")
            values.append(value)
    except (ValueError, StopIteration, RecursionError):
        raise NotGuardedJSON("a line isn't JSON that can be taken") from None
    return values


def parse_around(data: bytes | str) -> object:
    """What ``data`` says where :func:`parse` refuses it. In the place of a repeated key's object,
    and of a number that is none, stands the :class:`NotGuardedJSON` that says why;
    :func:`text_of` raises it. Lone surrogates and any depth stay as they came.

    Raises :class:`NotGuardedJSON` for what isn't JSON all the same.
    """
    try:
        return _lenient.decode(_text(data))
    except NotGuardedJSON:
        raise
    except (ValueError, RecursionError):
        raise NotGuardedJSON("not JSON") from None


def dumps(value: object) -> bytes:
    """``value`` as compact UTF-8 JSON, keys in the order they have.

    Raises ValueError for NaN, infinities and lone surrogates, TypeError for what JSON hasn't got.
    """
    return text_of(value).encode()


def text_of(value: object) -> str:
    """:func:`dumps` as text; a lone surrogate stays one."""
    try:
        return "".join(_encode(value, 0))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def stored(text: str) -> Any:
    """What :func:`text_of` wrote: read without a look for what it never writes."""
    return _read(text)[0]


quoted = encode_basestring
"""A text as JSON has it, in its quotes; a lone surrogate stays one."""


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        if not data.isascii():
            _require_unicode(data)
        return data
    try:
        return data.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError:
        raise NotGuardedJSON("not UTF-8") from None


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotGuardedJSON("a lone surrogate") from None


def _decoded(text: str) -> object:
    """As JSONDecoder.decode, which looks for blanks with two regular expressions."""
    start = len(text) - len(text.lstrip(_BLANKS))
    value, end = _decoder.raw_decode(text, start)
    if end != len(text) and (rest := text[end:].lstrip(_BLANKS)):
        raise json.JSONDecodeError("Extra data", text, len(text) - len(rest))
    return value


def _deeper_than(value: object, depth: int, text: str) -> bool:
    """Whether ``value``, said by ``text``, is: by levels, for recursion has a limit of its own."""
    if text.count("{") + text.count("[") <= depth:
        return False
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    for _ in range(depth):
        if not level:
            return False
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) in _CONTAINERS
        ]
    return bool(level)


def _too_deep(max_depth: int) -> NotGuardedJSON:
    return NotGuardedJSON(f"nested deeper than {max_depth}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotGuardedJSON("a key stands twice in one object")
    return members


def _constant(name: str) -> object:
    raise NotGuardedJSON(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number - number != 0.0:  # true of infinities alone, and cheaper than a call
        raise NotGuardedJSON("a number is too large")
    return number


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
)


_scan: Callable[[str, int], tuple[object, int]] = _decoder.scan_once  # type: ignore[attr-defined]
_read = json.JSONDecoder().raw_decode


def _kept(read: Callable[[Any], object]) -> Callable[[Any], object]:
    """``read``, which gives what it would raise."""

    def reading(said: Any) -> object:
        try:
            return read(said)
        except NotGuardedJSON as reason:
            return reason

    return reading


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise NotGuardedJSON("a number is too long") from None


_lenient = json.JSONDecoder(
    object_pairs_hook=_kept(_object),
    parse_constant=_kept(_constant),
    parse_float=_kept(_finite),
    parse_int=_kept(_whole),
)


def _unknown(value: object) -> object:
    if isinstance(value, NotGuardedJSON):
        raise value
    raise TypeError(f"{type(value).__name__} is no JSON data")


# What json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")) makes anew for
# every value: with one that is kept, a small object takes a third of the time.
_encode = c_make_encoder(None, _unknown, encode_basestring, None, ":", ",", False, False, False)
