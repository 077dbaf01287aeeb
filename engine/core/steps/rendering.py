"""From a call's templates to what goes on the wire; each value is encoded for where it stands.

Percent-encoding is RFC 3986's, forms are the WHATWG URL standard's
``application/x-www-form-urlencoded``, header values are RFC 9110's without ``obs-text``: printable
ASCII and tab. Strings are never glued into JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from engine.core.expressions.errors import Unfillable
from engine.core.guarded_json import dumps

if TYPE_CHECKING:
    from engine.core.expressions.scope import Scope
    from engine.core.expressions.values import Value

_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


def render_query(query: Mapping[str, Value], scope: Scope) -> str:
    """``a=1&b=x%20y``; a list repeats its name, an explicit ``none`` leaves it out.

    Raises Unfillable.
    """
    return "&".join(
        f"{_encoded(name, quote)}={_encoded(text, quote)}"
        for name, text in _pairs("query", query, scope)
    )


def render_form(form: Mapping[str, Value], scope: Scope) -> bytes:
    """The body of an HTML form, with lists and ``none`` as in a query. Raises Unfillable."""
    return "&".join(
        f"{_encoded(name, quote_plus)}={_encoded(text, quote_plus)}"
        for name, text in _pairs("form", form, scope)
    ).encode()


def render_headers(
    headers: Iterable[tuple[str, Value]], scope: Scope
) -> tuple[tuple[str, str], ...]:
    """The headers; an explicit ``none`` leaves one out. Raises Unfillable for a value with anything
    but printable ASCII, so that no value can end its line and begin another."""
    rendered = []
    for name, value in headers:
        data = _rendered(value, scope, "headers", name)
        if data is None:
            continue
        text = _text(data).strip(" \t")
        if not _HEADER_VALUE.fullmatch(text):
            raise Unfillable("it would hold more than printable ASCII", ("headers", name))
        rendered.append((name, text))
    return tuple(rendered)


def render_json(body: Value, scope: Scope) -> bytes:
    """Compact JSON in UTF-8. Raises Unfillable."""
    try:
        return body.render_json(scope)
    except Unfillable as failure:
        raise failure.at(("body",)) from None
    except (TypeError, ValueError) as error:  # UnicodeEncodeError is a ValueError
        raise Unfillable(f"the body can't be JSON: {_reason(error)}") from None


def render_text(text: Value, scope: Scope) -> bytes:
    """The text in UTF-8. Raises Unfillable."""
    try:
        return text.render_text(scope).encode()
    except Unfillable as failure:
        raise failure.at(("text",)) from None
    except UnicodeEncodeError:
        raise Unfillable("the text holds half a character") from None


def _pairs(place: str, values: Mapping[str, Value], scope: Scope) -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        data = _rendered(value, scope, place, name)
        if isinstance(data, list | tuple):
            yield from ((name, _text(item)) for item in data if item is not None)
        elif data is not None:
            yield name, _text(data)


def _rendered(value: Value, scope: Scope, *place: str) -> object:
    try:
        return value.render(scope)
    except Unfillable as failure:
        raise failure.at(place) from None


def _text(data: object) -> str:
    """Text as it is; all else as JSON has it (``true``, ``12.5``, ``{"a":1}``)."""
    if isinstance(data, str):
        return data
    try:
        return dumps(data).decode()
    except (TypeError, ValueError) as error:
        raise Unfillable(f"this can't be text: {_reason(error)}") from None


def _encoded(text: str, encode: object) -> str:
    try:
        return encode(text, safe="")  # type: ignore[operator,no-any-return]
    except UnicodeEncodeError:
        raise Unfillable("a value holds half a character") from None


def _reason(error: Exception) -> str:
    return "half a character" if isinstance(error, UnicodeEncodeError) else type(error).__name__
