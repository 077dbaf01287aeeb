"""What operators do with data: comparison, membership, arithmetic, joining.

Null is never an error: a comparison or an operation with it is false or null. Kinds that don't go
together give false or null, too, and a note. Dates are aware datetimes in UTC inside; against a
date a text is read as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from engine.core.expressions.calendar import parse_iso, utc
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.limits import (
    MAX_COMPARED,
    MAX_DATA_DEPTH,
    MAX_INTEGER,
    MIN_INTEGER,
    check_string,
)
from engine.core.expressions.scope import Scope

Evaluate = Callable[[Scope], object]


def kind_of(value: object) -> str:
    """The kind of a value in the author's words."""
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "something else"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a text"),
    (datetime, "a date"),
    (list, "a list"),
    (Mapping, "an object"),
)


def is_number(value: object) -> bool:
    """Whether it is an int or a float; a bool is not a number here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_date(text: str, scope: Scope) -> datetime | None:
    """The date that ``text`` says, in UTC, or None."""
    instant = parse_iso(text, scope.zone)
    return None if instant is None else utc(instant)


def same(left: object, right: object) -> bool:
    """Whether two pieces of data are equal, all the way down: 1 and 1.0 are, 1 and true aren't.

    Raises :class:`Unfillable` for more items than may be compared at once.
    """
    if not isinstance(left, list | Mapping):
        return _same_scalar(left, right)
    return _same_all([(left, right, MAX_DATA_DEPTH)], [MAX_COMPARED])


def _same_all(waiting: list[tuple[object, object, int]], left_over: list[int]) -> bool:
    """Whether all pairs are the same; what is compared is taken off ``left_over``. Data nested
    deeper than it may be is the same as nothing."""
    while waiting:
        left, right, depth = waiting.pop()
        if isinstance(left, list | Mapping):
            if not isinstance(right, list if isinstance(left, list) else Mapping) or depth == 0:
                return False
            if len(left) != len(right):
                return False
            left_over[0] -= len(left)
            if left_over[0] < 0:
                raise Unfillable(f"more than {MAX_COMPARED:,} items to compare")
            if isinstance(left, list):
                waiting.extend((a, b, depth - 1) for a, b in zip(left, right, strict=True))
                continue
            if any(key not in right for key in left):
                return False
            waiting.extend((left[key], right[key], depth - 1) for key in left)
        elif not _same_scalar(left, right):
            return False
    return True


def _same_scalar(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float):
        return isinstance(right, int | float) and left == right
    return type(left) is type(right) and left == right


def _aligned(left: object, right: object, scope: Scope) -> tuple[object, object] | None:
    """Both of one comparable kind (a text beside a date read as a date), or None."""
    if isinstance(left, datetime) and isinstance(right, str):
        right = as_date(right, scope)
    elif isinstance(right, datetime) and isinstance(left, str):
        left = as_date(left, scope)
    if is_number(left) and is_number(right):
        return left, right
    for kind in (str, bool, datetime, list, Mapping):
        if isinstance(left, kind) and isinstance(right, kind):
            return left, right
    return None


def _mismatch(left: object, right: object, scope: Scope, excerpt: str) -> None:
    scope.note(f"{excerpt}: compares {kind_of(left)} with {kind_of(right)}; it is false")


def equals(left: object, right: object, scope: Scope, excerpt: str) -> bool:
    """``==`` of two values; null equals nothing here (``x == none`` is compiled apart)."""
    if left is None or right is None:
        return False
    pair = _aligned(left, right, scope)
    if pair is None:
        _mismatch(left, right, scope, excerpt)
        return False
    return same(*pair)


def differs(left: object, right: object, scope: Scope, excerpt: str) -> bool:
    """``!=``: true for null against something; false for null against null and for a mismatch."""
    if left is None or right is None:
        return left is not right
    pair = _aligned(left, right, scope)
    if pair is None:
        _mismatch(left, right, scope, excerpt)
        return False
    return not same(*pair)


def _ordering(compare: Callable[[object, object], bool]) -> Comparison:
    def ordered(left: object, right: object, scope: Scope, excerpt: str) -> bool:
        if left is None or right is None:
            return False
        pair = _aligned(left, right, scope)
        if pair is None or isinstance(pair[0], bool | list | Mapping):
            _mismatch(left, right, scope, excerpt)
            return False
        return compare(*pair)

    return ordered


def contains(item: object, holder: object, scope: Scope, excerpt: str) -> bool:
    """``in``: an item of a list, a key of an object, a piece of a text."""
    if item is None or holder is None:
        return False
    if isinstance(holder, list):
        if not isinstance(item, list | Mapping):
            return any(_same_scalar(item, member) for member in holder)
        left_over = [MAX_COMPARED]
        return any(_same_all([(item, member, MAX_DATA_DEPTH)], left_over) for member in holder)
    if isinstance(holder, str) and isinstance(item, str):
        return item in holder
    if isinstance(holder, Mapping) and isinstance(item, str):
        return item in holder
    scope.note(f"{excerpt}: looks for {kind_of(item)} in {kind_of(holder)}; it is false")
    return False


def lacks(item: object, holder: object, scope: Scope, excerpt: str) -> bool:
    """``not in``: true for null; false, as every mismatch, where ``in`` makes no sense."""
    if item is None or holder is None:
        return True
    if isinstance(holder, list) or (isinstance(holder, str | Mapping) and isinstance(item, str)):
        return not contains(item, holder, scope, excerpt)
    return contains(item, holder, scope, excerpt)


Comparison = Callable[[object, object, Scope, str], bool]

COMPARISONS: dict[str, Comparison] = {
    "eq": equals,
    "ne": differs,
    "lt": _ordering(lambda a, b: a < b),  # type: ignore[operator]
    "lteq": _ordering(lambda a, b: a <= b),  # type: ignore[operator]
    "gt": _ordering(lambda a, b: a > b),  # type: ignore[operator]
    "gteq": _ordering(lambda a, b: a >= b),  # type: ignore[operator]
    "in": contains,
    "notin": lacks,
}


def bounded(number: float, excerpt: str) -> int | float:
    """``number``, or :class:`Unfillable` if 64 bits or a float can't hold it."""
    if isinstance(number, int):
        if MIN_INTEGER <= number <= MAX_INTEGER:
            return number
    elif math.isfinite(number):
        return number
    raise Unfillable(f"{excerpt}: the number is too large")


