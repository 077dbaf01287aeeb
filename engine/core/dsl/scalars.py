"""The types of YAML 1.2's core schema (YAML 1.2.2, section 10.3), and nothing else.

``on``, ``yes``, ``21:30`` and dates stay text. Three forms that the schema allows are refused
because what they become surprises: numbers with leading zeros (``01234`` is a postal code to its
author), ``.nan``/``.inf`` (JSON has no such numbers), and numbers out of range.
"""

from __future__ import annotations

import math
import re

Scalar = None | bool | int | float | str

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUTHS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_LONGEST_NUMBER = 400
_LEAST, _MOST = -(2**63), 2**63 - 1


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar. Raises ValueError with a one-line reason."""
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.match(text) or _FLOAT.match(text):
        return _number(text)
    if _BASED.match(text):
        if len(text) > _LONGEST_NUMBER:
            raise ValueError("this number is beyond 64 bits")
        return _bounded(int(text, 0))
    if _NOT_FINITE.match(text):
        raise ValueError(f"`{text}` isn't a number that JSON can carry")
    return text


def _number(text: str) -> int | float:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("this number is beyond 64 bits")
    if _LEADING_ZERO.match(text):
        raise ValueError("a number with a leading zero: readers disagree on what it means")
    if _INTEGER.match(text):
        return _bounded(int(text))
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("this number is too large")
    return number


def _bounded(number: int) -> int:
    if not _LEAST <= number <= _MOST:
        raise ValueError("this number is beyond 64 bits")
    return number
