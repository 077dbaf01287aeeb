"""The bounds an expression lives in, at compile time and at run time.

Text from outside passes through whatever its size (who stored it bounded it); what an expression
*makes* is bounded here, and so is every whole result.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from engine.core.expressions.errors import Unfillable

MAX_SOURCE = 2_000
"""Characters of one expression."""
MAX_NODES = 200
"""Nodes of one expression's syntax tree."""
MAX_DEPTH = 30
"""Depth of that tree, and of brackets and prefix operators."""
MAX_TEMPLATES = 1_000
"""Expressions in one value."""
MAX_STRING = 16 * 1024
"""Characters of a string that an operator or a filter makes."""
MAX_TEXT = 64 * 1024
"""Characters of a text with ``{{ }}`` in it, once rendered."""
MAX_RESULT = 1024 * 1024
"""Characters and items of a whole result."""
MAX_COMPARED = 100_000
"""Items that one comparison, or one ``in`` or ``map``, looks at."""
MAX_DATA_DEPTH = 64
"""Depth of data that is compared or made into text."""
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)


def check_string(length: int) -> None:
    """Raise :class:`Unfillable` before a string of ``length`` characters is made."""
    if length > MAX_STRING:
        raise Unfillable(f"the text would be longer than {MAX_STRING:,} characters")


def check_size(value: object) -> bool:
    """Bound ``value`` (any data) by ``MAX_RESULT`` and ``MAX_DATA_DEPTH``; raise Unfillable.

    Returns whether it is JSON data as it stands: dict, list, str, int, float, bool and None only.
    """
    return _measured(value)[1]


def size_of(value: object) -> int:
    """The characters and items of ``value``, bounded as :func:`check_size` bounds it."""
    return 1 if type(value) in _SCALARS else _measured(value)[0]


def _measured(value: object) -> tuple[int, bool]:
    """Walks without recursion, so depth and cycles in the data can't exhaust the stack."""
    left = MAX_RESULT
    ready = True
    level: list[object] = [value]
    for _ in range(MAX_DATA_DEPTH):
        below: list[object] = []
        for item in level:
            left -= 1
            kind = type(item)
            if kind is str:
                left -= len(item)  # type: ignore[arg-type]
            elif kind is list or kind is tuple:
                ready = ready and kind is list
                left -= len(item)  # type: ignore[arg-type]
                if left > 0:
                    below.extend(item)  # type: ignore[arg-type]
            elif isinstance(item, Mapping):
                ready = ready and kind is dict
                left -= _size_of_keys(item)
                if left > 0:
                    below.extend(item.values())
            elif isinstance(item, datetime):
                ready = False
            elif kind not in _SCALARS:
                raise Unfillable("the data holds something that JSON doesn't know")
            if left < 0:
                raise Unfillable(f"the result is bigger than {MAX_RESULT:,} characters")
        if not below:
            return MAX_RESULT - left, ready
        level = below
    raise Unfillable(f"the data is nested deeper than {MAX_DATA_DEPTH} levels")


_SCALARS = frozenset({int, float, bool, type(None)})


def _size_of_keys(mapping: Mapping[object, object]) -> int:
    size = len(mapping)
    if size > MAX_RESULT:
        return size
    for key in mapping:
        if type(key) is not str:
            raise Unfillable("the data holds an object whose key isn't a text")
        size += len(key)
    return size