Operation = Callable[[object, object, Scope, str], object]


def _arithmetic(symbol: str, operate: Callable[[float, float], int | float]) -> Operation:
    def calculate(left: object, right: object, scope: Scope, excerpt: str) -> object:
        if left is None or right is None:
            return None
        if not (is_number(left) and is_number(right)):
            scope.note(f"{excerpt}: {kind_of(left)} {symbol} {kind_of(right)} is null")
            return None
        try:
            return bounded(operate(left, right), excerpt)  # type: ignore[arg-type]
        except ZeroDivisionError:
            scope.note(f"{excerpt}: a division by zero is null")
            return None
        except OverflowError:
            raise Unfillable(f"{excerpt}: the number is too large") from None

    return calculate


_add_numbers = _arithmetic("+", lambda a, b: a + b)


def _add(left: object, right: object, scope: Scope, excerpt: str) -> object:
    if isinstance(left, str) and isinstance(right, str):
        check_string(len(left) + len(right))
        return left + right
    return _add_numbers(left, right, scope, excerpt)


ADD: Operation = _add
SUBTRACT = _arithmetic("-", lambda a, b: a - b)
MULTIPLY = _arithmetic("*", lambda a, b: a * b)
DIVIDE = _arithmetic("/", lambda a, b: a / b)
MODULO = _arithmetic("%", lambda a, b: a % b)


def text_of(value: object, scope: Scope) -> str | None:
    """A scalar as text: numbers and booleans as JSON writes them, dates as ISO 8601.

    None for null, lists and objects; :class:`Unfillable` for a number that can't be written.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        try:
            text = repr(value)
        except ValueError:  # more digits than Python writes
            raise Unfillable("the number is too large") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise Unfillable("the number is not finite")
        return text
    if isinstance(value, datetime):
        return local_text(value, scope)
    return None


class Named(Protocol):
    """What a failure can name: an expression."""

    @property
    def excerpt(self) -> str:
        """The expression in one line."""


def scalar_text(expression: Named, value: object, scope: Scope) -> str:
    """The text of what ``expression`` gave. Raises :class:`Unfillable` if it has none."""
    text = text_of(value, scope)
    if text is not None:
        return text
    remedy = "say | default('')" if value is None else "say | join(', ') or | tojson"
    raise Unfillable(f"{expression.excerpt} is {kind_of(value)}, which has no text; {remedy}")


def local_text(moment: datetime, scope: Scope) -> str:
    """ISO 8601 in the user's zone, with its offset."""
    return moment.astimezone(scope.zone).isoformat()


def now_of(scope: Scope) -> datetime:
    """``now``, in UTC."""
    return utc(scope.now)
