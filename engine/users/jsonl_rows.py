"""Users as JSON Lines: ``{"id", "timezone", "attributes", "inputs", "event"}`` on a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any, cast

from engine.core.guarded_json import parse_lines
from engine.users.records import json_records, kind_of, unknown_key
from engine.users.row import (
    BadRow,
    UserRow,
    are_ids,
    check_id,
    check_inputs,
    check_zone,
    shown,
)
from engine.users.source import Lines
from engine.users.user_blocks import Rows

KEYS = ("id", "timezone", "attributes", "inputs", "event")
_KEYS = frozenset(KEYS)
_OBJECT_OR_NONE = frozenset({dict, type(None)})


class JSONLRows:
    """Reads users from JSON Lines."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self._declared = declared

    def rows(self, lines: Lines) -> Iterator[UserRow | BadRow]:
        """A user for each line, or for a bad one what is wrong with it."""
        return json_records(lines, "users", self._row)

    def at_once(self, text: str, line: int) -> Rows | None:
        """See :class:`~engine.users.user_blocks.Reader`."""
        said: list[Any] = parse_lines(text)
        if {*map(type, said)} != {dict} or not _KEYS.issuperset(chain.from_iterable(said)):
            return None
        ids = [one.get("id") for one in said]
        attributes = [_or_empty(one.get("attributes")) for one in said]
        inputs = [_or_empty(one.get("inputs")) for one in said]
        events = [one.get("event") for one in said]
        if (
            {*map(type, ids)} != {str}
            or not are_ids(ids)
            or {*map(type, chain(attributes, inputs))} != {dict}
            or not _OBJECT_OR_NONE.issuperset(map(type, events))
            or any("id" in own for own in attributes)
        ):
            return None
        if self._declared or any(inputs):
            for brought in inputs:
                check_inputs(self._declared, brought)
        zones = [*map(_zone, said, attributes)]
        return Rows(ids, map(UserRow, count(line), ids, zones, attributes, inputs, events))

    def _row(self, line: int, said: dict[str, object]) -> UserRow:
        for key in said:
            if key not in KEYS:
                raise unknown_key(key, KEYS, "users", "a user's own data goes into 'attributes'")
        attributes = _object(said, "attributes") or {}
        inputs = _object(said, "inputs") or {}
        check_inputs(self._declared, inputs)
        return UserRow(
            line,
            _id(said, attributes),
            _zone(said, attributes),
            attributes,
            inputs,
            _object(said, "event"),
        )


def _object(said: dict[str, object], key: str) -> dict[str, object] | None:
    value = said.get(key)
    if value is not None and not isinstance(value, dict):
        raise BadRow("users.bad_json", f"{key!r} is {kind_of(value)}", "it must be an object")
    return cast("dict[str, object] | None", value)


def _id(said: dict[str, object], attributes: dict[str, object]) -> str:
    user = said.get("id", "")
    if not isinstance(user, str):
        raise BadRow(
            "users.bad_id", f"the id is {kind_of(user)}", "an id is text: put quotes around it"
        )
    if "id" in attributes:
        raise BadRow("users.bad_id", "'id' is no attribute", "it stands beside 'attributes'")
    return check_id(user)


def _zone(said: dict[str, object], attributes: dict[str, object]) -> str | None:
    inner = attributes.pop("timezone", None)
    outer = said.get("timezone")
    if inner is not None and outer is not None and inner != outer:
        raise BadRow(
            "users.unknown_zone",
            f"two timezones: {shown(outer)}, and {shown(inner)} among the attributes",
            "keep one",
        )
    zone = inner if outer is None else outer
    if zone is None or zone == "":
        return None
    if not isinstance(zone, str):
        raise BadRow("users.unknown_zone", f"the timezone is {kind_of(zone)}", "it must be text")
    return check_zone(zone)


def _or_empty(value: Any) -> Any:
    return {} if value is None else value
