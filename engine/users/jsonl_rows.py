"""Users as JSON Lines: ``{"id", "timezone", "attributes", "inputs", "event"}`` on a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, cast

from engine.core.guarded_json import parse_lines
from engine.users.records import json_records, kind_of, unknown_key
from engine.users.row import (
    BadRow,
    UserRow,
    check_id,
    check_inputs,
    check_zone,
    shown,
)
from engine.users.source import Lines

KEYS = ("id", "timezone", "attributes", "inputs", "event")


class JSONLRows:
    """Reads users from JSON Lines."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self._declared = declared

    def rows(self, lines: Lines) -> Iterator[UserRow | BadRow]:
        """A user for each line, or for a bad one what is wrong with it."""
        return json_records(lines, "users", self._row)

    def at_once(self, text: str, line: int) -> list[UserRow] | None:
        """See :class:`~engine.users.user_blocks.Reader`."""
        said: list[Any] = parse_lines(text)
        if {*map(type, said)} != {dict}:
            return None
        return [*map(self._row, count(line), said)]

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
