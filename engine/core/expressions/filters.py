"""The filters: ``value | name(arguments)``.

Every filter gives null for null (``default`` is for that and is compiled apart), and null with a
note for a kind it isn't for. Texts from outside may be long; what a filter makes is bounded before
it is made.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from engine.core.expressions.calendar import utc
from engine.core.expressions.errors import Unfillable
from engine.core.expressions.limits import MAX_COMPARED, check_size, check_string
from engine.core.expressions.operators import (
    as_date,
    bounded,
    is_number,
    kind_of,
    local_text,
    text_of,
)
from engine.core.expressions.scope import Scope

REQUIRED = object()
"""Stands as the default of a parameter that has none."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?"
)


@dataclass(frozen=True, slots=True)
class At:
    """Where a filter works: the scope, and the expression for its notes."""

    scope: Scope
    excerpt: str

    def odd(self, name: str, value: object) -> object:
        """Null, with a note that ``value`` isn't for the filter ``name``."""
        self.scope.note(f"{self.excerpt}: {name} of {kind_of(value)} is null")
        return None


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter: its parameters in order with their defaults, and what it does to what isn't null.

    ``run`` takes where it works, the value and one argument per parameter.
    """

    run: Callable[..., object]
    parameters: tuple[tuple[str, object], ...] = ()


def _lower(at: At, value: object) -> object:
    if not isinstance(value, str):
        return at.odd("lower", value)
    check_string(len(value))
    return _checked(value.lower())


def _upper(at: At, value: object) -> object:
    if not isinstance(value, str):
        return at.odd("upper", value)
    check_string(len(value))
    return _checked(value.upper())


def _checked(text: str) -> str:
    check_string(len(text))
    return text


def _trim(at: At, value: object) -> object:
    if not isinstance(value, str):
        return at.odd("trim", value)
    return value.strip()


def _round(at: At, value: object, digits: object) -> object:
    """To ``digits`` decimals, halves away from zero, on the number's decimal writing."""
    if not is_number(value) or not isinstance(digits, int) or isinstance(digits, bool):
        return at.odd("round", value if is_number(digits) else digits)
    number: int | float = value  # type: ignore[assignment]
    places = min(max(digits, -15), 15)
    if abs(number) >= 10**15 or (isinstance(number, int) and places >= 0):
        return _integral(at, number) if places <= 0 else bounded(number, at.excerpt)
    if math.isnan(number):
        return at.odd("round", value)
    rounded = Decimal(repr(number)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return int(rounded) if places <= 0 else float(rounded)


def _int(at: At, value: object) -> object:
    """A number cut towards zero, or the number that a text says."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        if _INTEGER.fullmatch(text):
            return bounded(int(text), at.excerpt)
        if not _DECIMAL.fullmatch(text):
            return at.odd("int", value)
        value = float(text)
    return _integral(at, value) if is_number(value) else at.odd("int", value)


def _integral(at: At, value: object) -> object:
    try:
        return bounded(int(value), at.excerpt)  # type: ignore[call-overload]
    except OverflowError:
        raise Unfillable(f"{at.excerpt}: the number is too large") from None
    except ValueError:
        return at.odd("int", value)


def _float(at: At, value: object) -> object:
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return bounded(float(value), at.excerpt)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return at.odd("float", value)
    try:
        return bounded(float(value), at.excerpt)
    except OverflowError:
        raise Unfillable(f"{at.excerpt}: the number is too large") from None


def _string(at: At, value: object) -> object:
    text = text_of(value, at.scope)
    return _tojson(at, value) if text is None else text


def _length(at: At, value: object) -> object:
    if isinstance(value, str | list | Mapping):
        return len(value)
    return at.odd("length", value)


def _first(at: At, value: object) -> object:
    if isinstance(value, str | list):
        return value[0] if value else None
    return at.odd("first", value)


def _last(at: At, value: object) -> object:
    if isinstance(value, str | list):
        return value[-1] if value else None
    return at.odd("last", value)


def _join(at: At, value: object, separator: object) -> object:
    """The items as one text; null items are left out."""
    if not isinstance(value, list) or not isinstance(separator, str):
        return at.odd("join", value if isinstance(separator, str) else separator)
    parts: list[str] = []
    length = 0
    for item in value:
        if item is None:
            continue
        text = text_of(item, at.scope)
        if text is None:
            return at.odd("join", item)
        length += len(text) + (len(separator) if parts else 0)
        check_string(length)
        parts.append(text)
    return separator.join(parts)


def _map(at: At, value: object, attribute: object) -> object:
    """The values of one key (``address.city`` goes deeper) of the objects in a list."""
    if not isinstance(value, list) or not isinstance(attribute, str):
        return at.odd("map", value if isinstance(attribute, str) else attribute)
    found: list[object] = value
    keys = attribute.split(".")
    if len(keys) > 1 and len(keys) * len(value) > MAX_COMPARED:
        raise Unfillable(f"{at.excerpt}: map goes deeper than {MAX_COMPARED:,} items allow")
    for key in keys:
        found = [item.get(key) if isinstance(item, Mapping) else None for item in found]
    return found


def _replace(at: At, value: object, old: object, new: object) -> object:
    if not isinstance(value, str):
        return at.odd("replace", value)
    if not isinstance(old, str) or not isinstance(new, str):
        return at.odd("replace", old if isinstance(new, str) else new)
    if not old:
        return value
    check_string(len(value) + value.count(old) * (len(new) - len(old)))
    return value.replace(old, new)


def _truncate(at: At, value: object, length: object, killwords: object, end: object) -> object:
    """At most ``length`` characters, ``end`` included; cut between words unless ``killwords``."""
    if not isinstance(value, str) or not isinstance(end, str) or not isinstance(length, int):
        return at.odd("truncate", value if isinstance(length, int) else length)
    length = max(length, 0)
    if len(value) <= length:
        return value
    check_string(length)
    kept = value[: max(length - len(end), 0)]
    if not killwords and " " in kept:
        kept = kept.rsplit(" ", 1)[0]
    return (kept + end)[:length]


def _tojson(at: At, value: object) -> object:
    """Compact JSON (RFC 8259), characters as they are."""
    check_size(value)
    try:
        text = json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            default=lambda item: _json_form(at, item),
        )
    except (ValueError, TypeError):
        raise Unfillable(f"{at.excerpt}: this has no JSON form") from None
    return _checked(text)


def _json_form(at: At, item: object) -> object:
    if isinstance(item, Mapping):
        return dict(item)
    if isinstance(item, datetime):
        return local_text(item, at.scope)
    raise TypeError


def _date(at: At, value: object) -> object:
    return date_of(value, at.scope, at.excerpt)


def date_of(value: object, scope: Scope, excerpt: str) -> datetime | None:
    """The date that ``value`` says, in UTC.

    An ISO 8601 text, or seconds since 1970, or from 100,000,000,000 on milliseconds. Null gives
    null; anything else null and a note.
    """
    if isinstance(value, datetime) or value is None:
        return value
    found: datetime | None = None
    if isinstance(value, str):
        found = as_date(value, scope)
    elif is_number(value) and abs(value) < 10**14:  # type: ignore[arg-type]
        seconds = value if abs(value) < 10**11 else None  # type: ignore[arg-type]
        instant = value * 1_000_000 if seconds is not None else value * 1_000  # type: ignore[operator]
        found = utc(int(instant))
    if found is None:
        scope.note(f"{excerpt}: {kind_of(value)} that is no date is null")
    return found


FILTERS: dict[str, Filter] = {
    "lower": Filter(_lower),
    "upper": Filter(_upper),
    "trim": Filter(_trim),
    "round": Filter(_round, (("digits", 0),)),
    "int": Filter(_int),
    "float": Filter(_float),
    "string": Filter(_string),
    "length": Filter(_length),
    "first": Filter(_first),
    "last": Filter(_last),
    "join": Filter(_join, (("separator", ""),)),
    "map": Filter(_map, (("attribute", REQUIRED),)),
    "replace": Filter(_replace, (("old", REQUIRED), ("new", REQUIRED))),
    "truncate": Filter(_truncate, (("length", 255), ("killwords", False), ("end", "..."))),
    "tojson": Filter(_tojson),
    "date": Filter(_date),
}
"""Every filter but ``default``."""

FILTER_NAMES = frozenset(FILTERS) | {"default"}
